//! `rate-limit`: so many requests in so many seconds or minutes.

mod config;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Decision, Exchange, LimiterUnavailable,
    Outcome, Phase, PolicyKind, Progress, Services, Window,
};

pub use config::{RateLimitConfig, ShortUnit};

use crate::counting::{Allowance, Counting, PeriodUnit, Words};

const WORDS: Words = Words {
    member: "rate",
    suffix: ":rl",
    too_many: "RATE_LIMIT_TOO_MANY_REQUESTS",
    server_error: "RATE_LIMIT_SERVER_ERROR",
    blocked: "RATE_LIMIT_BLOCK_ON_INTERNAL_ERROR",
    blocked_message: "Rate limit blocked the query due to internal error",
};

const HEADERS: LimitHeaders = LimitHeaders {
    limit: HeaderName::from_static("x-rate-limit-limit"),
    remaining: HeaderName::from_static("x-rate-limit-remaining"),
    reset: HeaderName::from_static("x-rate-limit-reset"),
};

/// The kind of policy.
#[derive(Debug)]
pub struct RateLimit;

impl PolicyKind for RateLimit {
    const NAME: &'static str = "rate-limit";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RateLimitConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (counting, needs) =
            Counting::compile(&WORDS, &config.rate, config.is_async, config.error_strategy)?;
        let policy = Step {
            counting,
            has_headers: config.add_headers,
        };
        Ok(Compiled::asynchronous(policy, needs))
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
        let window = allowance.window().unwrap_or(Window::Millis(u64::MAX));
        self.counting.count(
            exchange,
            services,
            (allowance.limit, window),
            move |exchange, decision| self.finish(exchange, allowance, decision),
        )
    }
}

impl Step {
    fn finish(
        &self,
        exchange: &mut Exchange,
        allowance: Allowance<ShortUnit>,
        decision: Result<Decision, LimiterUnavailable>,
    ) -> Outcome {
        if self.has_headers {
            HEADERS.set(exchange, &allowance, decision.as_ref().ok());
        }
        match decision {
            Err(LimiterUnavailable) => self.counting.uncounted(),
            Ok(decision) if decision.is_allowed => Outcome::Continue,
            Ok(_) => {
                let sentence = allowance.sentence();
                let message = format!("Rate limit exceeded! You reached the limit of {sentence}");
                Outcome::fail(self.counting.exceeded(message, allowance))
            }
        }
    }
}

/// Names of the headers that tell where a client stands.
#[derive(Debug)]
pub(crate) struct LimitHeaders {
    pub(crate) limit: HeaderName,
    pub(crate) remaining: HeaderName,
    pub(crate) reset: HeaderName,
}

impl LimitHeaders {
    /// Sets the headers on the response. Without a decision the whole limit remains and the end of the
    /// window is -1.
    pub(crate) fn set<U: PeriodUnit>(
        &self,
        exchange: &mut Exchange,
        allowance: &Allowance<U>,
        decision: Option<&Decision>,
    ) {
        let (remaining, reset) = match decision {
            Some(decision) => (
                allowance.limit.saturating_sub(decision.count),
                HeaderValue::from(decision.reset_ms),
            ),
            None => (allowance.limit, HeaderValue::from_static("-1")),
        };
        let headers = &mut exchange.response.headers;
        headers.insert(self.limit.clone(), allowance.limit.into());
        headers.insert(self.remaining.clone(), remaining.into());
        headers.insert(self.reset.clone(), reset);
    }
}
