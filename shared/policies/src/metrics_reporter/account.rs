//! What a template sees of a finished exchange: its request, response and attributes, and the record's numbers.

use std::sync::Arc;

use serde_json::Value as Json;
use tidegate_expression::{Ambient, Lookup, Scope, Segment, Text, Value, ValueMap};
use tidegate_policy::Exchange;

use crate::variables::headers;

/// Facts of the exchange that templates read as attributes.
const FACTS: [&str; 8] = [
    "api",
    "api.name",
    "application",
    "context-path",
    "environment",
    "organization",
    "plan",
    "user-id",
];

/// Members of `request.metrics` by the members of the record.
const METRICS: [(&str, &str); 12] = [
    ("api", "api-id"),
    ("application", "application-id"),
    ("plan", "plan-id"),
    ("subscription", "subscription-id"),
    ("host", "host"),
    ("proxyResponseTimeMs", "gateway-response-time-ms"),
    ("proxyLatencyMs", "gateway-latency-ms"),
    ("apiResponseTimeMs", "endpoint-response-time-ms"),
    ("errorKey", "error-key"),
    ("mappedPath", "mapped-path"),
    ("endpoint", "endpoint"),
    ("customMetrics", "custom-metrics"),
];

/// Times of the record that the reference engine gives as whole milliseconds.
const TIMES: [&str; 3] = ["proxyResponseTimeMs", "proxyLatencyMs", "apiResponseTimeMs"];

/// What is taken from the exchange while it is still there.
#[derive(Debug)]
pub(super) struct Snapshot {
    request: ValueMap,
    metrics: ValueMap,
    response_headers: ValueMap,
    context: Value,
}

impl Snapshot {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let facts = &exchange.request;
        let mut request = ValueMap::new();
        for name in ["id", "requestId"] {
            request.insert(name, facts.id.clone());
        }
        request.insert("transactionId", facts.transaction_id.clone());
        request.insert("headers", headers(&facts.headers));
        request.insert("params", parameters(exchange));
        request.insert("method", facts.method.as_str());
        request.insert("uri", facts.path.uri());
        request.insert("path", facts.path.raw());
        request.insert("pathInfo", facts.path.info());
        request.insert("contextPath", facts.path.context_path());
        request.insert("scheme", facts.scheme);
        request.insert("host", facts.host());
        request.insert(
            "timestamp",
            i64::try_from(facts.timestamp_ms).unwrap_or(i64::MAX),
        );
        request.insert("localAddress", facts.local_address.ip().to_string());
        request.insert("remoteAddress", facts.remote_address.to_string());
        let mut metrics = ValueMap::new();
        metrics.insert("tenant", exchange.node.tenant.clone());
        metrics.insert("zone", exchange.node.zone.clone());
        metrics.insert("user", exchange.attribute("user"));
        let agent = facts.headers.find_text(&http::header::USER_AGENT);
        metrics.insert("userAgent", agent);
        Self {
            request,
            metrics,
            response_headers: headers(&exchange.response.headers),
            context: ValueMap::from_iter([("attributes", attributes(exchange))]).into(),
        }
    }

    /// The account, once the exchange's record is complete.
    pub(super) fn complete(&self, record: &Json, ambient: Arc<dyn Ambient>) -> Account {
        let member = |name: &str| record.get(name).map_or(Value::Null, Value::from);
        let mut metrics = self.metrics.clone();
        for (name, recorded) in METRICS {
            let value = member(recorded);
            let value = match value {
                Value::Float(time) if TIMES.contains(&name) => Value::Integer(whole(time)),
                other => other,
            };
            metrics.insert(name, value);
        }
        let length = |name: &str| match member(name) {
            Value::Null => Value::Integer(0),
            known => known,
        };
        let mut request = self.request.clone();
        request.insert("contentLength", length("request-content-length"));
        request.insert("metrics", metrics);
        let status = member("status");
        let reason = status
            .to_i64()
            .and_then(|status| u16::try_from(status).ok())
            .and_then(|status| http::StatusCode::from_u16(status).ok())
            .and_then(|status| status.canonical_reason());
        let mut response = ValueMap::new();
        for name in ["status", "statusCode"] {
            response.insert(name, status.clone());
        }
        for name in ["reason", "statusReason"] {
            response.insert(name, reason);
        }
        response.insert("headers", self.response_headers.clone());
        response.insert("contentLength", length("response-content-length"));
        Account {
            request: request.into(),
            response: response.into(),
            context: self.context.clone(),
            ambient,
        }
    }
}

/// Whole milliseconds of a time that is never negative.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float saturates, and such a time is years away"
)]
fn whole(time: f64) -> i64 {
    time.round() as i64
}

fn parameters(exchange: &Exchange) -> ValueMap {
    let mut grouped: Vec<(Text, Vec<Value>)> = Vec::new();
    for parameter in exchange.request.query.parameters() {
        let value = Value::from(parameter.value.clone());
        match grouped.iter_mut().find(|(name, _)| *name == parameter.name) {
            Some((_, values)) => values.push(value),
            None => grouped.push((parameter.name.clone(), vec![value])),
        }
    }
    let grouped = grouped.into_iter();
    grouped
        .map(|(name, values)| (name, Value::list(values)))
        .collect()
}

/// Attributes as set, and platform attributes without their prefix too.
fn attributes(exchange: &Exchange) -> ValueMap {
    let mut map = ValueMap::new();
    for name in FACTS {
        map.insert(name, exchange.attribute(name));
    }
    for (name, value) in exchange.attributes.iter() {
        if let Some(plain) = name.strip_prefix("gravitee.attribute.") {
            map.insert(plain, value.clone());
        }
        map.insert(name, value.clone());
    }
    map
}

/// The scope of a report.
#[derive(Debug)]
pub(super) struct Account {
    request: Value,
    response: Value,
    context: Value,
    ambient: Arc<dyn Ambient>,
}

impl Scope for Account {
    fn lookup(&self, variable: &str, _path: &[Segment]) -> Lookup {
        let value = match variable {
            "request" => &self.request,
            "response" => &self.response,
            "context" => &self.context,
            _ => return Lookup::Undefined,
        };
        Lookup::found(value.clone(), 0)
    }

    fn ambient(&self) -> &dyn Ambient {
        &*self.ambient
    }
}
