//! `metrics-reporter`: sends an account of the exchange to another system when the response is complete.

mod account;
mod config;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_policy::{
    CallOptions, CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, OutboundCall,
    Outcome, Phase, PolicyKind, Reporter, Services,
};

pub use config::{MetricsReporterConfig, ReportMethod};

use crate::freemarker::Template;
use crate::outbound::{CallConfig, CompiledCall};
use account::Snapshot;

/// The kind of policy.
#[derive(Debug)]
pub struct MetricsReporter;

impl PolicyKind for MetricsReporter {
    const NAME: &'static str = "metrics-reporter";
    const PHASES: &'static [Phase] = &[Phase::Response];
    type Config = MetricsReporterConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        if config.url.trim().is_empty() {
            return Err(ConfigError::new("url", "nothing", "an absolute URL"));
        }
        let (call, needs) = CompiledCall::compile(CallConfig {
            method: config.method.name(),
            url: &config.url,
            headers: &config.headers,
            body: None,
            options: CallOptions {
                use_system_proxy: config.use_system_proxy == Some(true),
                ..CallOptions::default()
            },
        })?;
        let body = Template::compile(&config.body).map_err(|error| {
            let found = format!("{} in line {}", error.found, error.line);
            ConfigError::new("body", found, error.expected)
        })?;
        // Bodies are no part of the account, whatever the template names.
        let step = Step {
            call,
            body: Arc::new(body),
        };
        Ok(Compiled::inline(step, needs))
    }
}

#[derive(Debug)]
struct Step {
    call: CompiledCall,
    body: Arc<Template>,
}

impl InlinePolicy for Step {
    /// A report that cannot be made is told the log alone: the client's response is complete.
    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        match self.call.evaluate(exchange) {
            Ok(call) => {
                let report = Report {
                    snapshot: Snapshot::new(exchange),
                    call,
                    body: Arc::clone(&self.body),
                };
                exchange.reporting_mut().reporters.push(Arc::new(report));
            }
            Err(cause) => tracing::debug!(cause, "exchange not reported"),
        }
        Outcome::Continue
    }
}

/// A report that waits for the end of its exchange.
#[derive(Debug)]
struct Report {
    snapshot: Snapshot,
    call: OutboundCall,
    body: Arc<Template>,
}

impl Reporter for Report {
    fn report(&self, record: &serde_json::Value, services: &Services) {
        let account = self
            .snapshot
            .complete(record, Arc::clone(&services.ambient));
        let body = match self.body.render(&account) {
            Ok(body) => body,
            Err(error) => {
                tracing::debug!(%error, "exchange not reported");
                return;
            }
        };
        let mut call = self.call.clone();
        *call.request.body_mut() = Bytes::from(body);
        let http = Rc::clone(&services.http);
        let task = Box::pin(async move {
            if let Err(error) = http.send(call).await {
                tracing::debug!(%error, "exchange not reported");
            }
        });
        if let Err(error) = services.tasks.spawn(task) {
            tracing::debug!(%error, "exchange not reported");
        }
    }
}
