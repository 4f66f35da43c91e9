//! The domain of Tidegate as plain data: definitions, their spellings and their validation.
//!
//! No I/O, no async, no clock, no randomness, no wire format. The canonical JSON document is the truth about a
//! definition; the typed [`api::Api`] is a reading of it.

#![warn(missing_docs)]

pub mod api;
pub mod config_snapshot;
pub mod deployment;
pub mod document;
mod error_kind;
mod id;
mod limits;
mod read;
mod schedule;
mod secret;
pub mod tags;
pub mod validate;
mod violation;

pub use api::Api;
pub use config_snapshot::{ApiObject, ConfigSnapshot, KeyObject, ObjectKind, SubscriptionObject};
pub use deployment::{Difference, differences, out_of_sync};
pub use document::{
    ApiDocument, ApplicationDocument, ExportFacts, SourceDocument, Spelling, export, parse_source,
    parse_value,
};
pub use error_kind::{ErrorKind, ErrorSource};
pub use id::{
    ApiId, ApplicationId, DeploymentNumber, EdgeId, EnvironmentId, Epoch, ID_CHARACTERS_MAX,
    IdError, KeyId, PlanId, Revision, SubscriptionId,
};
pub use schedule::{Schedule, ScheduleError};
pub use secret::Secret;
pub use tags::{TagError, TagSelector};
pub use validate::{ListenerClaim, deployable, listener_claims, validate_api};
pub use violation::{Notice, Violation};
