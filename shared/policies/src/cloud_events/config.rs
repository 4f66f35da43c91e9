//! Configuration of `cloud-events`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Makes messages of the form of CloudEvents; what is not said is taken from headers of the message.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CloudEventsConfig {
    /// Id of the event, with expressions; else the header `ce_id`, else a random one.
    pub id: Option<String>,
    /// Type of the event, with expressions; else the header `ce_type`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Where the event comes from, with expressions; else the header `ce_source`.
    pub source: Option<String>,
    /// What the event is about, with expressions; else the header `ce_subject`.
    pub subject: Option<String>,
    /// More attributes by name, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub extensions: BTreeMap<String, String>,
}
