//! What the resources of an API are on an edge: caches, identity providers, documents.
//!
//! Configurations and their checks are in `tidegate-policies`; here are the connections. A resource
//! belongs to one deployed API and is shared by all workers.

mod build;
mod content;
mod directory;
mod http_users;
mod inline_users;
mod ldap;
mod memory;
mod oauth2;
mod redis_cache;

pub use build::{BuildError, build};
