//! Checks of what APIs share: the steps of groups and of the organisation's flows.

use tidegate_model::{Asset, Notice, Violation};

use super::{Findings, undeployable_flow, undeployable_steps};
use crate::shared_policy_group::phase_of;

/// Checks the configuration of every step, enabled or not, as [`validate_api`](crate::validate_api) does.
#[must_use]
pub fn validate_asset(asset: &Asset) -> (Vec<Violation>, Vec<Notice>) {
    let mut findings = Findings {
        api: "",
        violations: Vec::new(),
        notices: Vec::new(),
    };
    match asset {
        Asset::SharedPolicyGroup(group) => {
            findings.steps(&group.steps, phase_of(group.phase), "steps");
        }
        Asset::Organization(organization) => {
            for (index, flow) in organization.flows.iter().enumerate() {
                findings.flow(flow, &format!("flows[{index}]"));
            }
        }
        Asset::Dictionary(_) => {}
    }
    (findings.violations, findings.notices)
}

/// Lists what keeps an asset from being deployed: enabled steps whose policy is unknown or does not do what they ask
/// for.
#[must_use]
pub fn undeployable_asset(asset: &Asset) -> Vec<Violation> {
    let mut violations = Vec::new();
    match asset {
        Asset::SharedPolicyGroup(group) => {
            undeployable_steps(&group.steps, "steps", &mut violations);
        }
        Asset::Organization(organization) => {
            let flows = organization.flows.iter().enumerate();
            for (index, flow) in flows.filter(|(_, flow)| flow.enabled) {
                undeployable_flow(flow, &format!("flows[{index}]"), &mut violations);
            }
        }
        Asset::Dictionary(_) => {}
    }
    violations
}
