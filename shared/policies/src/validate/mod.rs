//! Checks of a whole definition: configurations when it is saved, support when it is deployed.

mod asset;

use tidegate_model::api::{Api, Flow, Plan, PlanStatus, Resource, Selector, Step};
use tidegate_model::{Notice, Violation};
use tidegate_policy::{CompileContext, Phase, RegisteredPolicy};

use crate::compile::{compile_condition, compile_step, configuration_violation, undeployable_step};
use crate::configuration::check;
use crate::registry::{find, find_security};
use crate::resources::find_resource;

pub use asset::{undeployable_asset, validate_asset};

/// Checks the configuration of every step and plan, enabled or not, and compiles every expression.
///
/// Unknown policies and members are notices: the definition is kept as it is.
#[must_use]
pub fn validate_api(api: &Api) -> (Vec<Violation>, Vec<Notice>) {
    let mut findings = Findings {
        api: api.id.as_str(),
        violations: Vec::new(),
        notices: Vec::new(),
    };
    for (flow, path) in flows(api) {
        findings.flow(flow, &path);
    }
    for (index, plan) in api.plans.iter().enumerate() {
        findings.plan(plan, &format!("plans[{index}]"));
    }
    for (index, resource) in api.resources.iter().enumerate() {
        findings.resource(resource, &format!("resources[{index}]"));
    }
    (findings.violations, findings.notices)
}

/// Lists what keeps a definition from being deployed: enabled steps whose policy is unknown or
/// does not do what they ask for, and plans that would be served whose security is not implemented.
#[must_use]
pub fn undeployable(api: &Api) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (flow, path) in flows(api).into_iter().filter(|(flow, _)| flow.enabled) {
        undeployable_flow(flow, &path, &mut violations);
    }
    for (index, resource) in api.resources.iter().enumerate() {
        if resource.enabled && find_resource(&resource.kind).is_none() {
            violations.push(unusable_resource(resource, index));
        }
    }
    for (index, plan) in api
        .plans
        .iter()
        .enumerate()
        .filter(|(_, plan)| is_served(plan))
    {
        let security = plan.security.as_ref();
        let unknown = security.filter(|security| find_security(security.kind.as_str()).is_none());
        if let Some(security) = unknown {
            violations.push(Violation::new(
                format!("plans[{index}].security.type"),
                security.kind.as_str(),
                "a kind of plan security that Tidegate has",
            ));
        }
    }
    violations
}

/// Only a reference to a manifest of the Kubernetes operator has no type.
fn unusable_resource(resource: &Resource, index: usize) -> Violation {
    if resource.kind.is_empty() {
        return Violation::new(
            format!("resources[{index}].ref"),
            "a reference",
            "the resource itself: references to ApiResource manifests are not resolved",
        );
    }
    Violation::new(
        format!("resources[{index}].type"),
        &resource.kind,
        "a kind of resource that Tidegate has (disable it to deploy without it)",
    )
}

fn undeployable_flow(flow: &Flow, path: &str, violations: &mut Vec<Violation>) {
    for (phase, steps) in phases(flow) {
        let path = format!("{path}.{}", phase.flow_member());
        undeployable_steps(steps, &path, violations);
    }
}

fn undeployable_steps(steps: &[Step], path: &str, violations: &mut Vec<Violation>) {
    for (index, step) in steps.iter().enumerate() {
        if step.enabled {
            violations.extend(undeployable_step(step, &format!("{path}[{index}]")));
        }
    }
}

fn is_served(plan: &Plan) -> bool {
    matches!(plan.status, PlanStatus::Published | PlanStatus::Deprecated)
}

/// Returns the flows of the API and of its plans with their paths.
fn flows(api: &Api) -> Vec<(&Flow, String)> {
    let of_api = api.flows.iter().enumerate();
    let of_api = of_api.map(|(index, flow)| (flow, format!("flows[{index}]")));
    let of_plans = api.plans.iter().enumerate().flat_map(|(plan_index, plan)| {
        let flows = plan.flows.iter().enumerate();
        flows.map(move |(index, flow)| (flow, format!("plans[{plan_index}].flows[{index}]")))
    });
    of_api.chain(of_plans).collect()
}

fn phases(flow: &Flow) -> [(Phase, &[Step]); 6] {
    [
        (Phase::Request, &flow.request),
        (Phase::Response, &flow.response),
        (Phase::MessageRequest, &flow.publish),
        (Phase::MessageResponse, &flow.subscribe),
        (Phase::Connect, &flow.connect),
        (Phase::Interact, &flow.interact),
    ]
}

struct Findings<'a> {
    api: &'a str,
    violations: Vec<Violation>,
    notices: Vec<Notice>,
}

