//! `dynamic-routing`: chooses the endpoint by patterns of the path.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tidegate_expression::{Needs, Template, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::{DynamicRoutingConfig, RoutingRuleConfig};

use crate::failures::internal_error;
use crate::pattern::{Groups, PathPattern};

/// What cannot stand in a URL.
const URL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// The kind of policy.
#[derive(Debug)]
pub struct DynamicRouting;

impl PolicyKind for DynamicRouting {
    const NAME: &'static str = "dynamic-routing";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = DynamicRoutingConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut rules = Vec::with_capacity(config.rules.len());
        for (index, rule) in config.rules.iter().enumerate() {
            let path = format!("rules[{index}].pattern");
            let pattern = PathPattern::compile(&rule.pattern, &path)?;
            let url = ConfigError::template(format!("rules[{index}].url"), &rule.url)?;
            needs |= pattern.needs() | url.needs();
            rules.push(Rule { pattern, url });
        }
        Ok(Compiled::inline(Rules(rules.into()), needs))
    }
}

#[derive(Debug)]
struct Rules(Box<[Rule]>);

#[derive(Debug)]
struct Rule {
    pattern: PathPattern,
    url: Template,
}

impl InlinePolicy for Rules {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        if self.0.is_empty() {
            return Outcome::Continue;
        }
        match self.endpoint(exchange) {
            Ok(Some(endpoint)) => {
                let attributes = &mut exchange.attributes;
                if attributes.set_platform("request.endpoint", endpoint) {
                    Outcome::Continue
                } else {
                    internal_error("too many attributes")
                }
            }
            Ok(None) => Outcome::fail(
                Failure::new(StatusCode::BAD_REQUEST)
                    .with_message("No routing rule is matching path"),
            ),
            Err(cause) => internal_error(cause),
        }
    }
}

impl Rules {
    /// Evaluates the URL of the first rule that matches.
    ///
    /// A rule may be written for the decoded path or for the path as it was sent. Groups are taken from
    /// the path as it was sent where that matches, so that `%3F` in it never becomes a query.
    fn endpoint(&self, exchange: &Exchange) -> Result<Option<Value>, String> {
        let sent = exchange.request.path.info();
        let decoded = percent_decode_str(sent).decode_utf8_lossy();
        for rule in &self.0 {
            let regex = rule
                .pattern
                .regex(exchange)
                .map_err(|error| format!("pattern: {error}"))?;
            let found = regex.captures(sent).or_else(|| regex.captures(&decoded));
            let Some(captures) = found else {
                continue;
            };
            let groups = Groups::new(exchange, &regex, &captures);
            let url = rule
                .url
                .evaluate_text(&groups)
                .map_err(|error| format!("url: {error}"))?
                .ok_or("url: null")?;
            let url = utf8_percent_encode(&url, URL).to_string();
            return Ok(Some(Value::from(url)));
        }
        Ok(None)
    }
}
