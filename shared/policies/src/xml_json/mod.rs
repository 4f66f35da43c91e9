//! `xml-json`: makes JSON of an XML body.

mod config;
mod parse;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::XmlJsonConfig;

use crate::half::Half;
use crate::xml_text::decode;

/// Key of the failure when the body is no XML.
pub const FAILURE_KEY: &str = "XML_INVALID_PAYLOAD";

/// The kind of policy.
#[derive(Debug)]
pub struct XmlJson;

impl PolicyKind for XmlJson {
    const NAME: &'static str = "xml-json";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = XmlJsonConfig;

    fn compile(_config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        Ok(Compiled::inline(Step, Half::needs_in(ctx.phase)))
    }
}

#[derive(Debug)]
struct Step;

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        apply(exchange, Half::Request, StatusCode::BAD_REQUEST)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        apply(exchange, Half::Response, StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn apply(exchange: &mut Exchange, half: Half, status: StatusCode) -> Outcome {
    let Some(body) = half.body(exchange) else {
        return Outcome::Continue;
    };
    let text = decode(body, half.content_type(exchange));
    let json = text.and_then(|text| parse::parse(&text));
    let value = HeaderValue::from_static("application/json");
    match json {
        Ok(json) => {
            half.replace_body(exchange, Bytes::from(json.to_string()));
            match half.headers_mut(exchange).try_insert(CONTENT_TYPE, value) {
                Ok(_) => Outcome::Continue,
                Err(_full) => failure(status, "too many headers".to_owned()),
            }
        }
        Err(cause) => failure(status, cause),
    }
}

fn failure(status: StatusCode, cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(status)
            .with_key(FAILURE_KEY)
            .with_message("Unable to transform invalid XML to Json")
            .with_cause(cause),
    )
}
