//! `policy-assign-metrics`: adds fields to the exchange's record.

mod config;
#[cfg(test)]
mod tests;

use tidegate_expression::{Needs, Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::{AssignMetricsConfig, MetricConfig};

use crate::failures::internal_error;

/// Most fields that policies may add to one record.
const METRICS_MAX: usize = 256;

/// The kind of policy.
#[derive(Debug)]
pub struct AssignMetrics;

impl PolicyKind for AssignMetrics {
    const NAME: &'static str = "policy-assign-metrics";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = AssignMetricsConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut metrics = Vec::with_capacity(config.metrics.len());
        for (index, metric) in config.metrics.iter().enumerate() {
            let name = metric.name.trim();
            if name.is_empty() {
                let path = format!("metrics[{index}].name");
                return Err(ConfigError::new(path, "\"\"", "a name"));
            }
            let Some(value) = &metric.value else {
                continue;
            };
            let value = ConfigError::template(format!("metrics[{index}].value"), value)?;
            needs |= value.needs();
            metrics.push((Text::from(name), value));
        }
        Ok(Compiled::inline(Metrics(metrics.into()), needs))
    }
}

#[derive(Debug)]
struct Metrics(Box<[(Text, Template)]>);

impl Metrics {
    fn apply(&self, exchange: &mut Exchange) -> Outcome {
        for (name, value) in &self.0 {
            let value = match value.evaluate(exchange) {
                Ok(value) => value,
                Err(error) => return internal_error(format_args!("metric {name}: {error}")),
            };
            let metrics = &mut exchange.reporting_mut().metrics;
            metrics.retain(|(known, _)| known != name);
            if value.is_null() {
                continue;
            }
            if metrics.len() >= METRICS_MAX {
                return internal_error("too many metrics");
            }
            metrics.push((name.clone(), value));
        }
        Outcome::Continue
    }
}

impl InlinePolicy for Metrics {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange)
    }
}
