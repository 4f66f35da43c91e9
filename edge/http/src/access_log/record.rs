//! What is told about one request.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Serialize, Serializer, ser::Error as _};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::analytics::ExchangeLog;

/// RFC 3339 in UTC with milliseconds.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// One answered request. Members that do not apply are left out of the line.
///
/// The names follow the request metrics of Gravitee (`gravitee-v4.md` §3.12), so that a pipeline
/// made for them finds the same facts.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessRecord {
    /// When the request arrived, in milliseconds since 1970.
    #[serde(serialize_with = "write_timestamp")]
    pub timestamp: u64,
    /// Id given by the edge.
    pub request_id: String,
    /// Id of the transaction: the client's, or the request id.
    pub transaction_id: String,
    /// API id; `None` if no API answers the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_id: Option<Arc<str>>,
    /// API name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_name: Option<Arc<str>>,
    /// Plan id, once a plan was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<Arc<str>>,
    /// Application id; `1` for an anonymous client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<Arc<str>>,
    /// Subscription id; the client's address for a keyless plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<Arc<str>>,
    /// The internal client identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// Kind of the plan's security (`API_KEY`, `KEY_LESS`); never the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_type: Option<&'static str>,
    /// Request method.
    pub http_method: String,
    /// `Host` as the client sent it.
    pub host: String,
    /// Raw path without the query, which may carry a key.
    pub uri: String,
    /// The API's name for the path, if it maps paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_path: Option<Arc<str>>,
    /// Protocol version.
    pub http_version: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Status sent to the client; 499 if it left before.
    pub status: u16,
    /// Client address, from `X-Forwarded-For` if present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// Address the client connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_address: Option<IpAddr>,
    /// URL of the endpoint that was called, without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Time from the call of the endpoint to its response head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_response_time_ms: Option<f64>,
    /// Time from arrival to the response head.
    pub gateway_response_time_ms: f64,
    /// The edge's own part of it.
    pub gateway_latency_ms: f64,
    /// Request body bytes announced by the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_content_length: Option<u64>,
    /// Response body bytes handed to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_content_length: Option<u64>,
    /// Error key of a failure; `CLIENT_ABORTED_DURING_RESPONSE_ERROR` with the status that was sent
    /// if the client left while it received the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_key: Option<String>,
    /// What went wrong, for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Metrics set by policies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_metrics: BTreeMap<String, serde_json::Value>,
    /// Messages of the exchange, if the API logs them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<ExchangeLog>>,
    /// Id of the edge.
    pub gateway: Arc<str>,
}

fn write_timestamp<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let nanos = i128::from(*millis) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(S::Error::custom)?;
    serializer.serialize_str(&time.format(TIMESTAMP).map_err(S::Error::custom)?)
}
