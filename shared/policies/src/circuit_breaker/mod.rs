//! `policy-circuit-breaker`: stops calling an endpoint that fails or is slow, for a while.

mod circuit;
mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use tidegate_expression::{Needs, Template, Text};
use tidegate_policy::{
    BoxFuture, CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Interceptor,
    Invocation, Outcome, Phase, PolicyKind, Services,
};

pub use config::CircuitBreakerConfig;

use crate::number::WholeNumber;
use circuit::{Call, Circuit, Permit, Thresholds};

/// Key of the failure while the circuit is open.
pub const OPEN_KEY: &str = "CIRCUIT_BREAKER_OPEN_STATE";

/// Longest time of the configuration in milliseconds: a day.
const MILLIS_MAX: u64 = 86_400_000;

/// Most calls that are looked at.
const WINDOW_MAX: u64 = 10_000;

/// The kind of policy.
#[derive(Debug)]
pub struct CircuitBreaker;

impl PolicyKind for CircuitBreaker {
    const NAME: &'static str = "policy-circuit-breaker";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = CircuitBreakerConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let percent = |number, path, default| bounded(number, path, default, 0, 100);
        let window = bounded(config.window_size, "windowSize", 100, 1, WINDOW_MAX)?;
        let open_ms = bounded(
            config.wait_duration_in_open_state,
            "waitDurationInOpenState",
            1000,
            0,
            MILLIS_MAX,
        )?;
        let slow_ms = bounded(
            config.slow_call_duration_threshold,
            "slowCallDurationThreshold",
            1000,
            0,
            MILLIS_MAX,
        )?;
        let thresholds = Thresholds {
            failed_percent: percent(config.failure_rate_threshold, "failureRateThreshold", 50)?,
            slow_percent: percent(
                config.slow_call_rate_threshold,
                "slowCallRateThreshold",
                100,
            )?,
            window: usize::try_from(window).unwrap_or(usize::MAX),
            open_for: Duration::from_millis(open_ms),
        };
        let redirect = config
            .redirect_to_url
            .as_deref()
            .filter(|url| !url.trim().is_empty())
            .map(|url| ConfigError::template("redirectToURL", url))
            .transpose()?;
        let needs = redirect.as_ref().map_or(Needs::NONE, Template::needs);
        let breaker = Breaker {
            circuit: Mutex::new(Circuit::new(thresholds)),
            slow_from: Duration::from_millis(slow_ms),
            redirect,
        };
        Ok(Compiled::inline(Step(Arc::new(breaker)), needs))
    }
}

fn bounded(
    number: Option<WholeNumber>,
    path: &str,
    default: u64,
    min: u64,
    max: u64,
) -> Result<u64, ConfigError> {
    let number = number.map_or(default, |number| number.0);
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    let expected = format!("a number from {min} to {max}");
    Err(ConfigError::new(path, number.to_string(), expected))
}

#[derive(Debug)]
struct Step(Arc<Breaker>);

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        exchange
            .interceptors
            .push(Arc::<Breaker>::clone(&self.0) as Arc<dyn Interceptor>);
        Outcome::Continue
    }
}

/// One circuit, shared by the workers of a node.
#[derive(Debug)]
struct Breaker {
    circuit: Mutex<Circuit>,
    slow_from: Duration,
    redirect: Option<Template>,
}

impl Interceptor for Breaker {
    fn around<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        inner: &'a mut dyn Invocation,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        Box::pin(async move {
            let begun = services.ambient.nanos();
            let permit = self.circuit.lock().begin(begun);
            let Some(permit) = permit else {
                self.redirect(exchange)?;
                return inner.call(exchange).await;
            };
            let permit = Held {
                breaker: self,
                permit: Some(permit),
            };
            let result = inner.call(exchange).await;
            let now = services.ambient.nanos();
            permit.ended(
                Call {
                    is_failed: result.is_err() || exchange.response.status.is_server_error(),
                    is_slow: Duration::from_nanos(now.saturating_sub(begun)) > self.slow_from,
                },
                now,
            );
            result
        })
    }
}

impl Breaker {
    /// Sends the request elsewhere, if that is configured.
    fn redirect(&self, exchange: &mut Exchange) -> Result<(), Box<Failure>> {
        let open = || {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE)
                .with_key(OPEN_KEY)
                .with_message(Text::constant("Service Unavailable"))
        };
        let Some(template) = &self.redirect else {
            return Err(Box::new(open()));
        };
        let url = template
            .evaluate_text(exchange)
            .map_err(|error| Box::new(open().with_cause(error)))?
            .filter(|url| !url.is_empty());
        let Some(url) = url else {
            return Err(Box::new(
                open().with_cause("redirectToURL evaluates to nothing"),
            ));
        };
        let url = Text::from(url.into_owned());
        exchange.attributes.set_platform("request.endpoint", url);
        Ok(())
    }
}

/// A permit that is given back even if the call is dropped.
struct Held<'b> {
    breaker: &'b Breaker,
    permit: Option<Permit>,
}

impl Held<'_> {
    fn ended(mut self, call: Call, now_nanos: u64) {
        if let Some(permit) = self.permit.take() {
            self.breaker.circuit.lock().ended(permit, call, now_nanos);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.circuit.lock().left(permit);
        }
    }
}
