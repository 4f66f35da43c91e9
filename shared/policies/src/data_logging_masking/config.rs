//! Configuration of `policy-data-logging-masking`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Hides parts of logged headers and bodies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataLoggingMaskingConfig {
    /// Headers whose values are hidden.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderRuleConfig>>")]
    pub header_rules: Vec<HeaderRuleConfig>,
    /// Parts of bodies that are hidden, in order.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<BodyRuleConfig>>")]
    pub body_rules: Vec<BodyRuleConfig>,
}

/// A header whose values are hidden.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderRuleConfig {
    /// Name of the header; case does not matter.
    pub path: String,
    /// What stands for each character; `*` if nothing is said.
    #[serde(default)]
    pub replacer: Option<String>,
}

/// A part of a body that is hidden.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BodyRuleConfig {
    /// Where the rule applies in a JSON body, such as `$.customer.email` or `$.cards[*].number`; the whole
    /// body, of any type, if nothing is said.
    #[serde(default)]
    pub path: Option<String>,
    /// What is hidden.
    #[serde(rename = "type", default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<MaskedKind>")]
    pub kind: MaskedKind,
    /// Regular expression of what is hidden, for `CUSTOM`; everything at `path` if nothing is said.
    #[serde(default)]
    pub regex: Option<String>,
    /// What stands for each character; `*` if nothing is said.
    #[serde(default)]
    pub replacer: Option<String>,
}

/// What a rule finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MaskedKind {
    /// What `regex` matches.
    #[default]
    Custom,
    /// Numbers of payment cards.
    CreditCard,
    /// Addresses of electronic mail.
    Email,
    /// IP addresses.
    Ip,
    /// URLs.
    Uri,
}
