//! Configuration of `data-cache`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::number::WholeNumber;

/// Reads, keeps or forgets one value of a cache resource.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataCacheConfig {
    /// Name of the cache resource, with expressions.
    #[schemars(required)]
    pub resource: String,
    /// Key of the value, with expressions.
    #[schemars(required)]
    pub cache_key: String,
    /// For `SET` the value to keep; else the attribute that gets the value. With expressions.
    pub value: Option<String>,
    /// What to do unless the attribute `gravitee.attributes.policy.cache.operation` says it.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Operation>")]
    pub default_operation: Operation,
    /// How long a value is kept, in seconds, unless the attribute `gravitee.attributes.policy.cache.ttl` says
    /// it; 3600 if nothing is said.
    pub time_to_live: Option<WholeNumber>,
    /// Attribute that tells whether the value was not there.
    pub cache_miss_attribute_key: Option<String>,
}

/// What to do with the value.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// Read it.
    #[default]
    Get,
    /// Keep it.
    Set,
    /// Read it and forget it.
    Evict,
}
