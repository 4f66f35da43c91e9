//! `quota`: so many requests in hours, days, weeks or months.

mod config;
#[cfg(test)]
mod tests;

use http::HeaderName;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Decision, Exchange, LimiterUnavailable,
    Outcome, Phase, PolicyKind, Progress, Services, Window,
};

pub use config::{LongUnit, QuotaConfig};

use crate::counting::{Allowance, Counting, Words};
use crate::rate_limit::LimitHeaders;

const WORDS: Words = Words {
    member: "quota",
    suffix: ":q",
    too_many: "QUOTA_TOO_MANY_REQUESTS",
    server_error: "QUOTA_SERVER_ERROR",
    blocked: "QUOTA_BLOCK_ON_INTERNAL_ERROR",
    blocked_message: "Quota blocked the query due to internal error",
};

const HEADERS: LimitHeaders = LimitHeaders {
    limit: HeaderName::from_static("x-quota-limit"),
    remaining: HeaderName::from_static("x-quota-remaining"),
    reset: HeaderName::from_static("x-quota-reset"),
};

/// The kind of policy.
#[derive(Debug)]
pub struct Quota;

impl PolicyKind for Quota {
    const NAME: &'static str = "quota";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = QuotaConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (counting, needs) = Counting::compile(
            &WORDS,
            &config.quota,
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

#[derive(Debug)]
struct Step {
    counting: Counting<LongUnit>,
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
        allowance: Allowance<LongUnit>,
        decision: Result<Decision, LimiterUnavailable>,
    ) -> Outcome {
        if self.has_headers {
            HEADERS.set(exchange, &allowance, decision.as_ref().ok());
        }
        let Ok(decision) = decision else {
            return self.counting.uncounted();
        };
        let attributes = &mut exchange.attributes;
        let remaining = allowance.limit.saturating_sub(decision.count);
        // Beyond the most attributes of an exchange they are left out: counting goes on.
        attributes.set_platform("quota.count", decision.count);
        attributes.set_platform("quota.remaining", remaining);
        attributes.set_platform("quota.limit", allowance.limit);
        attributes.set_platform("quota.reset.time", decision.reset_ms);
        if decision.is_allowed {
            return Outcome::Continue;
        }
        let sentence = allowance.sentence();
        let message = format!("Quota exceeded! You reached the limit of {sentence}");
        Outcome::fail(self.counting.exceeded(message, allowance))
    }
}
