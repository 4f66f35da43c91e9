//! Steps of a definition to a chain.

use std::sync::Arc;

use tidegate_expression::Condition;
use tidegate_model::Violation;
use tidegate_model::api::Step;
use tidegate_policy::{Chain, CompileContext, CompiledStep, ConfigError, Needs};

use crate::configuration::normalized;
use crate::registry::find;

/// Compiles the enabled steps of one phase; a step whose policy does nothing there is left out.
///
/// `path` is the place of the list in the definition, such as `flows[0].request`.
///
/// # Errors
/// Fails with every step that names an unknown policy or cannot be compiled.
pub fn compile_steps(
    steps: &[Step],
    path: &str,
    ctx: &CompileContext<'_>,
) -> Result<Chain, Vec<Violation>> {
    let mut compiled = Vec::with_capacity(steps.len());
    let mut violations = Vec::new();
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.enabled) {
        let path = format!("{path}[{index}]");
        if let Some(violation) = undeployable_step(step, &path) {
            violations.push(violation);
            continue;
        }
        match compile_step(step, &path, ctx) {
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
    let condition = step
        .condition
        .as_deref()
        .filter(|condition| !condition.trim().is_empty())
        .map(|condition| compile_condition(condition, &format!("{path}.condition")))
        .transpose()?;
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
    let name = if step.name.is_empty() {
        step.policy.as_str()
    } else {
        step.name.as_str()
    };
    Ok(Some(CompiledStep {
        name: Arc::from(name),
        policy: compiled.policy,
        condition,
        needs,
    }))
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
