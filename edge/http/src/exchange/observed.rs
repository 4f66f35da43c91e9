//! The access record of an exchange, written when the last byte of the response was handed over.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, Version, header::CONTENT_LENGTH, header::HOST};
use http_body::Body as _;
use tidegate_expression::Value;
use tidegate_policy::{Exchange, NodeFacts, Reporting, Services};

use super::{Arrival, forwarded::TransactionIds, life::Life};
use crate::{
    access_log::{AccessLog, AccessRecord},
    analytics::Capture,
    body::{BodyEnd, BodyError},
    message::RequestParts,
    metrics::WorkerMetrics,
    server::{ConnectionFacts, Reply},
};

/// Key of a response that the client did not wait for.
pub(super) const CLIENT_ABORTED: &str = "CLIENT_ABORTED_DURING_RESPONSE_ERROR";

/// Key of a response that the endpoint broke off after its head.
const UPSTREAM_ABORTED: &str = "UPSTREAM_ABORTED_DURING_RESPONSE";

/// Stands for an API or application that nobody knows.
const UNKNOWN: &str = "1";

/// What a record keeps of the request as it arrived.
pub(super) struct Head {
    method: String,
    host: String,
    uri: String,
    version: &'static str,
    length: Option<u64>,
}

impl Head {
    pub(super) fn of(request: &RequestParts) -> Self {
        let text = |name| request.headers.find_text(name);
        Self {
            method: request.method.as_str().to_owned(),
            host: text(&HOST).unwrap_or_default().to_owned(),
            uri: request.uri.path().to_owned(),
            version: version(request.version),
            length: text(&CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        }
    }

    /// The same of a request that policies may have changed since.
    pub(super) fn of_exchange(exchange: &Exchange) -> Self {
        let request = &exchange.request;
        Self {
            method: request.method.as_str().to_owned(),
            host: request.host().to_owned(),
            uri: request.path.raw().to_owned(),
            version: version(request.version),
            length: None,
        }
    }

    /// The record of a request that no API answers.
    pub(super) fn unrouted(
        self,
        ids: &TransactionIds,
        connection: &ConnectionFacts,
        node: &NodeFacts,
        arrival: Arrival,
    ) -> Box<AccessRecord> {
        let elapsed = millis(arrival.instant.elapsed());
        Box::new(AccessRecord {
            timestamp: arrival.timestamp_ms,
            request_id: lossy(ids.request.as_bytes()),
            transaction_id: lossy(ids.transaction.as_bytes()),
            http_method: self.method,
            host: self.host,
            uri: self.uri,
            http_version: self.version,
            scheme: if connection.tls.is_some() {
                "https"
            } else {
                "http"
            },
            api_id: Some(Arc::from(UNKNOWN)),
            application_id: Some(Arc::from(UNKNOWN)),
            status: StatusCode::NOT_FOUND.as_u16(),
            remote_address: Some(connection.remote.ip().to_string()),
            local_address: Some(connection.local.ip()),
            gateway_response_time_ms: elapsed,
            gateway_latency_ms: elapsed,
            request_content_length: self.length,
            gateway: Arc::from(node.id.as_str()),
            ..AccessRecord::default()
        })
    }

    /// The record of an answered request.
    pub(super) fn record(
        self,
        life: &Life<'_>,
        status: StatusCode,
        arrival: Arrival,
    ) -> Box<AccessRecord> {
        let exchange = &life.exchange;
        let shared = |text: &str| Some(Arc::from(text));
        let elapsed = arrival.instant.elapsed();
        let called = life.transfer.called.as_ref();
        let endpoint_time = called.map(|called| called.duration);
        let error = life.error.as_deref();
        Box::new(AccessRecord {
            timestamp: arrival.timestamp_ms,
            request_id: lossy(life.ids.request.as_bytes()),
            transaction_id: lossy(life.ids.transaction.as_bytes()),
            api_id: shared(&exchange.api.id),
            api_name: shared(&exchange.api.name),
            plan_id: exchange.plan.as_ref().and_then(|plan| shared(&plan.id)),
            application_id: exchange.subscription.as_ref().map_or_else(
                || shared(UNKNOWN),
                |subscription| shared(&subscription.application),
            ),
            subscription_id: exchange
                .subscription
                .as_ref()
                .and_then(|subscription| shared(&subscription.id)),
            client_identifier: life
                .client_identifier
                .as_ref()
                .map(|identifier| lossy(identifier.as_bytes())),
            security_type: life.plan.map(|plan| plan.security.kind()),
            http_method: self.method,
            host: self.host,
            uri: self.uri,
            mapped_path: mapped_path(exchange),
            http_version: self.version,
            scheme: exchange.request.scheme,
            status: status.as_u16(),
            remote_address: Some(exchange.request.remote_address.to_string()),
            local_address: Some(exchange.request.local_address.ip()),
            endpoint: called.map(|called| {
                let scheme = if called.target.options().tls.is_some() {
                    "https"
                } else {
                    "http"
                };
                let authority = lossy(called.target.authority().as_bytes());
                format!(
                    "{scheme}://{authority}{}",
                    called.path.as_deref().unwrap_or("")
                )
            }),
            endpoint_response_time_ms: endpoint_time.map(millis),
            gateway_response_time_ms: millis(elapsed),
            gateway_latency_ms: millis(elapsed.saturating_sub(endpoint_time.unwrap_or_default())),
            request_content_length: self.length,
            error_key: error
                .and_then(|error| error.key.as_deref())
                .map(str::to_owned),
            error_message: error.and_then(|error| {
                let message = error.message.as_deref().map(str::to_owned);
                error.cause.clone().or(message)
            }),
            gateway: Arc::from(exchange.node.id.as_str()),
            ..AccessRecord::default()
        })
    }
}

/// A record with what becomes of it when the exchange is over.
pub(super) struct Account {
    pub(super) record: Box<AccessRecord>,
    capture: Option<Box<Capture>>,
    reporting: Option<Box<Reporting>>,
    log: Option<AccessLog>,
    metrics: Arc<WorkerMetrics>,
    /// Present if policies want to be told.
    services: Option<Services>,
}

impl Account {
    /// The account of a request that only the log hears of.
    pub(super) fn logged(
        record: Box<AccessRecord>,
        log: &AccessLog,
        metrics: &Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            record,
            capture: None,
            reporting: None,
            log: Some(log.clone()),
            metrics: Arc::clone(metrics),
            services: None,
        }
    }

