//! Settings of an API as a whole: how flows are chosen, failover, analytics, response templates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::endpoint::Service;
use crate::{
    limits,
    read::{At, Label},
};

/// How the flows of an API and of its plans are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowExecution {
    /// All matching flows, or the best.
    pub mode: FlowMode,
    /// Whether a request that no flow matches is refused with 404.
    pub match_required: bool,
}

/// Which matching flows run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowMode {
    /// All of them, in order.
    #[default]
    Default,
    /// The one whose path fits best.
    BestMatch,
}

impl Label for FlowMode {
    const LABELS: &'static [(&'static str, Self)] =
        &[("default", Self::Default), ("best-match", Self::BestMatch)];
}

/// Retries on other endpoints, guarded by a circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Whether it is on.
    pub enabled: bool,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Milliseconds to the first byte of a response after which an attempt has failed.
    pub slow_call_duration_ms: u32,
    /// Milliseconds the circuit stays open.
    pub open_state_duration_ms: u32,
    /// Failures in a row that open the circuit.
    pub max_failures: u32,
    /// One circuit per subscription instead of one per API.
    pub per_subscription: bool,
}

/// What is measured and logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Analytics {
    /// Whether anything is.
    pub enabled: bool,
    /// Which requests are logged and how much of them, as in the document.
    pub logging: Value,
    /// Which messages are reported, as in the document.
    pub message_sampling: Value,
    /// Whether spans are made, as in the document.
    pub tracing: Value,
}

impl Default for Analytics {
    fn default() -> Self {
        Self {
            enabled: true,
            logging: Value::Object(serde_json::Map::new()),
            message_sampling: Value::Object(serde_json::Map::new()),
            tracing: Value::Object(serde_json::Map::new()),
        }
    }
}

/// Services that run beside an API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiServices {
    /// Fills properties from elsewhere.
    pub dynamic_property: Option<Service>,
}

/// Error key → media type → template.
pub type ResponseTemplates = BTreeMap<String, BTreeMap<String, ResponseTemplate>>;

/// What a client gets instead of the default error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseTemplate {
    /// The status code; `None` keeps that of the error.
    pub status: Option<u16>,
    /// Headers, taken literally.
    pub headers: BTreeMap<String, String>,
    /// The body; may hold expressions.
    pub body: Option<String>,
    /// Whether the error key reaches the log.
    pub propagate_error_key_to_logs: bool,
}

impl FlowExecution {
    pub(crate) fn read(at: &At<'_>) -> Self {
        if at.members().is_none() {
            return Self::default();
        }
        Self {
            mode: at.label("mode", FlowMode::default()),
            match_required: at.flag("matchRequired", false),
        }
    }
}

impl Failover {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let duration = |name, default| at.natural(name, (1, 86_400_000), default);
        Some(Self {
            enabled: at.flag("enabled", false),
            max_retries: at.natural("maxRetries", (0, 100), 2),
            slow_call_duration_ms: duration("slowCallDuration", 2000),
            open_state_duration_ms: duration("openStateDuration", 10_000),
            max_failures: at.natural("maxFailures", (1, 10_000), 5),
            per_subscription: at.flag("perSubscription", true),
        })
    }
}

impl Analytics {
    pub(crate) fn read(at: &At<'_>) -> Self {
        if at.members().is_none() {
            return Self::default();
        }
        Self {
            enabled: at.flag("enabled", true),
            logging: at.object("logging"),
            message_sampling: at.object("messageSampling"),
            tracing: at.object("tracing"),
        }
    }
}

impl ApiServices {
    pub(crate) fn read(at: &At<'_>) -> Self {
        if at.members().is_none() {
            return Self::default();
        }
        let dynamic_property = at
            .member("dynamicProperty")
            .and_then(|at| Service::read(&at));
        Self { dynamic_property }
    }
}

/// Reads the map of response templates.
pub(crate) fn read_response_templates(at: &At<'_>) -> ResponseTemplates {
    let keys = at.entries();
    if keys.len() > limits::TEMPLATE_KEYS {
        at.fail(format!("at most {} error keys", limits::TEMPLATE_KEYS));
    }
    let by_media_type = |at: &At<'_>| {
        let templates = at.entries();
        if templates.len() > limits::TEMPLATE_ITEMS {
            at.fail(format!("at most {} media types", limits::TEMPLATE_ITEMS));
        }
        let read =
            |(media, at): (&str, At<'_>)| Some((media.to_owned(), ResponseTemplate::read(&at)?));
        templates.into_iter().filter_map(read).collect()
    };
    keys.into_iter()
        .map(|(key, at)| (key.to_owned(), by_media_type(&at)))
        .collect()
}

impl ResponseTemplate {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let headers = at
            .member("headers")
            .map(|headers| headers.entries())
            .unwrap_or_default();
        if headers.len() > limits::TEMPLATE_ITEMS {
            at.fail(format!("at most {} headers", limits::TEMPLATE_ITEMS));
        }
        let header = |(name, at): (&str, At<'_>)| Some((name.to_owned(), at.as_text(limits::URL)?));
        let status = at
            .member("status")
            .map(|_| at.natural("status", (100, 599), 500));
        Some(Self {
            status: status.and_then(|status| u16::try_from(status).ok()),
            headers: headers.into_iter().filter_map(header).collect(),
            body: at.text("body", limits::LONG_TEXT),
            propagate_error_key_to_logs: at.flag("propagateErrorKeyToLogs", false),
        })
    }
}
