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

mod claims;
mod endpoints;
mod flows;
mod identity;
mod listeners;
mod plans;
#[cfg(test)]
mod tests;

pub use claims::{ListenerClaim, listener_claims};

/// Checks a canonical document against every rule and against the listeners of the `others` in its environment.
///
/// Claims of the API itself among `others` (same id) are ignored, so the full list of an environment may be given.
///
/// # Errors
/// Lists every violation, at most 200.
pub fn validate_api(document: &Value, others: &[ListenerClaim]) -> Result<Api, Vec<Violation>> {
    let findings = Findings::default();
    let root = At::root(document, &findings);
    let Some(api) = Api::read(&root) else {
        return Err(findings.finish(()).err().unwrap_or_default());
    };
    identity::check(&root, &api, &findings);
    listeners::check(&root, &api, &findings);
    claims::check(&api, others, &findings);
    endpoints::check(&root, &api, &findings);
    flows::check(&root, &api, &findings);
    plans::check(&root, &api, &findings);
    findings.finish(api)
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
