//! What `rate-limit`, `quota` and `spike-arrest` share: the key of a counter, the limit and the period, and
//! what happens if nobody can count.

mod config;
mod key;

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use tidegate_expression::{Needs, Template, Text, Value};
use tidegate_policy::{
    ConfigError, Decision, Exchange, Failure, LimitRequest, LimiterUnavailable, Outcome, Progress,
    Services, Take, Window,
};

pub(crate) use config::{ErrorStrategy, WindowConfig};
use key::CounterKey;

/// A unit in which a period is configured.
pub(crate) trait PeriodUnit: Copy + Default + fmt::Debug {
    /// The unit of a period that an expression gives.
    const COMPUTED: Self;

    /// Name as configured, such as `SECONDS`.
    fn name(self) -> &'static str;

    /// The window of `time` units, or `None` if it is longer than can be said.
    fn window(self, time: u64) -> Option<Window>;
}

/// The words in which a counting policy speaks.
#[derive(Debug)]
pub(crate) struct Words {
    /// Member of the configuration that holds the window; empty for the configuration itself.
    pub(crate) member: &'static str,
    /// End of the counter's key.
    pub(crate) suffix: &'static str,
    /// Key of the failure when the limit is passed.
    pub(crate) too_many: &'static str,
    /// Key of the failure when an expression cannot be evaluated.
    pub(crate) server_error: &'static str,
    /// Key of the failure when nobody can count and the strategy is to block.
    pub(crate) blocked: &'static str,
    /// Text of the failure when nobody can count and the strategy is to block.
    pub(crate) blocked_message: &'static str,
}

impl Words {
    /// The place of a member of the window.
    fn place(&self, member: &str) -> String {
        match self.member {
            "" => member.to_owned(),
            window => format!("{window}.{member}"),
        }
    }
}

/// A limit, its window and the key of its counter, ready to run.
#[derive(Debug)]
pub(crate) struct Counting<U: 'static> {
    words: &'static Words,
    key: CounterKey,
    limit: Number,
    period: Number,
    unit: U,
    is_async: bool,
    strategy: ErrorStrategy,
}

/// A positive whole number, known at deployment or computed per request.
#[derive(Debug)]
enum Number {
    Fixed(u64),
    Computed(Box<Template>),
}

/// What this request may do and in which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance<U> {
    /// Most that fits in the period.
    pub(crate) limit: u64,
    /// Number of units of the period.
    pub(crate) period: u64,
    /// Unit of the period.
    pub(crate) unit: U,
}

impl<U: PeriodUnit> Counting<U> {
    /// Compiles the window at the member that `words` names; tells which bodies its expressions read.
    pub(crate) fn compile(
        words: &'static Words,
        config: &WindowConfig<U>,
        is_async: bool,
        strategy: ErrorStrategy,
    ) -> Result<(Self, Needs), ConfigError> {
        let at = |member: &str| words.place(member);
        let key = CounterKey::compile(words, config.key.as_deref(), config.use_key_only)?;
        let limit = Number::compile(
            config.limit.unwrap_or(0),
            config.dynamic_limit.as_deref(),
            &at("limit"),
            &at("dynamicLimit"),
        )?;
        let (period, unit) = match config.period_time {
            None | Some(..=0) if is_written(config.dynamic_period_time.as_deref()) => {
                let path = at("dynamicPeriodTime");
                let source = config.dynamic_period_time.as_deref();
                (Number::compile(0, source, &path, &path)?, U::COMPUTED)
            }
            time => (
                Number::compile(time.unwrap_or(1), None, &at("periodTime"), "")?,
                config.period_time_unit.unwrap_or_default(),
            ),
        };
        if let Number::Fixed(time) = period
            && unit
                .window(time)
                .and_then(|window| window.end_ms(0))
                .is_none()
        {
            let found = format!("{time} {}", unit.name());
            return Err(ConfigError::new(
                at("periodTime"),
                found,
                "a shorter period",
            ));
        }
        let needs = key.needs() | limit.needs() | period.needs();
        let counting = Self {
            words,
            key,
            limit,
            period,
            unit,
            is_async,
            strategy,
        };
        Ok((counting, needs))
    }

    /// Evaluates limit and period for this request.
    pub(crate) fn allowance(&self, exchange: &Exchange) -> Result<Allowance<U>, Box<Failure>> {
        let evaluate = |number: &Number, name: &str| {
            number
                .evaluate(exchange)
                .map_err(|cause| self.broken(&format!("{name}: {cause}")))
        };
        Ok(Allowance {
            limit: evaluate(&self.limit, "limit")?,
            period: evaluate(&self.period, "period")?.max(1),
            unit: self.unit,
        })
    }

