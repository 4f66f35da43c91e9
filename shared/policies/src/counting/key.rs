//! The key of a counter.
//!
//! Without an own key, all steps of one policy that a plan and a subscription meet share one counter, in
//! whichever flow they stand.

use tidegate_expression::{Needs, Template};
use tidegate_policy::{ConfigError, Exchange};

use super::Words;

/// Longest part of a key that an expression may give, in bytes; what is beyond does not distinguish.
const COMPUTED_BYTES_MAX: usize = 1024;

/// How the key of a counter is made.
#[derive(Debug)]
pub(crate) struct CounterKey {
    own: Option<Template>,
    is_alone: bool,
    suffix: &'static str,
}

impl CounterKey {
    /// Compiles the key; with `is_alone` the own key stands without plan and subscription.
    pub(crate) fn compile(
        words: &Words,
        own: Option<&str>,
        is_alone: bool,
    ) -> Result<Self, ConfigError> {
        let own = own
            .filter(|own| !own.trim().is_empty())
            .map(|own| ConfigError::template(words.place("key"), own))
            .transpose()?;
        Ok(Self {
            own,
            is_alone,
            suffix: words.suffix,
        })
    }

    pub(super) fn needs(&self) -> Needs {
        self.own.as_ref().map_or(Needs::NONE, Template::needs)
    }

    /// Makes the key of this request with one allocation besides what an expression needs.
    pub(crate) fn text(&self, exchange: &Exchange) -> Result<String, String> {
        let own = match &self.own {
            None => None,
            Some(template) => template
                .evaluate_text(exchange)
                .map_err(|error| format!("key: {error}"))?
                .filter(|own| !own.is_empty()),
        };
        let own = own.as_deref().map(bounded);
        let client = exchange.attributes.get("oauth.client_id");
        let (plan, subscription) = match (own, self.is_alone) {
            (Some(_), true) => ("", ""),
            _ => (
                match &exchange.plan {
                    Some(plan) => plan.id.as_str(),
                    None => client
                        .and_then(|client| client.as_text())
                        .unwrap_or(&exchange.api.id),
                },
                exchange
                    .subscription
                    .as_ref()
                    .map_or("", |subscription| subscription.id.as_str()),
            ),
        };
        let own = own.unwrap_or_default();
        let length = plan.len() + subscription.len() + own.len() + self.suffix.len() + 1;
        let mut key = String::with_capacity(length);
        key.push_str(plan);
        key.push_str(subscription);
        if !own.is_empty() {
            if !key.is_empty() {
                key.push(':');
            }
            key.push_str(own);
        }
        key.push_str(self.suffix);
        Ok(key)
    }
}

fn bounded(own: &str) -> &str {
    &own[..own.floor_char_boundary(COMPUTED_BYTES_MAX)]
}
