//! `regex-threat-protection`: refuses requests in which a regular expression is found.

mod config;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use regex::Regex;
use tidegate_expression::Needs;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
    RequestFacts,
};

pub use config::RegexThreatProtectionConfig;

use crate::half::Half;
use crate::pattern::{compile, compile_whole};
use crate::threat::refusal;

/// The kind of policy.
#[derive(Debug)]
pub struct RegexThreatProtection;

impl PolicyKind for RegexThreatProtection {
    const NAME: &'static str = "regex-threat-protection";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RegexThreatProtectionConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let flags = if config.case_sensitive.unwrap_or(false) {
            "(?s)"
        } else {
            "(?si)"
        };
        let source = format!("{flags}{}", config.regex);
        let refused = |reason| ConfigError::new("regex", format!("{:?}", config.regex), reason);
        let whole = compile_whole(&source).map_err(refused)?;
        let in_body = match (
            config.check_body.unwrap_or(true),
            config.full_matching.unwrap_or(true),
        ) {
            (false, _) => None,
            (true, true) => Some(whole.clone()),
            (true, false) => Some(compile(&source).map_err(refused)?),
        };
        let needs = Needs {
            request_content: in_body.is_some(),
            ..Needs::NONE
        };
        let policy = Protection {
            whole,
            in_body,
            checks_headers: config.check_headers.unwrap_or(true),
            checks_path: config.check_path.unwrap_or(true),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Protection {
    whole: Regex,
    in_body: Option<Regex>,
    checks_headers: bool,
    checks_path: bool,
}

impl Protection {
    fn is_in_headers(&self, request: &RequestFacts) -> bool {
        request.headers.iter().any(|(name, value)| {
            self.whole.is_match(name.as_str())
                || self
                    .whole
                    .is_match(&String::from_utf8_lossy(value.as_bytes()))
        })
    }

    fn is_in_path(&self, request: &RequestFacts) -> bool {
        self.whole.is_match(&decoded(request.path.info()))
            || request.query.parameters().iter().any(|parameter| {
                self.whole.is_match(&decoded(&parameter.name))
                    || parameter
                        .value
                        .as_deref()
                        .is_some_and(|value| self.whole.is_match(&decoded(value)))
            })
    }
}

impl InlinePolicy for Protection {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        if self.checks_headers && self.is_in_headers(&exchange.request) {
            return refusal("REGEX_THREAT_HEADER_DETECTED", "found in a header");
        }
        if self.checks_path && self.is_in_path(&exchange.request) {
            return refusal("REGEX_THREAT_PATH_DETECTED", "found in path or query");
        }
        if let Some(regex) = &self.in_body {
            let body = Half::Request.body(exchange);
            let text = body.map(|bytes| String::from_utf8_lossy(bytes));
            if regex.is_match(text.as_deref().unwrap_or_default()) {
                return refusal("REGEX_THREAT_BODY_DETECTED", "found in the body");
            }
        }
        Outcome::Continue
    }
}

/// Decodes as a form: `+` is a blank.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned())
}
