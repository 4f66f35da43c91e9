//! `retry`: calls the endpoint again while a condition holds for its response.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use http::StatusCode;
use tidegate_expression::{Condition, Needs};
use tidegate_policy::{
    BoxFuture, CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Interceptor,
    Invocation, Outcome, Phase, PolicyKind, Services,
};

pub use config::RetryConfig;

use crate::number::WholeNumber;

/// Most further calls.
const RETRIES_MAX: u64 = 100;

/// Longest wait and longest call in milliseconds: an hour.
const MILLIS_MAX: u64 = 3_600_000;

/// The kind of policy.
#[derive(Debug)]
pub struct Retry;

impl PolicyKind for Retry {
    const NAME: &'static str = "retry";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RetryConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        if config.condition.trim().is_empty() {
            return Err(ConfigError::new("condition", "\"\"", "a condition"));
        }
        let condition = ConfigError::condition("condition", &config.condition)?;
        let needs = Needs {
            // The body is sent with each call.
            request_content: true,
            response_content: false,
        };
        let attempts = Attempts {
            condition,
            retries: bounded(config.max_retries, "maxRetries", 1, RETRIES_MAX)?,
            delay: Duration::from_millis(bounded(config.delay, "delay", 0, MILLIS_MAX)?),
            timeout: Duration::from_millis(bounded(config.timeout, "timeout", 1000, MILLIS_MAX)?),
            gives_last: config.last_response,
        };
        Ok(Compiled::inline(Step(Arc::new(attempts)), needs))
    }
}

fn bounded(
    number: Option<WholeNumber>,
    path: &str,
    default: u64,
    max: u64,
) -> Result<u64, ConfigError> {
    // Zero is how forms write nothing.
    let number = number.map(|number| number.0).filter(|number| *number > 0);
    let number = number.unwrap_or(default);
    if number <= max {
        return Ok(number);
    }
    Err(ConfigError::new(
        path,
        number.to_string(),
        format!("at most {max}"),
    ))
}

#[derive(Debug)]
struct Step(Arc<Attempts>);

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        exchange
            .interceptors
            .push(Arc::<Attempts>::clone(&self.0) as Arc<dyn Interceptor>);
        Outcome::Continue
    }
}

#[derive(Debug)]
struct Attempts {
    condition: Condition,
    retries: u64,
    delay: Duration,
    timeout: Duration,
    gives_last: bool,
}

/// How a call ended.
enum Attempt {
    /// With a response that need not be improved.
    Good,
    /// With a response for which the condition holds.
    Bad,
    /// Without a response.
    Failed(Box<Failure>),
}

impl Interceptor for Attempts {
    fn around<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        inner: &'a mut dyn Invocation,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        Box::pin(async move {
            // A further call begins with the headers that request steps put on the response.
            let own = exchange.response.headers.clone();
            let mut retries_left = self.retries;
            loop {
                let attempt = self.attempt(exchange, services, inner).await;
                if matches!(attempt, Attempt::Good) {
                    return Ok(());
                }
                if retries_left == 0 {
                    return self.exhausted(attempt, exchange, inner);
                }
                retries_left -= 1;
                inner.discard_response(exchange);
                exchange.response.headers.clone_from(&own);
                if !self.delay.is_zero() {
                    services.tasks.sleep(self.delay).await;
                }
            }
        })
    }
}

impl Attempts {
    /// Calls once, within the time of a call.
    async fn attempt(
        &self,
        exchange: &mut Exchange,
        services: &Services,
        inner: &mut dyn Invocation,
    ) -> Attempt {
        let call = Box::pin(async {
            inner.call(exchange).await?;
            if self.condition.needs().response_content {
                inner.read_response(exchange).await?;
            }
            Ok(())
        });
        let answered: Result<(), Box<Failure>> =
            match select(call, services.tasks.sleep(self.timeout)).await {
                Either::Left((answered, _)) => answered,
                Either::Right(((), _)) => Err(Box::new(
                    Failure::new(StatusCode::BAD_GATEWAY).with_cause("no response in time"),
                )),
            };
        match answered {
            Err(failure) => Attempt::Failed(failure),
            Ok(()) if self.condition.holds(exchange) => Attempt::Bad,
            Ok(()) => Attempt::Good,
        }
    }

    fn exhausted(
        &self,
        last: Attempt,
        exchange: &mut Exchange,
        inner: &mut dyn Invocation,
    ) -> Result<(), Box<Failure>> {
        let cause = match last {
            Attempt::Good => return Ok(()),
            Attempt::Bad if self.gives_last => return Ok(()),
            Attempt::Bad => None,
            Attempt::Failed(failure) => failure.cause,
        };
        inner.discard_response(exchange);
        let mut failure = Failure::new(StatusCode::BAD_GATEWAY);
        failure.cause = cause;
        Err(Box::new(failure))
    }
}
