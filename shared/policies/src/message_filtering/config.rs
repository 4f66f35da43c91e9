//! Configuration of `message-filtering`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Lets only messages through for which a condition holds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageFilteringConfig {
    /// The condition. One that gives text without a message gives the condition of each message.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub filter: String,
    /// Whether messages that are held back count as delivered. Default true.
    pub ack_filtered_message: Option<bool>,
    /// Whether a message for which the condition cannot be evaluated is held back. Default true.
    pub filter_message_on_filtering_error: Option<bool>,
}
