//! Configuration of `shared-policy-group-policy`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Runs the steps of a shared policy group in place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SharedPolicyGroupConfig {
    /// Id or cross id of the group; it must be deployed.
    pub shared_policy_group_id: Option<String>,
}
