//! `latency`: makes the request wait.

mod config;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Needs, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{LatencyConfig, LatencyUnit};

/// Longest wait: far above any request timeout.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// The kind of policy.
#[derive(Debug)]
pub struct Latency;

impl PolicyKind for Latency {
    const NAME: &'static str = "latency";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = LatencyConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let number = config.time.unwrap_or(100);
        let time = match config.time_unit {
            LatencyUnit::Milliseconds => Duration::from_millis(number),
            LatencyUnit::Seconds => Duration::from_secs(number),
        };
        if time > TIME_MAX {
            return Err(ConfigError::new(
                "time",
                number.to_string(),
                "at most an hour",
            ));
        }
        Ok(Compiled::asynchronous(Wait(time), Needs::NONE))
    }
}

#[derive(Debug)]
struct Wait(Duration);

impl AsyncPolicy for Wait {
    fn on_request<'a>(
        &'a self,
        _exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        if self.0.is_zero() {
            return Progress::CONTINUE;
        }
        let sleep = services.tasks.sleep(self.0);
        Progress::waiting(async move {
            sleep.await;
            Outcome::Continue
        })
    }
}
