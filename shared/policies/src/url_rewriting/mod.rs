//! `url-rewriting`: replaces what a pattern matches in headers and body of the response.

mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};
use regex::Regex;
use tidegate_expression::limits::TEXT_BYTES_MAX;
use tidegate_expression::{Needs, Template};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::UrlRewritingConfig;

use crate::failures::internal_error;
use crate::half::Half;
use crate::pattern::{Groups, compile};

/// Most replacements in one text: each one evaluates a template.
const REPLACEMENTS_MAX: usize = 50_000;

/// The kind of policy.
#[derive(Debug)]
pub struct UrlRewriting;

impl PolicyKind for UrlRewriting {
    const NAME: &'static str = "url-rewriting";
    const PHASES: &'static [Phase] = &[Phase::Response];
    type Config = UrlRewritingConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let from = compile(&config.from_regex).map_err(|error| {
            let expected = format!("a regular expression ({error})");
            ConfigError::new("fromRegex", format!("{:?}", config.from_regex), expected)
        })?;
        let to = ConfigError::template("toReplacement", &config.to_replacement)?;
        let rewrites_body = config.rewrite_response_body.unwrap_or(true);
        let mut needs = to.needs();
        needs |= Needs {
            request_content: false,
            response_content: rewrites_body,
        };
        let policy = Rewriting {
            from,
            to,
            rewrites_headers: config.rewrite_response_headers.unwrap_or(true),
            rewrites_body,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Rewriting {
    from: Regex,
    to: Template,
    rewrites_headers: bool,
    rewrites_body: bool,
}

impl InlinePolicy for Rewriting {
    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        match self.rewrite_response(exchange) {
            Ok(()) => Outcome::Continue,
            Err(cause) => internal_error(cause),
        }
    }
}

impl Rewriting {
    fn rewrite_response(&self, exchange: &mut Exchange) -> Result<(), String> {
        if self.rewrites_headers {
            self.rewrite_headers(exchange)?;
        }
        // A body that is no text, such as an image or compressed text, has no URLs to rewrite.
        if self.rewrites_body
            && let Some(body) = Half::Response.body(exchange)
            && let Ok(text) = std::str::from_utf8(body)
            && let Some(text) = self.rewritten(text, exchange)?
        {
            Half::Response.replace_body(exchange, Bytes::from(text));
        }
        Ok(())
    }

    fn rewrite_headers(&self, exchange: &mut Exchange) -> Result<(), String> {
        let mut changes: Vec<(HeaderName, usize, HeaderValue)> = Vec::new();
        let headers = &exchange.response.headers;
        let framing = [&CONTENT_LENGTH, &TRANSFER_ENCODING];
        for name in headers.keys().filter(|name| !framing.contains(name)) {
            for (index, value) in headers.get_all(name).iter().enumerate() {
                let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
                    continue;
                };
                if let Some(text) = self.rewritten(text, exchange)? {
                    let value = HeaderValue::from_bytes(text.as_bytes())
                        .map_err(|_error| format!("header {name}: control characters"))?;
                    changes.push((name.clone(), index, value));
                }
            }
        }
        for (name, index, changed) in changes {
            if let http::header::Entry::Occupied(mut values) = exchange.response.headers.entry(name)
                && let Some(value) = values.iter_mut().nth(index)
            {
                *value = changed;
            }
        }
        Ok(())
    }

    /// Replaces every match; `None` if there is none.
    fn rewritten(&self, text: &str, exchange: &Exchange) -> Result<Option<String>, String> {
        let mut out = String::new();
        let mut end = 0;
        let mut count = 0;
        for captures in self.from.captures_iter(text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            count += 1;
            out.push_str(&text[end..whole.start()]);
            let groups = Groups::new(exchange, &self.from, &captures);
            let replacement = self.to.evaluate_text(&groups);
            let replacement = replacement.map_err(|error| format!("toReplacement: {error}"))?;
            out.push_str(replacement.as_deref().unwrap_or_default());
            end = whole.end();
            if count > REPLACEMENTS_MAX || out.len() > TEXT_BYTES_MAX {
                return Err("too many or too long replacements".to_owned());
            }
        }
        if count == 0 {
            return Ok(None);
        }
        out.push_str(&text[end..]);
        Ok(Some(out))
    }
}
