//! `spike-arrest`: the requests of a period, spread over short slices of it.

mod config;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue};
use tidegate_expression::Text;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Decision, Exchange, LimiterUnavailable,
    Outcome, Phase, PolicyKind, Progress, Services, Window,
};

pub use config::SpikeArrestConfig;

use crate::counting::{Allowance, Counting, Words};
use crate::rate_limit::ShortUnit;

const WORDS: Words = Words {
    member: "spike",
    suffix: ":sa",
    too_many: "SPIKE_ARREST_TOO_MANY_REQUESTS",
    server_error: "SPIKE_ARREST_SERVER_ERROR",
    blocked: "SPIKE_ARREST_BLOCK_ON_INTERNAL_ERROR",
    blocked_message: "Spike arrest blocked the query due to internal error",
};

const LIMIT: HeaderName = HeaderName::from_static("x-spike-arrest-limit");
const SLICE_PERIOD: HeaderName = HeaderName::from_static("x-spike-arrest-slice-period");
const RESET: HeaderName = HeaderName::from_static("x-spike-arrest-reset");

/// Shortest slice in milliseconds.
const SLICE_MS_MIN: u128 = 100;

/// The kind of policy.
#[derive(Debug)]
pub struct SpikeArrest;

impl PolicyKind for SpikeArrest {
    const NAME: &'static str = "spike-arrest";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = SpikeArrestConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (counting, needs) = Counting::compile(
            &WORDS,
            &config.spike,
            config.is_async,
            config.error_strategy,
        )?;
        let policy = Step {
            counting,
            has_headers: config.add_headers,
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

/// A part of the period and what fits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    limit: u64,
    period_ms: u64,
}

impl Slice {
    /// Cuts a period into slices for one request each, or for more if such slices were too short.
    fn new(limit: u64, period_ms: u64) -> Self {
        if limit == 0 {
            // Nothing may pass, whatever the slice.
            return Self { limit, period_ms };
        }
        let (all, period) = (u128::from(limit), u128::from(period_ms).max(1));
        let requests = if period < SLICE_MS_MIN * all {
            // 100 ms divided by the slice of one request, rounded to the nearest.
            (2 * SLICE_MS_MIN * all + period) / (2 * period)
        } else {
            1
        };
        let narrow = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            limit: narrow(requests),
            period_ms: narrow(period * requests / all).max(1),
        }
    }
}

#[derive(Debug)]
struct Step {
    counting: Counting<ShortUnit>,
    has_headers: bool,
}

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let allowance = match self.counting.allowance(exchange) {
            Ok(allowance) => allowance,
            Err(failure) => return Progress::Done(Outcome::Fail(failure)),
        };
        let period_ms = allowance.unit.millis(allowance.period).unwrap_or(u64::MAX);
        let slice = Slice::new(allowance.limit, period_ms);
        self.counting.count(
            exchange,
            services,
            (slice.limit, Window::Millis(slice.period_ms)),
            move |exchange, decision| self.finish(exchange, allowance, slice, decision),
        )
    }
}

impl Step {
    fn finish(
        &self,
        exchange: &mut Exchange,
        allowance: Allowance<ShortUnit>,
        slice: Slice,
        decision: Result<Decision, LimiterUnavailable>,
    ) -> Outcome {
        if self.has_headers {
            set_headers(exchange, slice, decision.as_ref().ok());
        }
        match decision {
            Err(LimiterUnavailable) => self.counting.uncounted(),
            Ok(decision) if decision.is_allowed => Outcome::Continue,
            Ok(_) => {
                let message = format!(
                    "Spike limit exceeded! You reached the limit of {} requests per {} ms.",
                    slice.limit, slice.period_ms
                );
                let mut failure = self.counting.exceeded(message, allowance);
                failure.parameters.extend([
                    (Text::constant("slice_limit"), slice.limit.into()),
                    (Text::constant("slice_period_time"), slice.period_ms.into()),
                    (
                        Text::constant("slice_period_unit"),
                        Text::constant("MILLISECONDS").into(),
                    ),
                ]);
                Outcome::fail(failure)
            }
        }
    }
}

fn set_headers(exchange: &mut Exchange, slice: Slice, decision: Option<&Decision>) {
    let headers = &mut exchange.response.headers;
    headers.insert(LIMIT, slice.limit.into());
    if let Ok(period) = HeaderValue::try_from(format!("{}ms", slice.period_ms)) {
        headers.insert(SLICE_PERIOD, period);
    }
    let reset = match decision {
        Some(decision) => HeaderValue::from(decision.reset_ms),
        None => HeaderValue::from_static("-1"),
    };
    headers.insert(RESET, reset);
}
