//! Steps of a definition to a chain.

use std::sync::Arc;

use tidegate_expression::Condition;
use tidegate_model::Violation;
use tidegate_model::api::Step;
use tidegate_policy::{Chain, CompileContext, CompiledPolicy, CompiledStep, ConfigError, Needs};

use crate::configuration::normalized;
use crate::registry::find;
use crate::shared_policy_group::{Group, NoGroups, PolicyGroups, phase_of};

/// Compiles the enabled steps of one phase; a step whose policy does nothing there is left out.
///
/// `path` is the place of the list in the definition, such as `flows[0].request`. A step of a shared policy group
/// becomes the steps of that group, which must be among `groups`.
///
/// # Errors
/// Fails with every step that names an unknown policy or cannot be compiled.
pub fn compile_steps(
    steps: &[Step],
    path: &str,
    ctx: &CompileContext<'_>,
    groups: &dyn PolicyGroups,
) -> Result<Chain, Vec<Violation>> {
    let mut compiled = Vec::with_capacity(steps.len());
    let mut violations = Vec::new();
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.enabled) {
        let path = format!("{path}[{index}]");
        if let Some(violation) = undeployable_step(step, &path) {
            violations.push(violation);
            continue;
        }
        let step = match step.shared_policy_group() {
            Some(reference) => compile_group(step, reference, &path, ctx, groups).map(Some),
            None => compile_step(step, &path, ctx),
        };
        match step {
            Ok(step) => compiled.extend(step),
            Err(violation) => violations.push(violation),
        }
    }
    if violations.is_empty() {
        Ok(Chain::new(compiled))
    } else {
        Err(violations)
    }
}

/// Compiles one step, whether it is enabled or not.
pub(crate) fn compile_step(
    step: &Step,
    path: &str,
    ctx: &CompileContext<'_>,
) -> Result<Option<CompiledStep>, Violation> {
    let Some(policy) = find(&step.policy) else {
        return Err(unknown_policy(step, path));
    };
    let condition = condition_of(step, path)?;
    let place = format!("{path}.configuration");
    let configuration = normalized(&step.configuration)
        .map_err(|reason| Violation::new(place.as_str(), reason, "an object"))?;
    let compiled = policy
        .compile(&configuration, ctx)
        .map_err(|error| configuration_violation(error, &place))?;
    if !policy.phases().contains(&ctx.phase) {
        return Ok(None);
    }
    let needs = condition.as_ref().map_or(Needs::NONE, Condition::needs) | compiled.needs;
    Ok(Some(CompiledStep {
        name: name_of(step),
        policy: compiled.policy,
        condition,
        needs,
    }))
}

/// Compiles a step of a shared policy group with the steps of the group.
fn compile_group(
    step: &Step,
    reference: &str,
    path: &str,
    ctx: &CompileContext<'_>,
    groups: &dyn PolicyGroups,
) -> Result<CompiledStep, Violation> {
    let refused = |expected: String| {
        let path = format!("{path}.configuration.sharedPolicyGroupId");
        Violation::new(path, format!("{reference:?}"), expected)
    };
    let Some(group) = groups.find(reference) else {
        return Err(refused("a deployed shared policy group".to_owned()));
    };
    if phase_of(group.phase) != ctx.phase {
        let (is, wanted) = (group.phase.as_str(), ctx.phase.flow_member());
        return Err(refused(format!(
            "a shared policy group of the phase {wanted}: {:?} is of the phase {is}",
            group.name
        )));
    }
    let condition = condition_of(step, path)?;
    let chain = compile_steps(&group.steps, "steps", ctx, &NoGroups).map_err(|found| {
        let reasons: Vec<String> = found.iter().map(ToString::to_string).collect();
        refused(format!(
            "a shared policy group that can run; {:?} cannot: {}",
            group.name,
            reasons.join("; ")
        ))
    })?;
    let needs = condition.as_ref().map_or(Needs::NONE, Condition::needs) | chain.needs();
    Ok(CompiledStep {
        name: name_of(step),
        policy: CompiledPolicy::Async(Arc::new(Group::new(chain))),
        condition,
        needs,
    })
}

fn condition_of(step: &Step, path: &str) -> Result<Option<Condition>, Violation> {
    let condition = step.condition.as_deref();
    condition
        .filter(|condition| !condition.trim().is_empty())
        .map(|condition| compile_condition(condition, &format!("{path}.condition")))
        .transpose()
}

fn name_of(step: &Step) -> Arc<str> {
    Arc::from(match step.name.as_str() {
        "" => step.policy.as_str(),
        name => name,
    })
}

/// Compiles a condition at a path of the definition.
pub(crate) fn compile_condition(source: &str, path: &str) -> Result<Condition, Violation> {
    Condition::compile(source).map_err(|error| {
        let found = format!("{} at position {}", error.found, error.position);
        Violation::new(path, found, error.expected)
    })
}

pub(crate) fn configuration_violation(error: ConfigError, place: &str) -> Violation {
    Violation::new(error.path, error.value, error.expected).under(place)
}

/// Says why an enabled step cannot be deployed: its policy is unknown, or does not do what it asks for.
pub(crate) fn undeployable_step(step: &Step, path: &str) -> Option<Violation> {
    let Some(policy) = find(&step.policy) else {
        return Some(unknown_policy(step, path));
    };
    let configuration = normalized(&step.configuration).ok()?;
    let reason = policy.undeployable(&configuration)?;
    Some(configuration_violation(
        reason,
        &format!("{path}.configuration"),
    ))
}

/// The refusal of a step whose policy this release does not have.
pub(crate) fn unknown_policy(step: &Step, path: &str) -> Violation {
    Violation::new(
        format!("{path}.policy"),
        &step.policy,
        "a policy that Tidegate has (disable the step to deploy without it)",
    )
}
