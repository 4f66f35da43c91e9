//! The domain of Tidegate as plain data: definitions, their spellings and their validation.
//!
//! No I/O, no async, no clock, no randomness, no wire format. The canonical JSON document is the truth about a
//! definition; the typed [`api::Api`] is a reading of it.

#![warn(missing_docs)]

mod address;
pub mod api;
pub mod asset;
pub mod config_snapshot;
pub mod deployment;
pub mod document;
mod error_kind;
mod id;
mod limits;
mod read;
mod schedule;
mod secret;
mod slug;
pub mod tags;
pub mod validate;
mod violation;

pub use address::is_link_local;
pub use api::Api;
pub use asset::{Asset, AssetKind};
pub use config_snapshot::{
    ApiObject, ConfigSnapshot, DictionaryObject, KeyObject, ObjectKind, OrganizationObject,
    PropertiesObject, SharedObjects, SharedPolicyGroupObject, SubscriptionObject,
};
pub use deployment::{Difference, differences, out_of_sync};
pub use document::{
    ApiDocument, ApplicationDocument, AssetDocument, ExportFacts, SourceDocument, Spelling, export,
    export_asset, parse_source, parse_value,
};
pub use error_kind::{ErrorKind, ErrorSource};
pub use id::{
    ApiId, ApplicationId, DeploymentNumber, EdgeId, EnvironmentId, Epoch, ID_CHARACTERS_MAX,
    IdError, KeyId, PlanId, Revision, SubscriptionId,
};
pub use schedule::{Schedule, ScheduleError};
pub use secret::Secret;
pub use slug::slug;
pub use tags::{TagError, TagSelector};
pub use validate::{ListenerClaim, deployable, listener_claims, validate_api};
pub use violation::{Notice, Violation};
