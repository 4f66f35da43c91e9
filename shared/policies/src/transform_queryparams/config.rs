//! Configuration of `transform-queryparams`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Adds, replaces and removes query parameters of the request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TransformQueryparamsConfig {
    /// Removes all parameters first; `removeQueryParameters` then has nothing left to do.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub clear_all: bool,
    /// Parameters to set, in order.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<QueryParameterConfig>>")]
    pub add_query_parameters: Vec<QueryParameterConfig>,
    /// Names of parameters to remove, last.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub remove_query_parameters: Vec<String>,
}

/// A parameter with its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryParameterConfig {
    /// Name of the parameter, raw as it stands in a query.
    pub name: String,
    /// Value with expressions, raw. A value that is null or cannot be evaluated changes nothing.
    #[serde(default)]
    pub value: Option<String>,
    /// Keeps the values that the parameter already has.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub append_to_existing_array: bool,
}
