//! The domain of Tidegate as plain data: definitions, their spellings and their validation.
//!
//! No I/O, no async, no clock, no randomness, no wire format.

#![warn(missing_docs)]

pub mod api;
pub mod config_snapshot;
mod error_kind;
mod id;
mod read;
mod secret;
pub mod tags;
mod violation;

pub use api::Api;
pub use config_snapshot::{ApiObject, ConfigSnapshot, KeyObject, ObjectKind, SubscriptionObject};
pub use error_kind::{ErrorKind, ErrorSource};
pub use id::{
    ApiId, ApplicationId, DeploymentNumber, EdgeId, EnvironmentId, Epoch, ID_CHARACTERS_MAX,
    IdError, KeyId, PlanId, Revision, SubscriptionId,
};
pub use secret::Secret;
pub use tags::{TagError, TagSelector};
pub use violation::{Notice, Violation};

/// Member of a canonical document that keeps what only the Kubernetes form has.
pub const GKO_MEMBER: &str = "x-tidegate-gko";
/// Member of a plan that keeps the key it had in the map of the Kubernetes form.
pub const PLAN_KEY_MEMBER: &str = "x-tidegate-plan-key";
