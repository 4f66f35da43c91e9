//! `policy-request-validation`: refuses requests whose values break rules.

mod config;
mod constraint;
mod date;
#[cfg(test)]
mod tests;

use http::StatusCode;
use serde::Serialize;
use tidegate_expression::{Needs, Template, Text, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::{
    ConstraintConfig, ConstraintKind, RequestValidationConfig, RequestValidationScope,
    ValidationRuleConfig,
};

use constraint::Constraint;

/// The kind of policy.
#[derive(Debug)]
pub struct RequestValidation;

impl PolicyKind for RequestValidation {
    const NAME: &'static str = "policy-request-validation";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RequestValidationConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut rules = Vec::with_capacity(config.rules.len());
        for (index, rule) in config.rules.iter().enumerate() {
            let input = ConfigError::template(format!("rules[{index}].input"), &rule.input)?;
            let constraint =
                Constraint::compile(&rule.constraint, &format!("rules[{index}].constraint"))?;
            needs |= input.needs() | constraint.needs();
            rules.push(Rule {
                input,
                is_required: rule.is_required.unwrap_or(true),
                constraint,
            });
        }
        match config.scope {
            None | Some(RequestValidationScope::Request) => {}
            Some(RequestValidationScope::RequestContent) => needs.request_content = true,
            Some(RequestValidationScope::Response | RequestValidationScope::ResponseContent) => {
                rules.clear();
                needs = Needs::NONE;
            }
        }
        let policy = Validation {
            status: config
                .status
                .map_or(StatusCode::BAD_REQUEST, |status| status.0),
            rules: rules.into(),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Validation {
    status: StatusCode,
    rules: Box<[Rule]>,
}

#[derive(Debug)]
struct Rule {
    input: Template,
    is_required: bool,
    constraint: Constraint,
}

impl Rule {
    fn check(&self, exchange: &Exchange) -> Result<(), String> {
        // An input that cannot be evaluated, such as the first value of a missing header, is missing.
        let value = self.input.evaluate_text(exchange).ok().flatten();
        let is_present = value.as_deref().is_some_and(|value| !value.is_empty());
        if !is_present && !self.is_required {
            return Ok(());
        }
        self.constraint.check(value.as_deref(), exchange)
    }
}

/// What the client is told.
#[derive(Serialize)]
struct Report<'r> {
    message: &'static str,
    constraints: &'r [String],
}

impl InlinePolicy for Validation {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let violations: Vec<String> = self
            .rules
            .iter()
            .filter_map(|rule| rule.check(exchange).err())
            .collect();
        if violations.is_empty() {
            return Outcome::Continue;
        }
        let report = serde_json::to_string(&Report {
            message: "Request is not valid according to constraint rules",
            constraints: &violations,
        });
        let mut failure = Failure::new(self.status)
            .with_key("REQUEST_VALIDATION_INVALID")
            .with_message(report.unwrap_or_default());
        let violations = Value::list(violations.into_iter().map(Value::from));
        failure.parameters = vec![(Text::constant("violations"), violations)];
        Outcome::fail(failure)
    }
}
