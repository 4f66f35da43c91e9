//! Flows of an API and of its plans: selectors, phases, path parameters.

use std::collections::HashSet;

use super::messages::is_token;
use crate::{
    api::{Api, ApiKind, Flow, PathOperator, Selector},
    read::{At, Findings},
};

pub(super) fn check(_root: &At<'_>, api: &Api, findings: &Findings) {
    let own = api
        .flows
        .iter()
        .enumerate()
        .map(|(i, flow)| (format!("flows[{i}]"), flow));
    let of_plans = api.plans.iter().enumerate().flat_map(|(p, plan)| {
        let at = move |(i, flow)| (format!("plans[{p}].flows[{i}]"), flow);
        plan.flows.iter().enumerate().map(at)
    });
    let flows: Vec<(String, &Flow)> = own.chain(of_plans).collect();
    for (path, flow) in &flows {
        check_selectors(api.kind, flow, path, findings);
        check_phases(api.kind, flow, path, findings);
    }
    check_parameters(&flows, findings);
}

fn check_selectors(kind: ApiKind, flow: &Flow, path: &str, findings: &Findings) {
    let mut seen = HashSet::new();
    for (index, selector) in flow.selectors.iter().enumerate() {
        let path = format!("{path}.selectors[{index}]");
        if !seen.insert(selector.kind()) {
            let expected = "at most one selector of each type";
            findings.report_text(format!("{path}.type"), selector.kind(), expected);
        }
        let is_allowed = match selector {
            Selector::Http { .. } | Selector::Condition { .. } => kind != ApiKind::Native,
            Selector::Channel { .. } => kind == ApiKind::Message,
            Selector::Other(_) => true,
        };
        if !is_allowed {
            let expected = format!("a selector for an API of type {}", kind.as_str());
            findings.report_text(format!("{path}.type"), selector.kind(), expected);
        }
        if let Selector::Http { methods, .. } = selector {
            let unusable = |(_, method): &(usize, &String)| !is_token(method);
            for (index, method) in methods.iter().enumerate().filter(unusable) {
                findings.report_text(format!("{path}.methods[{index}]"), method, "a method");
            }
        }
    }
}

fn check_phases(kind: ApiKind, flow: &Flow, path: &str, findings: &Findings) {
    let allowed: &[&str] = match kind {
        ApiKind::Proxy => &["request", "response"],
        ApiKind::Message => &["request", "response", "publish", "subscribe"],
        ApiKind::Native => &["connect", "interact", "publish", "subscribe"],
    };
    for (phase, steps) in flow.phases() {
        if !steps.is_empty() && !allowed.contains(&phase) {
            let found = format!("{} steps", steps.len());
            let expected = format!("no {phase} steps in an API of type {}", kind.as_str());
            findings.report_text(format!("{path}.{phase}"), &found, expected);
        }
    }
}

/// A selector whose path has parameters.
struct Pattern<'a> {
    path: String,
    text: &'a str,
    segments: Vec<&'a str>,
    operator: PathOperator,
    methods: &'a [String],
}

/// Path parameters are extracted before it is known which flow matches, so two flows that may match the same path
/// must call the same segment by the same name.
fn check_parameters(flows: &[(String, &Flow)], findings: &Findings) {
    let mut patterns: Vec<Pattern<'_>> = Vec::new();
    for (path, flow) in flows.iter().filter(|(_, flow)| flow.enabled) {
        for (index, selector) in flow.selectors.iter().enumerate() {
            let Selector::Http {
                path: text,
                path_operator,
                methods,
            } = selector
            else {
                continue;
            };
            let segments: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
            if !segments.iter().any(|segment| segment.starts_with(':')) {
                continue;
            }
            let pattern = Pattern {
                path: format!("{path}.selectors[{index}].path"),
                text,
                segments,
                operator: *path_operator,
                methods,
            };
            if let Some(other) = patterns.iter().find(|other| is_ambiguous(&pattern, other)) {
                let expected = format!(
                    "the parameter names of the overlapping path {:?} ({})",
                    other.text, other.path
                );
                findings.report_text(&pattern.path, pattern.text, expected);
            }
            patterns.push(pattern);
        }
    }
}

fn is_ambiguous(a: &Pattern<'_>, b: &Pattern<'_>) -> bool {
    let shares_method = a.methods.is_empty()
        || b.methods.is_empty()
        || a.methods.iter().any(|method| b.methods.contains(method));
    let shares_length = match (a.operator, b.operator) {
        (PathOperator::Equals, PathOperator::Equals) => a.segments.len() == b.segments.len(),
        (PathOperator::Equals, PathOperator::StartsWith) => a.segments.len() >= b.segments.len(),
        (PathOperator::StartsWith, PathOperator::Equals) => a.segments.len() <= b.segments.len(),
        (PathOperator::StartsWith, PathOperator::StartsWith) => true,
    };
    if !shares_method || !shares_length {
        return false;
    }
    let mut differs = false;
    for (a, b) in a.segments.iter().zip(&b.segments) {
        match (a.strip_prefix(':'), b.strip_prefix(':')) {
            (Some(a), Some(b)) => differs |= a != b,
            (None, None) if a != b => return false,
            _ => {}
        }
    }
    differs
}
