//! `key-less`: a plan that asks for no credential.

mod config;
#[cfg(test)]
mod tests;

pub use config::KeyLessConfig;

/// Name of the kind.
pub const NAME: &str = "key-less";