impl Findings<'_> {
    fn flow(&mut self, flow: &Flow, path: &str) {
        for (index, selector) in flow.selectors.iter().enumerate() {
            if let Selector::Condition { condition } = selector {
                self.condition(condition, &format!("{path}.selectors[{index}].condition"));
            }
        }
        for (phase, steps) in phases(flow) {
            self.steps(steps, phase, &format!("{path}.{}", phase.flow_member()));
        }
    }

    fn steps(&mut self, steps: &[Step], phase: Phase, path: &str) {
        for (index, step) in steps.iter().enumerate() {
            self.step(step, phase, &format!("{path}[{index}]"));
        }
    }

    fn step(&mut self, step: &Step, phase: Phase, path: &str) {
        if let Some(condition) = &step.message_condition {
            self.condition(condition, &format!("{path}.messageCondition"));
        }
        let Some(policy) = find(&step.policy) else {
            let message = if step.enabled {
                "kept, but Tidegate has no such policy: the API cannot be deployed"
            } else {
                "kept, but Tidegate has no such policy"
            };
            let message = format!("'{}': {message}", step.policy);
            self.notices.push(Notice::new(
                "unknown-policy",
                format!("{path}.policy"),
                message,
            ));
            return;
        };
        self.known_step(step, policy, phase, path);
    }

    fn known_step(&mut self, step: &Step, policy: &dyn RegisteredPolicy, phase: Phase, path: &str) {
        if !policy.phases().contains(&phase) {
            let message = format!("'{}' does nothing in this phase", step.policy);
            self.notices.push(Notice::new("unused-step", path, message));
        }
        let place = format!("{path}.configuration");
        let found = check(&step.configuration, &policy.schema(), &place);
        // Nearly every definition carries `scope` from the second version; the phase says what it said.
        let scope = format!("{place}.scope");
        let notices = found.notices.into_iter();
        self.notices
            .extend(notices.filter(|notice| notice.path != scope));
        if !found.violations.is_empty() {
            self.violations.extend(found.violations);
            if let Some(condition) = &step.condition {
                self.condition(condition, &format!("{path}.condition"));
            }
            return;
        }
        if let Some(reason) = undeployable_step(step, path) {
            let message = if step.enabled {
                format!(
                    "'{}': kept, but the API cannot be deployed: {}",
                    step.policy, reason.expected
                )
            } else {
                format!(
                    "'{}': kept, but it cannot be deployed: {}",
                    step.policy, reason.expected
                )
            };
            self.notices
                .push(Notice::new("undeployable-step", reason.path, message));
        }
        let ctx = CompileContext {
            phase,
            environment: "",
            api: self.api,
            files: None,
        };
        if let Err(violation) = compile_step(step, path, &ctx) {
            self.violations.push(violation);
        }
    }

    fn plan(&mut self, plan: &Plan, path: &str) {
        if let Some(rule) = &plan.selection_rule {
            self.condition(rule, &format!("{path}.selectionRule"));
        }
        let Some(security) = &plan.security else {
            return;
        };
        let Some(kind) = find_security(security.kind.as_str()) else {
            let message = format!(
                "'{}': kept, but Tidegate has no such plan security: the plan cannot be served",
                security.kind.as_str()
            );
            let path = format!("{path}.security.type");
            self.notices
                .push(Notice::new("unsupported-security", path, message));
            return;
        };
        let place = format!("{path}.security.configuration");
        let found = check(&security.configuration, &(kind.schema)(), &place);
        self.notices.extend(found.notices);
        let is_well_formed = found.violations.is_empty();
        self.violations.extend(found.violations);
        if is_well_formed && let Err(error) = (kind.check)(&security.configuration) {
            self.violations.push(configuration_violation(error, &place));
        }
    }

    fn resource(&mut self, resource: &Resource, path: &str) {
        let Some(kind) = find_resource(&resource.kind) else {
            let (member, message) = match resource.kind.as_str() {
                "" => (
                    "ref",
                    "kept, but references to ApiResource manifests are not resolved".to_owned(),
                ),
                kind => (
                    "type",
                    format!("'{kind}': kept, but Tidegate has no such resource"),
                ),
            };
            let path = format!("{path}.{member}");
            self.notices
                .push(Notice::new("unknown-resource", path, message));
            return;
        };
        let place = format!("{path}.configuration");
        let found = check(&resource.configuration, &(kind.schema)(), &place);
        self.notices.extend(found.notices);
        let is_well_formed = found.violations.is_empty();
        self.violations.extend(found.violations);
        if !is_well_formed {
            return;
        }
        // What expressions give is known when the API is deployed.
        let checked = match kind.has_expressions(&resource.configuration) {
            Ok(true) => Ok(()),
            Ok(false) => (kind.parse)(&resource.configuration).map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            self.violations.push(configuration_violation(error, &place));
        }
    }

    fn condition(&mut self, source: &str, path: &str) {
        if let Err(violation) = compile_condition(source, path) {
            self.violations.push(violation);
        }
    }
}
