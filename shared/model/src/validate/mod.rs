//! The rules between the parts of a definition, one file per group of rules. All violations are reported, never
//! only the first.
//!
//! Not here: policy configuration (each policy checks its own) and the syntax of expressions.

use serde_json::Value;

use crate::{
    api::{Api, PlanStatus},
    read::{At, Findings},
    violation::Violation,
};

mod analytics;
mod claims;
mod endpoints;
mod flows;
mod identity;
mod listeners;
mod messages;
mod operator_templates;
mod plans;
mod services;
#[cfg(test)]
mod tests;

pub use claims::{ListenerClaim, listener_claims};
pub use operator_templates::operator_templates;

/// What came out of checking a document.
#[derive(Debug)]
pub struct Checked {
    /// The API, as far as it could be read; `None` when the document is no object. Parts that left a violation may be
    /// missing from it.
    pub api: Option<Api>,
    /// Every violation, at most 200.
    pub violations: Vec<Violation>,
}

/// Checks a canonical document against every rule and against the listeners of the `others` in its environment.
///
/// Claims of the API itself among `others` (same id) are ignored, so the full list of an environment may be given.
/// A value that a template of the Kubernetes operator stands for is unknown and breaks no rule; what keeps it from
/// being deployed is listed by [`operator_templates`].
/// Rules of policies can be checked on what was read, so that their violations are reported together with these.
#[must_use]
pub fn check_api(document: &Value, others: &[ListenerClaim]) -> Checked {
    let findings = Findings::default();
    let root = At::root(document, &findings);
    let api = Api::read(&root);
    if let Some(api) = &api {
        identity::check(&root, api, &findings);
        listeners::check(&root, api, &findings);
        claims::check(api, others, &findings);
        endpoints::check(&root, api, &findings);
        flows::check(&root, api, &findings);
        plans::check(&root, api, &findings);
        services::check(api, &findings);
        messages::check(api, &findings);
        analytics::check(&root, api, &findings);
    }
    let mut violations = findings.finish(()).err().unwrap_or_default();
    if !violations.is_empty() {
        let templates = operator_templates(document);
        violations.retain(|violation| !operator_templates::is_unknown_yet(violation, &templates));
    }
    Checked { api, violations }
}

/// As [`check_api`], for callers that have no rules of their own to add.
///
/// # Errors
/// Lists every violation, at most 200.
pub fn validate_api(document: &Value, others: &[ListenerClaim]) -> Result<Api, Vec<Violation>> {
    match check_api(document, others) {
        Checked {
            api: Some(api),
            violations,
        } if violations.is_empty() => Ok(api),
        Checked { violations, .. } => Err(violations),
    }
}

/// Checks that an API can be deployed: at least one plan is published or deprecated.
///
/// # Errors
/// Says what is missing.
pub fn deployable(api: &Api) -> Result<(), Vec<Violation>> {
    if api.plans.iter().any(|plan| plan.status.is_served()) {
        return Ok(());
    }
    let statuses: Vec<_> = api.plans.iter().map(|plan| plan.status.as_str()).collect();
    let found = if statuses.is_empty() {
        "no plan".to_owned()
    } else {
        format!("only plans that are {}", statuses.join(", "))
    };
    let (published, deprecated) = (
        PlanStatus::Published.as_str(),
        PlanStatus::Deprecated.as_str(),
    );
    let expected = format!("at least one plan that is {published} or {deprecated}");
    Err(vec![Violation::new("plans", found, expected)])
}
