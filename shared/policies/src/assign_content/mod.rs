//! `policy-assign-content`: replaces the body by what a FreeMarker template gives.

mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::AssignContentConfig;

use crate::freemarker::Template;
use crate::half::Half;

/// The kind of policy.
#[derive(Debug)]
pub struct AssignContent;

impl PolicyKind for AssignContent {
    const NAME: &'static str = "policy-assign-content";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = AssignContentConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let template = Template::compile(&config.body).map_err(|error| {
            let found = format!("{} in line {}", error.found, error.line);
            ConfigError::new("body", found, error.expected)
        })?;
        let needs = template.needs();
        Ok(Compiled::inline(Step(template), needs))
    }
}

#[derive(Debug)]
struct Step(Template);

impl Step {
    fn apply(&self, exchange: &mut Exchange, half: Half) -> Outcome {
        match self.0.render(exchange) {
            Ok(text) => {
                half.replace_body(exchange, Bytes::from(text));
                Outcome::Continue
            }
            Err(cause) => Outcome::fail(
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                    .with_message("Unable to assign body content")
                    .with_cause(cause),
            ),
        }
    }
}

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Request)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Response)
    }
}
