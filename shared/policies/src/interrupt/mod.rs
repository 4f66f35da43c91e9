//! `policy-interrupt`: ends the exchange with an error of its own key.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_expression::{Needs, Template, Text, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::{InterruptConfig, InterruptScope, InterruptVariableConfig};

/// The kind of policy.
#[derive(Debug)]
pub struct Interrupt;

impl PolicyKind for Interrupt {
    const NAME: &'static str = "policy-interrupt";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = InterruptConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut variables = Vec::with_capacity(config.variables.len());
        for (index, variable) in config.variables.iter().enumerate() {
            let Some(value) = &variable.value else {
                continue;
            };
            let value = ConfigError::template(format!("variables[{index}].value"), value)?;
            needs |= value.needs();
            variables.push((Text::from(variable.name.as_str()), value));
        }
        let number = config.status_code.unwrap_or(500);
        let status = StatusCode::from_u16(number)
            .ok()
            .filter(|_| (300..=599).contains(&number))
            .ok_or_else(|| {
                ConfigError::new("statusCode", number.to_string(), "a status from 300 to 599")
            })?;
        let phase = match config.scope {
            None => ctx.phase,
            Some(InterruptScope::Request) => Phase::Request,
            Some(InterruptScope::Response) => Phase::Response,
            Some(InterruptScope::RequestContent) => {
                needs.request_content = true;
                Phase::Request
            }
            Some(InterruptScope::ResponseContent) => {
                needs.response_content = true;
                Phase::Response
            }
        };
        if phase != ctx.phase {
            return Ok(Compiled::inline(Elsewhere, Needs::NONE));
        }
        let policy = Interruption {
            status,
            key: Text::from(config.error_key),
            message: Text::from(config.message),
            variables: variables.into(),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

/// A step whose scope is the other phase.
#[derive(Debug)]
struct Elsewhere;

impl InlinePolicy for Elsewhere {}

#[derive(Debug)]
struct Interruption {
    status: StatusCode,
    key: Text,
    message: Text,
    variables: Box<[(Text, Template)]>,
}

impl Interruption {
    fn interrupt(&self, exchange: &Exchange) -> Outcome {
        let parameters = self.variables.iter().filter_map(|(name, value)| {
            let text = value.evaluate(exchange).ok()?.to_text()?;
            Some((name.clone(), Value::from(text)))
        });
        let mut failure = Failure::new(self.status).with_message(self.message.clone());
        failure.key = Some(self.key.clone());
        failure.parameters = parameters.collect();
        Outcome::fail(failure)
    }
}

impl InlinePolicy for Interruption {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.interrupt(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.interrupt(exchange)
    }
}
