//! Configuration of `cache`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::number::WholeNumber;

/// Answers from a cache resource instead of calling the endpoint again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheConfig {
    /// Name of the cache resource, with expressions. Old definitions leave it out, but without it a step cannot be
    /// deployed.
    pub cache_name: Option<String>,
    /// What responses are kept apart by besides API, application, method, path and query, with expressions.
    pub key: Option<String>,
    /// How long a response is kept, in seconds; 600 if nothing is said.
    pub time_to_live_seconds: Option<WholeNumber>,
    /// Methods whose responses are kept; `GET`, `OPTIONS` and `HEAD` if nothing is said.
    pub methods: Option<Vec<String>>,
    /// Who shares a response.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<CacheScope>")]
    pub scope: CacheScope,
    /// Which responses are kept, seen as `#upstreamResponse`; those with a status from 200 to 299 if nothing
    /// is said.
    pub response_condition: Option<String>,
    /// Whether `Cache-Control` and `Expires` of the response may shorten the time or forbid keeping it.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub use_response_cache_headers: bool,
}

/// Who shares a response.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum CacheScope {
    /// Everyone who calls the API.
    Api,
    /// Everyone who calls the API for the same application.
    #[default]
    Application,
}
