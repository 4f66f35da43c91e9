//! `policy-http-callout`: calls another system and keeps what it answered in attributes.

mod config;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use bytes::Bytes;
use http::StatusCode;
use tidegate_expression::{Condition, Needs, Template, Text};
use tidegate_policy::{
    AsyncPolicy, CallOptions, CompileContext, Compiled, ConfigError, Exchange, Failure,
    OutboundCall, Outcome, Phase, PolicyKind, Progress, Services,
};

pub use config::HttpCalloutConfig;

use crate::outbound::{CallConfig, CompiledCall};
use crate::variables::{Variable, Variables};

/// Key of the failure when the answer meets the error condition.
pub const EXIT_KEY: &str = "CALLOUT_EXIT_ON_ERROR";

/// Key of the failure when there is no answer, or nothing can be made of it.
pub const ERROR_KEY: &str = "CALLOUT_HTTP_ERROR";

const ERROR_CONDITION: &str = "{#calloutResponse.status >= 400 and #calloutResponse.status <= 599}";

/// The kind of policy.
#[derive(Debug)]
pub struct HttpCallout;

impl PolicyKind for HttpCallout {
    const NAME: &'static str = "policy-http-callout";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = HttpCalloutConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (call, mut needs) = CompiledCall::compile(CallConfig {
            method: config.method.as_deref().unwrap_or("GET"),
            url: &config.url,
            headers: &config.headers,
            body: config.body.as_deref(),
            options: CallOptions {
                use_system_proxy: config.use_system_proxy,
                ..CallOptions::default()
            },
        })?;
        let (variables, needs_of_variables) = Variables::compile(&config.variables, "variables")?;
        needs |= needs_of_variables;
        let (exit, needs_of_exit) = Exit::compile(&config)?;
        needs |= needs_of_exit;
        let policy = Callout {
            call,
            variables,
            is_forgotten: config.fire_and_forget,
            exit: config.exit_on_error.then_some(exit),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

#[derive(Debug)]
struct Callout {
    call: CompiledCall,
    variables: Variables,
    is_forgotten: bool,
    exit: Option<Exit>,
}

/// What ends the exchange, and how.
#[derive(Debug)]
struct Exit {
    condition: Condition,
    status: StatusCode,
    content: Option<Template>,
}

impl Exit {
    fn compile(config: &HttpCalloutConfig) -> Result<(Self, Needs), ConfigError> {
        let condition = config
            .error_condition
            .as_deref()
            .filter(|condition| !condition.trim().is_empty())
            .unwrap_or(ERROR_CONDITION);
        let condition = ConfigError::condition("errorCondition", condition)?;
        let content = config
            .error_content
            .as_deref()
            .map(|content| ConfigError::template("errorContent", content))
            .transpose()?;
        let mut needs = condition.needs();
        if let Some(content) = &content {
            needs |= content.needs();
        }
        let number = config.error_status_code.map_or(500, |status| status.0);
        let status = u16::try_from(number)
            .ok()
            .filter(|number| (200..=599).contains(number))
            .and_then(|number| StatusCode::from_u16(number).ok())
            .ok_or_else(|| {
                let expected = "a status from 200 to 599";
                ConfigError::new("errorStatusCode", number.to_string(), expected)
            })?;
        let exit = Self {
            condition,
            status,
            content,
        };
        Ok((exit, needs))
    }
}

impl AsyncPolicy for Callout {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(exchange, services)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(exchange, services)
    }
}

impl Callout {
    fn run<'a>(&'a self, exchange: &'a mut Exchange, services: &'a Services) -> Progress<'a> {
        let call = match self.call.evaluate(exchange) {
            Ok(call) => call,
            Err(cause) => return Progress::Done(self.broken(cause)),
        };
        if self.is_forgotten {
            send_and_forget(call, services);
            return Progress::CONTINUE;
        }
        Progress::waiting(async move {
            match services.http.send(call).await {
                Ok(response) => self.answered(exchange, &response),
                Err(error) => self.broken(error),
            }
        })
    }

    fn answered(&self, exchange: &mut Exchange, response: &http::Response<Bytes>) -> Outcome {
        if self.variables.is_empty() && self.exit.is_none() {
            return Outcome::Continue;
        }
        let variable = Variable::response("calloutResponse", response);
        if let Some(exit) = &self.exit
            && exit.condition.holds(&variable.beside(exchange))
        {
            return exit.outcome(exchange, &variable);
        }
        match self.variables.set(exchange, &variable) {
            Ok(()) => Outcome::Continue,
            Err(cause) => self.broken(cause),
        }
    }

    /// The answer did not come or is of no use: that is an error whether or not answers can be one.
    fn broken(&self, cause: impl std::fmt::Display) -> Outcome {
        let status = self
            .exit
            .as_ref()
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, |exit| exit.status);
        Outcome::fail(
            Failure::new(status)
                .with_key(ERROR_KEY)
                .with_message(Text::constant("An error occurred while invoking URL"))
                .with_cause(cause),
        )
    }
}

impl Exit {
    fn outcome(&self, exchange: &Exchange, variable: &Variable) -> Outcome {
        let failure = Failure::new(self.status).with_key(EXIT_KEY);
        let content = match &self.content {
            None => Ok(None),
            Some(content) => content.evaluate_text(&variable.beside(exchange)),
        };
        Outcome::fail(match content {
            Ok(Some(content)) => failure.with_message(content.into_owned()),
            Ok(None) => failure.with_message(Text::constant("Request is terminated.")),
            Err(error) => failure
                .with_message(Text::constant("Request is terminated."))
                .with_cause(error),
        })
    }
}

fn send_and_forget(call: OutboundCall, services: &Services) {
    let http = Rc::clone(&services.http);
    let task = Box::pin(async move {
        if let Err(error) = http.send(call).await {
            tracing::debug!(%error, "callout without an answer");
        }
    });
    if let Err(error) = services.tasks.spawn(task) {
        tracing::warn!(%error, "callout not made");
    }
}
