//! `http-redirect`: answers with a redirect where the path matches a pattern.

mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tidegate_expression::{Needs, Template};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
    Response,
};

pub use config::{HttpRedirectConfig, PatternCacheConfig, RedirectRule};

use crate::failures::internal_error;
use crate::pattern::{Groups, PathPattern};

/// What cannot stand in a URL.
const URL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// The kind of policy.
#[derive(Debug)]
pub struct HttpRedirect;

impl PolicyKind for HttpRedirect {
    const NAME: &'static str = "http-redirect";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = HttpRedirectConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut rules = Vec::with_capacity(config.rules.len());
        for (index, rule) in config.rules.iter().enumerate() {
            let place = |member: &str| format!("rules[{index}].{member}");
            let pattern = PathPattern::compile(&rule.path, &place("path"))?;
            let location = ConfigError::template(place("location"), rule.location.trim())?;
            let status = rule
                .status
                .map_or(StatusCode::MOVED_PERMANENTLY, |status| status.0);
            if !(300..=308).contains(&status.as_u16()) {
                let expected = "a status from 300 to 308";
                return Err(ConfigError::new(place("status"), status.as_str(), expected));
            }
            needs |= pattern.needs() | location.needs();
            rules.push(Rule {
                pattern,
                location,
                status,
            });
        }
        Ok(Compiled::inline(Rules(rules.into()), needs))
    }
}

#[derive(Debug)]
struct Rules(Box<[Rule]>);

#[derive(Debug)]
struct Rule {
    pattern: PathPattern,
    location: Template,
    status: StatusCode,
}

impl Rules {
    fn redirect(&self, exchange: &Exchange) -> Result<Option<Response>, String> {
        let path = exchange.request.path.info();
        for rule in &self.0 {
            let regex = rule
                .pattern
                .regex(exchange)
                .map_err(|error| format!("path: {error}"))?;
            let Some(captures) = regex.captures(path) else {
                continue;
            };
            let location = rule
                .location
                .evaluate_text(&Groups::new(exchange, &regex, &captures))
                .map_err(|error| format!("location: {error}"))?
                .ok_or("location: null")?;
            // A value that a client chose must not end the header.
            let location = utf8_percent_encode(&location, URL).to_string();
            let location =
                HeaderValue::from_str(&location).map_err(|error| format!("location: {error}"))?;
            return Ok(Some(Response {
                status: rule.status,
                headers: HeaderMap::from_iter([(LOCATION, location)]),
                body: Bytes::new(),
            }));
        }
        Ok(None)
    }
}

impl InlinePolicy for Rules {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        match self.redirect(exchange) {
            Ok(Some(response)) => Outcome::Respond(Box::new(response)),
            Ok(None) => Outcome::Continue,
            Err(cause) => internal_error(cause),
        }
    }
}
