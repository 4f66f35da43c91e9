//! Configuration of `metrics-reporter`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::header::HeaderConfig;

/// Where the account of an exchange is sent, and what it says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricsReporterConfig {
    /// Method: `POST`, `PUT` or `PATCH`. Default `POST`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ReportMethod>")]
    pub method: ReportMethod,
    /// URL, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub url: String,
    /// Headers, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderConfig>>")]
    pub headers: Vec<HeaderConfig>,
    /// Body: a FreeMarker template over `request`, `response` and `context`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub body: String,
    /// Whether the node's outbound proxy is used. Default false.
    pub use_system_proxy: Option<bool>,
}

/// Method of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

impl ReportMethod {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}
