//! The domain of Tidegate as plain data: definitions, their spellings and their validation.
//!
//! No I/O, no async, no clock, no randomness, no wire format.

#![warn(missing_docs)]

pub mod config_snapshot;
mod error_kind;
mod id;
mod secret;
pub mod tags;
mod violation;

pub use config_snapshot::{ApiObject, ConfigSnapshot, KeyObject, ObjectKind, SubscriptionObject};
pub use error_kind::{ErrorKind, ErrorSource};
pub use id::{
    ApiId, ApplicationId, DeploymentNumber, EdgeId, EnvironmentId, Epoch, ID_CHARACTERS_MAX,
    IdError, KeyId, PlanId, Revision, SubscriptionId,
};
pub use secret::Secret;
pub use tags::{TagError, TagSelector};
pub use violation::{Notice, Violation};
