//! What is measured and logged. Source: `gravitee-v4.md` §1.8.

use serde_json::Value;

use crate::{
    api::{Api, ApiKind},
    limits,
    read::{At, Findings, is_same_label},
};

/// The switches of message logs, by group.
const SWITCHES: &[(&str, &[&str])] = &[
    ("mode", &["entrypoint", "endpoint"]),
    ("phase", &["request", "response"]),
    (
        "content",
        &[
            "headers",
            "payload",
            "messageHeaders",
            "messagePayload",
            "messageMetadata",
        ],
    ),
];
/// Fewest messages between two that are reported.
const COUNT_MIN: i64 = 10;
/// Highest share of messages that are reported.
const PROBABILITY_MAX: f64 = 0.5;

pub(super) fn check(root: &At<'_>, api: &Api, findings: &Findings) {
    let Some(analytics) = object(root, "analytics") else {
        return;
    };
    if let Some(logging) = object(&analytics, "logging") {
        check_logging(&logging, api.kind);
    }
    if let Some(tracing) = object(&analytics, "tracing") {
        tracing.flag("enabled", false);
        tracing.flag("verbose", false);
    }
    if let Some(sampling) = object(&analytics, "messageSampling") {
        check_sampling(&sampling, api.kind, findings);
    }
}

/// The member `name` if it is an object; another kind of value was reported when the document was read.
fn object<'a>(at: &At<'a>, name: &str) -> Option<At<'a>> {
    at.member(name).filter(|member| member.value().is_object())
}

fn check_logging(logging: &At<'_>, kind: ApiKind) {
    logging.text("condition", limits::LONG_TEXT);
    logging.text("messageCondition", limits::LONG_TEXT);
    for (group, names) in SWITCHES {
        let Some(group) = logging.member(group) else {
            continue;
        };
        if group.members().is_none() {
            continue;
        }
        for name in *names {
            let is_on = group.flag(name, false);
            let fits = match kind {
                ApiKind::Proxy => !name.starts_with("message"),
                ApiKind::Message => *name != "payload",
                ApiKind::Native => true,
            };
            if let Some(switch) = group.member(name).filter(|_| is_on && !fits) {
                switch.fail(format!("false in an API of type {}", kind.as_str()));
            }
        }
    }
}

fn check_sampling(sampling: &At<'_>, kind: ApiKind, findings: &Findings) {
    let Some(strategy) = sampling.text("type", limits::NAME) else {
        return;
    };
    if kind == ApiKind::Proxy {
        let path = sampling.path_of("type");
        findings.report_text(path, &strategy, "no sampling: a proxy API has no messages");
        return;
    }
    let Some(value) = sampling.member("value") else {
        return;
    };
    let is = |label: &str| is_same_label(label, &strategy);
    let text = match value.value() {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if is("count") {
        if !text.parse::<i64>().is_ok_and(|count| count >= COUNT_MIN) {
            value.fail(format!("a whole number of messages from {COUNT_MIN}"));
        }
    } else if is("probability") {
        let is_share = |share: f64| (0.0..=PROBABILITY_MAX).contains(&share);
        if !text.parse::<f64>().is_ok_and(is_share) {
            value.fail(format!("a share from 0 to {PROBABILITY_MAX}"));
        }
    } else if is("temporal") {
        if !text.starts_with('P') {
            value.fail("an ISO 8601 duration of at least a second, such as PT1S");
        }
    } else {
        let path = sampling.path_of("type");
        findings.report_text(path, &strategy, "count, probability or temporal");
    }
}