    /// The account of an exchange, with what policies added to it.
    pub(super) fn of_exchange(
        record: Box<AccessRecord>,
        life: &mut Life<'_>,
        log: Option<&AccessLog>,
        metrics: &Arc<WorkerMetrics>,
        services: &Services,
    ) -> Self {
        let reporting = life.exchange.reporting.take();
        let is_reported = reporting
            .as_deref()
            .is_some_and(|reporting| !reporting.reporters.is_empty());
        Self {
            record,
            capture: life.transfer.capture.take(),
            services: is_reported.then(|| services.clone()),
            reporting,
            log: log.cloned(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Completes the record and hands it over.
    fn close(self, bytes: u64, error: Option<&'static str>) {
        let mut record = self.record;
        record.response_content_length = Some(bytes);
        if let Some(error) = error {
            record.error_key = Some(error.to_owned());
        }
        let masks = self
            .reporting
            .as_ref()
            .map_or(&[][..], |reporting| &reporting.masks);
        record.log = self.capture.map(|capture| Box::new(capture.finish(masks)));
        if let Some(reporting) = &self.reporting {
            for (name, value) in &reporting.metrics {
                let value = plain(value);
                record
                    .custom_metrics
                    .insert(name.as_str().to_owned(), value);
            }
            if let Some(services) = &self.services
                && let Ok(value) = serde_json::to_value(&*record)
            {
                for reporter in &reporting.reporters {
                    reporter.report(&value, services);
                }
            }
        }
        if let Some(log) = &self.log
            && log.record(record).is_err()
        {
            self.metrics.access_log_dropped();
        }
    }
}

/// A metric as JSON: numbers and flags stay what they are.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        other => other.to_text().as_deref().unwrap_or_default().into(),
    }
}

fn mapped_path(exchange: &Exchange) -> Option<Arc<str>> {
    let mapped = exchange.attributes.get_platform("mapped-path")?.to_text()?;
    Some(Arc::from(mapped.as_str()))
}

/// Closes the account once the response is complete or given up. `is_bodyless` tells that the
/// response has no content whatever its body says: an answer to HEAD.
pub(super) fn close_when_sent(reply: Reply, account: Account, is_bodyless: bool) -> Reply {
    match reply {
        Reply::Response(response) => {
            let status = response.status;
            let is_bodyless =
                is_bodyless || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
            Reply::Response(response.map(|body| {
                if is_bodyless || body.is_end_stream() {
                    account.close(0, None);
                    return body;
                }
                body.observed(move |bytes, end| account.close(bytes, error_key(end)))
            }))
        }
        upgrade @ Reply::Upgrade { .. } => {
            account.close(0, None);
            upgrade
        }
    }
}

/// Closes the account of a request whose client left before it was answered.
pub(super) fn close_abandoned(account: Account) {
    account.close(0, Some(CLIENT_ABORTED));
}

fn error_key(end: BodyEnd<'_>) -> Option<&'static str> {
    match end {
        BodyEnd::Complete => None,
        BodyEnd::Abandoned | BodyEnd::Failed(BodyError::ClientAborted) => Some(CLIENT_ABORTED),
        BodyEnd::Failed(_) => Some(UPSTREAM_ABORTED),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}