    /// Counts this request against `limit` in `window` and hands the decision, or that there is none, to
    /// `finish`. Waits only if the decision is made elsewhere.
    pub(crate) fn count<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &Services,
        (limit, window): (u64, Window),
        finish: impl FnOnce(&mut Exchange, Result<Decision, LimiterUnavailable>) -> Outcome + 'a,
    ) -> Progress<'a> {
        self.count_weight(exchange, services, (limit, window, 1), finish)
    }

    /// As [`Counting::count`], for a request that counts `weight`.
    pub(crate) fn count_weight<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &Services,
        (limit, window, weight): (u64, Window, u64),
        finish: impl FnOnce(&mut Exchange, Result<Decision, LimiterUnavailable>) -> Outcome + 'a,
    ) -> Progress<'a> {
        let key = match self.key.text(exchange) {
            Ok(key) => key,
            Err(cause) => return Progress::Done(Outcome::Fail(self.broken(&cause))),
        };
        let take = services.limiter.take(&LimitRequest {
            key: &key,
            limit,
            window,
            weight,
            now_ms: exchange.request.timestamp_ms,
            is_async: self.is_async,
        });
        match take {
            Take::Decided(decision) => Progress::Done(finish(exchange, Ok(decision))),
            Take::Waiting(future) => {
                Progress::waiting(async move { finish(exchange, future.await) })
            }
        }
    }

    /// What becomes of a request that nobody could count.
    pub(crate) fn uncounted(&self) -> Outcome {
        match self.strategy {
            ErrorStrategy::PassThrough => Outcome::Continue,
            ErrorStrategy::Block => Outcome::fail(
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                    .with_key(self.words.blocked)
                    .with_message(Text::constant(self.words.blocked_message))
                    .with_cause(LimiterUnavailable),
            ),
        }
    }

    /// The failure of a request beyond its limit.
    pub(crate) fn exceeded(&self, message: String, allowance: Allowance<U>) -> Failure {
        let mut failure = Failure::new(StatusCode::TOO_MANY_REQUESTS)
            .with_key(self.words.too_many)
            .with_message(message);
        failure.parameters = vec![
            (Text::constant("limit"), allowance.limit.into()),
            (Text::constant("period_time"), allowance.period.into()),
            (
                Text::constant("period_unit"),
                Text::constant(allowance.unit.name()).into(),
            ),
        ];
        failure
    }

    fn broken(&self, cause: &str) -> Box<Failure> {
        Box::new(
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                .with_key(self.words.server_error)
                .with_message(Text::constant("Internal Server Error"))
                .with_cause(cause),
        )
    }
}

impl<U: PeriodUnit> Allowance<U> {
    /// The window of the period; `None` for a computed period longer than can be said.
    pub(crate) fn window(&self) -> Option<Window> {
        self.unit.window(self.period)
    }

    /// `<limit> requests per <time> <unit>`, as the texts of failures say it.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} requests per {} {}",
            self.limit,
            self.period,
            self.unit.name().to_ascii_lowercase()
        )
    }
}

impl Number {
    fn compile(
        fixed: i64,
        computed: Option<&str>,
        fixed_path: &str,
        computed_path: &str,
    ) -> Result<Self, ConfigError> {
        if let Some(fixed) = u64::try_from(fixed).ok().filter(|fixed| *fixed > 0) {
            return Ok(Self::Fixed(fixed));
        }
        let Some(source) = computed.filter(|source| is_written(Some(source))) else {
            let expected = "a number above 0, or an expression in its dynamic sibling";
            return Err(ConfigError::new(fixed_path, fixed.to_string(), expected));
        };
        let template = ConfigError::template(computed_path, source)?;
        let Some(literal) = template.as_literal() else {
            return Ok(Self::Computed(Box::new(template)));
        };
        whole(&Value::from(literal))
            .map(Self::Fixed)
            .ok_or_else(|| {
                ConfigError::new(computed_path, format!("{literal:?}"), "a whole number")
            })
    }

    fn needs(&self) -> Needs {
        match self {
            Self::Fixed(_) => Needs::NONE,
            Self::Computed(template) => template.needs(),
        }
    }

    fn evaluate(&self, exchange: &Exchange) -> Result<u64, Cow<'static, str>> {
        match self {
            Self::Fixed(number) => Ok(*number),
            Self::Computed(template) => {
                let value = template
                    .evaluate(exchange)
                    .map_err(|error| error.to_string())?;
                whole(&value).ok_or(Cow::Borrowed("the expression gives no whole number"))
            }
        }
    }
}

/// A whole number that is not negative.
fn whole(value: &Value) -> Option<u64> {
    value.to_i64().and_then(|number| u64::try_from(number).ok())
}

fn is_written(source: Option<&str>) -> bool {
    source.is_some_and(|source| !source.trim().is_empty())
}
