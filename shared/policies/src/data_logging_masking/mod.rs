//! `policy-data-logging-masking`: hides parts of logged headers and bodies; what is sent stays.

mod config;
mod path;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderName;
use regex::Regex;
use serde_json::Value;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, LogMask, Needs, Outcome, Phase,
    PolicyKind,
};

pub use config::{BodyRuleConfig, DataLoggingMaskingConfig, HeaderRuleConfig, MaskedKind};

use crate::pattern::compile;
use path::Path;

/// What stands for a character where a rule names nothing.
const REPLACER: &str = "*";

/// Longest replacer in bytes: it is written once for each character.
const REPLACER_BYTES_MAX: usize = 16;

const CREDIT_CARD: &str = r"\b[0-9](?:[ -]?[0-9]){12,18}\b";
const EMAIL: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+";
const IP: &str = r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}";
const URI: &str = r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+"#;

/// The kind of policy.
#[derive(Debug)]
pub struct DataLoggingMasking;

impl PolicyKind for DataLoggingMasking {
    const NAME: &'static str = "policy-data-logging-masking";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = DataLoggingMaskingConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut headers = Vec::with_capacity(config.header_rules.len());
        for (index, rule) in config.header_rules.iter().enumerate() {
            let place = format!("headerRules[{index}]");
            let name = HeaderName::from_bytes(rule.path.trim().as_bytes()).map_err(|_error| {
                let found = format!("{:?}", rule.path);
                ConfigError::new(format!("{place}.path"), found, "a header name")
            })?;
            headers.push((name, replacer(rule.replacer.as_deref(), &place)?));
        }
        let bodies = config.body_rules.iter().enumerate();
        let bodies = bodies.map(|(index, rule)| compile_body(rule, &format!("bodyRules[{index}]")));
        let mask = Mask {
            headers: headers.into(),
            bodies: bodies.collect::<Result<_, _>>()?,
        };
        Ok(Compiled::inline(Step(Arc::new(mask)), Needs::NONE))
    }
}

fn replacer(configured: Option<&str>, place: &str) -> Result<Box<str>, ConfigError> {
    let replacer = configured.unwrap_or(REPLACER);
    if replacer.len() > REPLACER_BYTES_MAX {
        let path = format!("{place}.replacer");
        let expected = format!("at most {REPLACER_BYTES_MAX} bytes");
        return Err(ConfigError::new(path, format!("{replacer:?}"), expected));
    }
    Ok(replacer.into())
}

fn compile_body(rule: &BodyRuleConfig, place: &str) -> Result<BodyRule, ConfigError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let path = given(&rule.path).map(|text| {
        Path::parse(text.trim()).map_err(|expected| {
            ConfigError::new(format!("{place}.path"), format!("{text:?}"), expected)
        })
    });
    let custom = given(&rule.regex);
    let source = match rule.kind {
        MaskedKind::Custom => custom.as_deref(),
        MaskedKind::CreditCard => Some(CREDIT_CARD),
        MaskedKind::Email => Some(EMAIL),
        MaskedKind::Ip => Some(IP),
        MaskedKind::Uri => Some(URI),
    };
    let regex = source.map(|source| {
        compile(source).map_err(|error| {
            let expected = format!("a regular expression ({error})");
            ConfigError::new(format!("{place}.regex"), format!("{source:?}"), expected)
        })
    });
    Ok(BodyRule {
        path: path.transpose()?,
        regex: regex.transpose()?,
        replacer: replacer(rule.replacer.as_deref(), place)?,
    })
}

#[derive(Debug)]
struct Step(Arc<Mask>);

impl Step {
    fn register(&self, exchange: &mut Exchange) -> Outcome {
        let mask = Arc::<Mask>::clone(&self.0);
        exchange.reporting_mut().masks.push(mask);
        Outcome::Continue
    }
}

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.register(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.register(exchange)
    }
}

#[derive(Debug)]
struct Mask {
    headers: Box<[(HeaderName, Box<str>)]>,
    bodies: Box<[BodyRule]>,
}

#[derive(Debug)]
struct BodyRule {
    path: Option<Path>,
    regex: Option<Regex>,
    replacer: Box<str>,
}

impl LogMask for Mask {
    fn header<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        let rule = self
            .headers
            .iter()
            .find(|(known, _)| known.as_str().eq_ignore_ascii_case(name));
        match rule {
            Some((_, replacer)) => Cow::Owned(hidden(value, replacer)),
            None => Cow::Borrowed(value),
        }
    }

    /// Rules with a path are for JSON; a body that is none and that only such rules are for is hidden whole,
    /// since nobody can tell where the secrets are.
    fn body<'a>(&self, _content_type: Option<&str>, body: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(body);
        let with_path = || self.bodies.iter().filter(|rule| rule.path.is_some());
        if with_path().next().is_some() {
            masked = match serde_json::from_str::<Value>(body) {
                Ok(mut json) => {
                    for rule in with_path() {
                        if let Some(path) = &rule.path {
                            path.each(&mut json, &mut |value| rule.hide(value));
                        }
                    }
                    Cow::Owned(json.to_string())
                }
                Err(_no_json) if body.trim().is_empty() => Cow::Borrowed(body),
                Err(_no_json) => Cow::Owned(hidden(body, REPLACER)),
            };
        }
        for rule in self.bodies.iter().filter(|rule| rule.path.is_none()) {
            masked = Cow::Owned(rule.masked(&masked));
        }
        masked
    }
}

impl BodyRule {
    fn masked(&self, text: &str) -> String {
        match &self.regex {
            Some(regex) => {
                let replaced = regex.replace_all(text, |found: &regex::Captures<'_>| {
                    hidden(&found[0], &self.replacer)
                });
                replaced.into_owned()
            }
            None => hidden(text, &self.replacer),
        }
    }

    /// Hides a value of JSON with all it contains; a number becomes text when a part of it is hidden.
    fn hide(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide(member)),
            Value::String(text) => *text = self.masked(text),
            Value::Null => {}
            scalar => {
                let text = scalar.to_string();
                let masked = self.masked(&text);
                if masked != text {
                    *scalar = Value::String(masked);
                }
            }
        }
    }
}

/// Writes the replacer for each character.
fn hidden(text: &str, replacer: &str) -> String {
    replacer.repeat(text.chars().count())
}
