//! `javascript`: scripts that read and change the request and the response.

mod config;
mod data;
mod engine;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use tidegate_expression::Text;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Needs, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::JavascriptConfig;

use crate::half::Half;
use data::Changes;

/// Key of the failure when a script throws, is stopped, or leaves what cannot be sent.
pub const FAILURE_KEY: &str = "JAVASCRIPT_EXECUTION_FAILURE";

/// The kind of policy.
#[derive(Debug)]
pub struct Javascript;

impl PolicyKind for Javascript {
    const NAME: &'static str = "javascript";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = JavascriptConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = Scripts {
            request: checked(config.on_request_script, "onRequestScript")?,
            request_content: checked(config.on_request_content_script, "onRequestContentScript")?,
            response: checked(config.on_response_script, "onResponseScript")?,
            response_content: checked(
                config.on_response_content_script,
                "onResponseContentScript",
            )?,
        };
        let needs = Needs {
            request_content: ctx.phase == Phase::Request && policy.request_content.is_some(),
            response_content: ctx.phase == Phase::Response && policy.response_content.is_some(),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

fn checked(script: Option<String>, path: &str) -> Result<Option<Box<str>>, ConfigError> {
    let Some(script) = script.filter(|script| !script.trim().is_empty()) else {
        return Ok(None);
    };
    match engine::check(&script) {
        Ok(()) => Ok(Some(script.into())),
        Err(error) => Err(ConfigError::new(
            path,
            error.trim(),
            "a script that can be parsed",
        )),
    }
}

#[derive(Debug)]
struct Scripts {
    request: Option<Box<str>>,
    request_content: Option<Box<str>>,
    response: Option<Box<str>>,
    response_content: Option<Box<str>>,
}

impl AsyncPolicy for Scripts {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let scripts = (self.request.as_deref(), self.request_content.as_deref());
        Progress::Done(run_both(scripts, Half::Request, exchange, services))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let scripts = (self.response.as_deref(), self.response_content.as_deref());
        Progress::Done(run_both(scripts, Half::Response, exchange, services))
    }
}

/// Runs the script for the head, then the one for the body.
fn run_both(
    (head, body): (Option<&str>, Option<&str>),
    half: Half,
    exchange: &mut Exchange,
    services: &Services,
) -> Outcome {
    if let Some(script) = head {
        match run(script, exchange, services) {
            Ok(_) => {}
            Err(outcome) => return outcome,
        }
    }
    if let Some(script) = body {
        match run(script, exchange, services) {
            Ok(Some(content)) => half.replace_body(exchange, Bytes::from(content)),
            Ok(None) => {}
            Err(outcome) => return outcome,
        }
    }
    Outcome::Continue
}

/// Runs a script and gives its value.
fn run(
    script: &str,
    exchange: &mut Exchange,
    services: &Services,
) -> Result<Option<String>, Outcome> {
    let changes = engine::run(script, &data::input(exchange), &services.ambient)
        .and_then(|collected| Changes::parse(&collected))
        .map_err(broken)?;
    changes.apply(exchange).map_err(broken)?;
    match changes.failure() {
        Some(failure) => Err(Outcome::fail(failure)),
        None => Ok(changes.value),
    }
}

fn broken(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(FAILURE_KEY)
            .with_message(Text::constant("Internal Server Error"))
            .with_cause(cause),
    )
}
