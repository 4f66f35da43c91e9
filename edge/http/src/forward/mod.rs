//! The URI of the call to an endpoint. Hop-by-hop fields are the transport's business.

#[cfg(test)]
mod tests;
mod uri;

pub use uri::{TargetPath, upstream_uri};
