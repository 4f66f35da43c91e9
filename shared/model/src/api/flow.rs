//! Policy chains and when they run.

use serde_json::Value;

use crate::{
    Notice,
    read::{Fields, Report, find_label},
};

/// A chain of steps for the exchanges its selectors match.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Identifier, may be empty.
    pub id: String,
    /// Name, may be empty.
    pub name: String,
    /// False to leave it out.
    pub enabled: bool,
    /// All must match; none matches everything.
    pub selectors: Vec<Selector>,
    /// Steps on the request.
    pub request: Vec<Step>,
    /// Steps on the response.
    pub response: Vec<Step>,
    /// Steps on each message towards the backend.
    pub publish: Vec<Step>,
    /// Steps on each message towards the client.
    pub subscribe: Vec<Step>,
    /// Steps on a native connection.
    pub connect: Vec<Step>,
    /// Steps on each native request.
    pub interact: Vec<Step>,
    /// For people; without effect.
    pub tags: Vec<String>,
}

impl Flow {
    /// The phases in document order, with the member each is written in.
    #[must_use]
    pub fn phases(&self) -> [(&'static str, &[Step]); 6] {
        [
            ("request", &self.request),
            ("response", &self.response),
            ("publish", &self.publish),
            ("subscribe", &self.subscribe),
            ("connect", &self.connect),
            ("interact", &self.interact),
        ]
    }
}

/// When a flow runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// By path and method.
    Http {
        /// May contain `:parameters`.
        path: String,
        /// How the path is compared.
        path_operator: PathOperator,
        /// Empty for any.
        methods: Vec<String>,
    },
    /// By channel of a message API.
    Channel {
        /// May contain `:parameters`.
        channel: String,
        /// How the channel is compared.
        channel_operator: PathOperator,
        /// `publish`, `subscribe`; empty for both.
        operations: Vec<String>,
        /// Entrypoint ids; empty for all.
        entrypoints: Vec<String>,
    },
    /// By expression.
    Condition {
        /// Expression that gives a boolean.
        condition: String,
    },
    /// A type this build does not know; it never matches.
    Other(Value),
}

impl Selector {
    /// The label of the selector's type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Http { .. } => "http",
            Self::Channel { .. } => "channel",
            Self::Condition { .. } => "condition",
            Self::Other(value) => value["type"].as_str().unwrap_or_default(),
        }
    }
}

/// How a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PathOperator {
    /// At the beginning, not bound to a segment.
    #[default]
    StartsWith,
    /// As a whole.
    Equals,
}

impl PathOperator {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] =
        &[("STARTS_WITH", Self::StartsWith), ("EQUALS", Self::Equals)];
}

/// One policy in a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Policy id.
    pub policy: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// False to leave it out.
    pub enabled: bool,
    /// Configuration of the policy.
    pub configuration: Value,
    /// Expression over the exchange; the step runs if it holds.
    pub condition: Option<String>,
    /// Expression over each message.
    pub message_condition: Option<String>,
}

/// How flows are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowExecution {
    /// All that match, or the best one.
    pub mode: FlowMode,
    /// True to refuse requests that no flow matches.
    pub match_required: bool,
}

/// Which of the matching flows run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FlowMode {
    /// All, in order.
    #[default]
    Default,
    /// The one whose path fits best.
    BestMatch,
}

impl FlowMode {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] =
        &[("default", Self::Default), ("best-match", Self::BestMatch)];
}

pub(super) fn read_execution(fields: &mut Fields<'_, '_>) -> FlowExecution {
    let Some(value) = fields.value("flowExecution") else {
        return FlowExecution::default();
    };
    let path = fields.path_of("flowExecution");
    let Some(mut execution) = Fields::of(value, path, fields.report()) else {
        return FlowExecution::default();
    };
    let read = FlowExecution {
        mode: execution.lenient_label("mode", FlowMode::LABELS, FlowMode::Default),
        match_required: execution.flag("matchRequired", false),
    };
    execution.finish();
    read
}

pub(super) fn read(value: &Value, path: &str, report: &Report) -> Option<Flow> {
    let mut fields = Fields::of(value, path, report)?;
    let flow = Flow {
        id: fields.text("id").unwrap_or_default(),
        name: fields.text("name").unwrap_or_default(),
        enabled: fields.flag("enabled", true),
        selectors: fields.each("selectors", read_selector),
        request: fields.each("request", read_step),
        response: fields.each("response", read_step),
        publish: fields.each("publish", read_step),
        subscribe: fields.each("subscribe", read_step),
        connect: fields.each("connect", read_step),
        interact: fields.each("interact", read_step),
        tags: fields.texts("tags"),
    };
    fields.finish();
    Some(flow)
}

/// Types of selectors, as documents spell them.
pub(crate) const SELECTOR_LABELS: &[(&str, &str)] = &[
    ("http", "http"),
    ("channel", "channel"),
    ("condition", "condition"),
    ("mcp", "mcp"),
];

fn read_selector(value: &Value, path: &str, report: &Report) -> Option<Selector> {
    let mut fields = Fields::of(value, path, report)?;
    let kind = fields.required_text("type");
    let selector = match find_label(&kind, SELECTOR_LABELS) {
        Some("http") => Selector::Http {
            path: fields.text("path").unwrap_or_else(|| "/".to_owned()),
            path_operator: fields.lenient_label(
                "pathOperator",
                PathOperator::LABELS,
                PathOperator::StartsWith,
            ),
            methods: fields
                .texts("methods")
                .iter()
                .map(|method| method.to_uppercase())
                .collect(),
        },
        Some("channel") => Selector::Channel {
            channel: fields.text("channel").unwrap_or_else(|| "/".to_owned()),
            channel_operator: fields.lenient_label(
                "channelOperator",
                PathOperator::LABELS,
                PathOperator::StartsWith,
            ),
            operations: lower(fields.texts("operations")),
            entrypoints: fields.texts("entrypoints"),
        },
        Some("condition") => Selector::Condition {
            condition: fields.required_text("condition"),
        },
        _ => {
            let message = format!("selector type {kind:?} is unknown: kept, but it never matches");
            report.notice(Notice::new("unknown-selector", path, message));
            return Some(Selector::Other(value.clone()));
        }
    };
    fields.finish();
    Some(selector)
}

fn lower(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(|text| text.to_lowercase()).collect()
}

fn read_step(value: &Value, path: &str, report: &Report) -> Option<Step> {
    let mut fields = Fields::of(value, path, report)?;
    // The Kubernetes form may refer to a shared group instead of naming a policy.
    let policy = match (fields.text("policy"), fields.value("sharedPolicyGroupRef")) {
        (Some(policy), _) => policy,
        (None, Some(_)) => "shared-policy-group-policy".to_owned(),
        (None, None) => fields.required_text("policy"),
    };
    let step = Step {
        policy,
        name: fields.text("name").unwrap_or_default(),
        description: fields.text("description").unwrap_or_default(),
        enabled: fields.flag("enabled", true),
        configuration: fields.configuration("configuration"),
        condition: fields
            .text("condition")
            .filter(|text| !text.trim().is_empty()),
        message_condition: fields
            .text("messageCondition")
            .filter(|text| !text.trim().is_empty()),
    };
    fields.finish();
    Some(step)
}
