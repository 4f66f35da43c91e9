//! Every policy Tidegate ships, one folder each, and the checks of their configurations.
//!
//! A policy is a folder with its configuration, its run functions, a README whose example a test loads,
//! and one line in the registry. Plan security kinds have their configuration here; their
//! verification lives where credentials meet subscriptions, in the edge.

#![warn(missing_docs)]

pub mod api_key;
pub mod assign_attributes;
mod compile;
mod configuration;
mod header;
pub mod key_less;
pub mod mock;
mod registry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod transform_headers;
mod validate;

pub use compile::compile_steps;
pub use registry::{POLICIES, SECURITY_KINDS, SecurityKind, find, find_security};
pub use validate::{undeployable, validate_api};
