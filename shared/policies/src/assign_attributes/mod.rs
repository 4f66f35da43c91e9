//! `policy-assign-attributes`: sets attributes of the exchange.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_expression::{Needs, Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::{AssignAttributesConfig, AttributeConfig};

/// The kind of policy.
#[derive(Debug)]
pub struct AssignAttributes;

impl PolicyKind for AssignAttributes {
    const NAME: &'static str = "policy-assign-attributes";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = AssignAttributesConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut attributes = Vec::with_capacity(config.attributes.len());
        for (index, attribute) in config.attributes.iter().enumerate() {
            let name = attribute.name.trim();
            if name.is_empty() {
                let path = format!("attributes[{index}].name");
                return Err(ConfigError::new(path, "\"\"", "a name"));
            }
            let path = format!("attributes[{index}].value");
            let source = attribute.value.as_deref().unwrap_or("{(null)}");
            let value = ConfigError::template(path, source)?;
            needs |= value.needs();
            attributes.push(Assignment {
                name: Text::from(name),
                value,
            });
        }
        let policy = Assignments(attributes.into());
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Assignments(Box<[Assignment]>);

#[derive(Debug)]
struct Assignment {
    name: Text,
    value: Template,
}

impl Assignments {
    /// Sets the attributes in order; each value sees those set before it.
    fn apply(&self, exchange: &mut Exchange) -> Outcome {
        for Assignment { name, value } in &self.0 {
            let value = match value.evaluate(exchange) {
                Ok(value) => value,
                Err(error) => return failure(format!("attribute {name}: {error}")),
            };
            if !exchange.attributes.set(name, value) {
                return failure("too many attributes".to_owned());
            }
        }
        Outcome::Continue
    }
}

impl InlinePolicy for Assignments {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange)
    }
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_message("Internal Server Error")
            .with_cause(cause),
    )
}
