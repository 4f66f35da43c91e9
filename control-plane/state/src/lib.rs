//! The replicated rules of the control plane: what a transaction is and how each one applies.
//!
//! Everything here is pure and deterministic: no clock, randomness, floats or hash-map order. Ids, times and
//! signatures come inside the [`Txn`]; the same log gives the same bytes on every node and in every release of the
//! same feature level. Validation of definitions happens before a transaction is proposed, never here.
//!
//! - [`Txn`], [`Op`]: the commands, as they stand in the log.
//! - [`apply`]: one command on one state, giving [`Write`]s, a [`Reply`] and [`Event`]s.
//! - [`query`]: typed reads; [`key`]: the bytes of every stored key.

#![warn(missing_docs)]

mod apply;
mod bounded_log;
mod bounds;
mod digest;
mod draft;
mod event;
mod event_log;
mod idempotency;
pub mod key;
pub mod level;
mod memory;
pub mod op;
mod overlay;
pub mod query;
pub mod record;
mod rejection;
mod reply;
mod table;
mod txn;

pub use apply::{Applied, ApplyError, apply};
pub use bounds::{
    DEPLOYMENTS_PER_API_MAX, EVENTS_MAX, IDEMPOTENCY_RECORDS_MAX, REFUSALS_PER_DEPLOYMENT_MAX,
    VIEWS_PER_ENVIRONMENT_MAX,
};
pub use digest::digest;
pub use event::{Event, LiveChange, PublishedView};
pub use memory::MemoryState;
pub use op::Op;
pub use overlay::Overlay;
pub use query::{Page, Resource};
pub use record::{
    ApiRecord, ApplicationRecord, AssetKind, AssetRecord, ClusterRecord, DeploymentRecord,
    EnvironmentRecord, FeedRecord, KeyRecord, KeysetRecord, LiveRecord, ManifestRecord, Refusal,
    Role, Stored, SubscriptionRecord, SubscriptionStatus, TagSet, TokenRecord, ViewRecord,
};
pub use rejection::code;
pub use reply::Reply;
pub use table::{ReadError, StateReader, Table, Write};
pub use txn::{DecodeError, Precondition, ResourceKind, TXN_BYTES_MAX, Txn};

/// A BLAKE3-256 hash.
pub type Hash = [u8; 32];

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
