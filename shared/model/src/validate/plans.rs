//! Plans: security, modes, tags, ids.

use crate::{
    api::{Api, ApiKind, Listener, ListenerKind, Plan, PlanMode, SecurityKind},
    read::{At, Findings},
    tags::fold,
};

use super::identity::check_unique;

pub(super) fn check(_root: &At<'_>, api: &Api, findings: &Findings) {
    check_unique(
        findings,
        "plans",
        "id",
        api.plans.iter().map(|plan| plan.id.as_str()),
    );
    for (index, plan) in api.plans.iter().enumerate() {
        let path = format!("plans[{index}]");
        check_security(api, plan, &path, findings);
        check_tags(api, plan, &path, findings);
    }
    if api.kind == ApiKind::Native {
        check_mixture(api, findings);
    }
}

fn has_listener(api: &Api, kind: ListenerKind) -> bool {
    api.listeners
        .iter()
        .map(Listener::kind)
        .any(|found| found == kind)
}

fn check_security(api: &Api, plan: &Plan, path: &str, findings: &Findings) {
    let mode_path = format!("{path}.mode");
    match (plan.mode, &plan.security) {
        (PlanMode::Standard, None) => {
            findings.report_text(
                format!("{path}.security"),
                "",
                "a security for a standard plan",
            );
        }
        (PlanMode::Push, Some(security)) => {
            let expected = "no security for a push plan";
            findings.report_text(
                format!("{path}.security.type"),
                security.kind.as_str(),
                expected,
            );
        }
        (PlanMode::Standard, Some(_)) | (PlanMode::Push, None) => {}
    }
    if plan.mode == PlanMode::Push && !has_listener(api, ListenerKind::Subscription) {
        findings.report_text(
            &mode_path,
            "push",
            "standard, or an API with a subscription listener",
        );
    }
    let Some(kind) = plan.security.as_ref().map(|security| security.kind) else {
        return;
    };
    let type_path = format!("{path}.security.type");
    let is_open = matches!(kind, SecurityKind::KeyLess | SecurityKind::Mtls);
    if has_listener(api, ListenerKind::Tcp) && !is_open {
        findings.report_text(
            &type_path,
            kind.as_str(),
            "key-less or mtls beside a TCP listener",
        );
    }
    if has_listener(api, ListenerKind::Kafka) && kind == SecurityKind::Mtls {
        let expected = "key-less, api-key, jwt or oauth2 beside a Kafka listener";
        findings.report_text(&type_path, kind.as_str(), expected);
    }
}

/// A plan with tags reaches only edges the API reaches too, so it must share a tag with the API.
fn check_tags(api: &Api, plan: &Plan, path: &str, findings: &Findings) {
    let shares = plan
        .tags
        .iter()
        .any(|tag| api.tags.iter().any(|other| fold(tag) == fold(other)));
    if !plan.tags.is_empty() && !shares {
        let found = plan.tags.iter().cloned().collect::<Vec<_>>().join(", ");
        findings.report_text(
            format!("{path}.tags"),
            &found,
            "at least one tag of the API",
        );
    }
}

/// Kafka clients are let in without a proof or with one, but one API cannot do both.
fn check_mixture(api: &Api, findings: &Findings) {
    let served = || {
        api.plans
            .iter()
            .enumerate()
            .filter(|(_, plan)| plan.status.is_served())
    };
    let is_keyless = |plan: &Plan| {
        plan.security
            .as_ref()
            .is_some_and(|security| security.kind == SecurityKind::KeyLess)
    };
    if served().all(|(_, plan)| is_keyless(plan)) {
        return;
    }
    for (index, _) in served().filter(|(_, plan)| is_keyless(plan)) {
        let path = format!("plans[{index}].security.type");
        let expected = "no published key-less plan beside authenticated ones in a native API";
        findings.report_text(path, "key-less", expected);
    }
}
