//! `json-xml`: makes XML of a JSON body.

mod config;
#[cfg(test)]
mod tests;
mod write;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::JsonXmlConfig;

use crate::half::Half;

/// Key of the failure when the body is no JSON object, or cannot be XML.
pub const FAILURE_KEY: &str = "JSON_INVALID_PAYLOAD";

/// The kind of policy.
#[derive(Debug)]
pub struct JsonXml;

impl PolicyKind for JsonXml {
    const NAME: &'static str = "json-xml";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = JsonXmlConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let root = config.root_element.unwrap_or_else(|| "root".to_owned());
        if !write::is_name(&root) {
            let expected = "the name of an element";
            return Err(ConfigError::new(
                "rootElement",
                format!("{root:?}"),
                expected,
            ));
        }
        Ok(Compiled::inline(Step { root }, Half::needs_in(ctx.phase)))
    }
}

#[derive(Debug)]
struct Step {
    root: String,
}

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Request, StatusCode::BAD_REQUEST)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Response, StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Step {
    fn apply(&self, exchange: &mut Exchange, half: Half, status: StatusCode) -> Outcome {
        let Some(body) = half.body(exchange) else {
            return Outcome::Continue;
        };
        let members: Result<Map<String, Value>, _> = serde_json::from_slice(body);
        let xml = members
            .map_err(|error| error.to_string())
            .and_then(|members| write::write(&self.root, &members));
        match xml {
            Ok(xml) => {
                half.replace_body(exchange, Bytes::from(xml));
                let value = HeaderValue::from_static("application/xml;charset=UTF-8");
                match half.headers_mut(exchange).try_insert(CONTENT_TYPE, value) {
                    Ok(_) => Outcome::Continue,
                    Err(_full) => failure(status, "too many headers".to_owned()),
                }
            }
            Err(cause) => failure(status, cause),
        }
    }
}

fn failure(status: StatusCode, cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(status)
            .with_key(FAILURE_KEY)
            .with_message("Unable to transform invalid JSON to XML")
            .with_cause(cause),
    )
}
