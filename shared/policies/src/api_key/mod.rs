//! `api-key`: a plan whose clients send the key of a subscription.

mod config;
#[cfg(test)]
mod tests;

pub use config::ApiKeyConfig;

/// Name of the kind.
pub const NAME: &str = "api-key";

/// Header that carries the key unless the plan names another.
pub const DEFAULT_HEADER: &str = "X-Gravitee-Api-Key";

/// Query parameter that carries the key unless the plan names a header of its own.
pub const DEFAULT_QUERY_PARAMETER: &str = "api-key";

/// Key of the failure when no key was sent.
pub const MISSING_KEY: &str = "API_KEY_MISSING";

/// Key of the failure when the key has expired.
pub const INVALID_KEY: &str = "API_KEY_INVALID";
