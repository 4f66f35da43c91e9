//! Configuration of `ip-filtering`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Lets only some addresses through.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IpFilteringConfig {
    /// Whether every address of `X-Forwarded-For` is looked at instead of the client's.
    #[serde(rename = "matchAllFromXForwardedFor")]
    pub match_all_from_x_forwarded_for: Option<bool>,
    /// Whether `customIPAddress` is looked at instead of the client's address.
    #[serde(rename = "useCustomIPAddress")]
    pub use_custom_ip_address: Option<bool>,
    /// Addresses between commas, with expressions.
    #[serde(rename = "customIPAddress")]
    pub custom_ip_address: Option<String>,
    /// If not empty, only these pass: addresses, ranges such as `10.0.0.0/8`, host names, lists of them
    /// between commas, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub whitelist_ips: Vec<String>,
    /// These are refused; written as in `whitelistIps`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub blacklist_ips: Vec<String>,
    /// Which addresses of host names count; nothing said is all.
    pub lookup_ip_version: Option<IpVersion>,
    /// Whether the first and last address of an IPv4 range belong to it. False if nothing is said.
    pub is_inclusive_host_count: Option<bool>,
}

/// Which addresses of host names count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IpVersion {
    /// Version 4 only.
    Ipv4,
    /// Version 6 only.
    Ipv6,
    /// Both.
    #[default]
    All,
}
