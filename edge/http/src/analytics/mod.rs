//! What is told about the requests of an API: whether records are made of them, and how much of
//! their messages is logged. Source: `gravitee-v4.md` §1.8.

mod capture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;
use tidegate_expression::{CompileError, Condition};
use tidegate_model::api::Analytics as AnalyticsRules;
use tidegate_policy::Exchange;

pub(crate) use capture::Capture;
pub use capture::{ExchangeLog, LoggedMessage};

/// Compiled analytics of an API.
#[derive(Debug, Default)]
pub struct Analytics {
    /// Whether requests leave records at all.
    pub is_enabled: bool,
    /// What of messages is logged; `None` for nothing, which costs nothing.
    pub logging: Option<Logging>,
}

/// Which messages are logged, and which parts of them.
#[derive(Debug)]
pub struct Logging {
    /// Must hold for a request to be logged.
    condition: Option<Condition>,
    parts: Parts,
    /// Headers that carry the API's credentials.
    hidden: Arc<[HeaderName]>,
}

/// The switches of message logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of the definition, each on its own"
)]
struct Parts {
    /// Messages between client and edge.
    entrypoint: bool,
    /// Messages between edge and endpoint.
    endpoint: bool,
    request: bool,
    response: bool,
    headers: bool,
    payload: bool,
}

impl Analytics {
    /// Compiles the analytics of a definition whose plans take credentials in the headers `hidden`.
    ///
    /// # Errors
    /// The logging condition is no expression.
    pub fn compile(rules: &AnalyticsRules, hidden: Vec<HeaderName>) -> Result<Self, CompileError> {
        let is_on = |group: &str, name: &str| {
            let flag = rules.logging.get(group).and_then(|group| group.get(name));
            flag.and_then(Value::as_bool).unwrap_or(false)
        };
        let parts = Parts {
            entrypoint: is_on("mode", "entrypoint"),
            endpoint: is_on("mode", "endpoint"),
            request: is_on("phase", "request"),
            response: is_on("phase", "response"),
            headers: is_on("content", "headers"),
            payload: is_on("content", "payload"),
        };
        let is_logging = rules.enabled
            && (parts.entrypoint || parts.endpoint)
            && (parts.request || parts.response);
        let condition = rules.logging.get("condition").and_then(Value::as_str);
        let condition = condition.map(str::trim).filter(|source| !source.is_empty());
        let condition = condition.map(Condition::compile).transpose()?;
        Ok(Self {
            is_enabled: rules.enabled,
            logging: is_logging.then(|| Logging {
                condition,
                parts,
                hidden: hidden.into(),
            }),
        })
    }
}

impl Logging {
    /// Begins to copy the messages of a request that just arrived, if it is to be logged.
    pub(crate) fn begin(&self, exchange: &Exchange) -> Option<Box<Capture>> {
        let condition = self.condition.as_ref();
        let applies = condition.is_none_or(|condition| condition.holds(exchange));
        applies.then(|| Box::new(Capture::new(self.parts, Arc::clone(&self.hidden))))
    }
}
