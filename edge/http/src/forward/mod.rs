//! The URI of the call to an endpoint. Hop-by-hop fields are the transport's business.

mod uri;
#[cfg(test)]
mod tests;

pub use uri::{TargetPath, upstream_uri};
