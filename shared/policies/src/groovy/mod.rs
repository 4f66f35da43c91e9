//! `groovy`: known, kept and checked, but never deployed: Groovy needs a Java virtual machine.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Needs, Outcome, Phase,
    PolicyKind,
};

pub use config::GroovyConfig;

/// The kind of policy.
#[derive(Debug)]
pub struct Groovy;

impl PolicyKind for Groovy {
    const NAME: &'static str = "groovy";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = GroovyConfig;

    fn compile(_config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        Ok(Compiled::inline(Refusal, Needs::NONE))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        let scripts = [
            ("script", &config.script),
            ("onRequestScript", &config.on_request_script),
            ("onResponseScript", &config.on_response_script),
            ("onRequestContentScript", &config.on_request_content_script),
            (
                "onResponseContentScript",
                &config.on_response_content_script,
            ),
        ];
        // A step without any script does nothing in the reference engine either; it is refused all the same,
        // so that a script that is added later is no surprise.
        let (member, _) = scripts
            .into_iter()
            .find(|(_, script)| {
                script
                    .as_deref()
                    .is_some_and(|script| !script.trim().is_empty())
            })
            .unwrap_or(scripts[0]);
        Some(ConfigError::new(
            member,
            "a Groovy script",
            "a `javascript` step or expressions (Tidegate runs no Groovy; disable the step to deploy without it)",
        ))
    }
}

/// Never runs, since no such step is deployed; if one did, the request would fail instead of skipping it.
#[derive(Debug)]
struct Refusal;

impl Refusal {
    fn outcome() -> Outcome {
        Outcome::fail(
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                .with_key("GROOVY_EXECUTION_FAILURE")
                .with_message("Internal Server Error")
                .with_cause("Groovy scripts are not run"),
        )
    }
}

impl InlinePolicy for Refusal {
    fn on_request(&self, _exchange: &mut Exchange) -> Outcome {
        Self::outcome()
    }

    fn on_response(&self, _exchange: &mut Exchange) -> Outcome {
        Self::outcome()
    }
}
