//! Configuration of `rbac`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Lets only users with certain roles through.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RbacConfig {
    /// Roles that are asked for; without any, a user who has roles at all passes.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub roles: Vec<String>,
    /// Whether the user needs all of the roles; otherwise one is enough. True if nothing is said.
    #[serde(default)]
    pub strict: Option<bool>,
}
