//! `json-to-json`: transforms a JSON body by a JOLT specification.

mod config;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tidegate_expression::Template;
use tidegate_jolt::Transformation;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::JsonToJsonConfig;

use crate::half::Half;

/// Key of the failure when specification or body do not allow the transformation.
pub const FAILURE_KEY: &str = "INVALID_JSON_TRANSFORMATION";

/// The kind of policy.
#[derive(Debug)]
pub struct JsonToJson;

impl PolicyKind for JsonToJson {
    const NAME: &'static str = "json-to-json";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = JsonToJsonConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let template = ConfigError::template("specification", &config.specification)?;
        let needs = Half::needs_in(ctx.phase) | template.needs();
        let specification = match template.as_literal() {
            Some(text) => Specification::Fixed(compile(text).map_err(|error| {
                let path = match error.path {
                    path if path.is_empty() => "specification".to_owned(),
                    path => format!("specification{path}"),
                };
                ConfigError::new(path, error.found, error.expected)
            })?),
            None => Specification::Computed(template),
        };
        let policy = Step {
            specification,
            sets_content_type: config.override_content_type.unwrap_or(true),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

fn compile(text: &str) -> Result<Transformation, tidegate_jolt::CompileError> {
    let specification =
        serde_json::from_str(text).map_err(|error| tidegate_jolt::CompileError {
            path: String::new(),
            found: format!("text that is no JSON ({error})"),
            expected: "a list of operations".to_owned(),
        })?;
    Transformation::compile(&specification)
}

#[derive(Debug)]
struct Step {
    specification: Specification,
    sets_content_type: bool,
}

#[derive(Debug)]
enum Specification {
    Fixed(Transformation),
    /// Has expressions, so that it can only be compiled when they are known.
    Computed(Template),
}

enum Usable<'s> {
    Fixed(&'s Transformation),
    Computed(Box<Transformation>),
}

impl Specification {
    fn usable(&self, exchange: &Exchange) -> Result<Usable<'_>, String> {
        match self {
            Self::Fixed(transformation) => Ok(Usable::Fixed(transformation)),
            Self::Computed(template) => {
                let text = template.evaluate_text(exchange);
                let text: Cow<'_, str> = text
                    .map_err(|error| format!("specification: {error}"))?
                    .ok_or("specification: null")?;
                let transformation =
                    compile(&text).map_err(|error| format!("specification: {error}"))?;
                Ok(Usable::Computed(Box::new(transformation)))
            }
        }
    }
}

impl Step {
    fn apply(&self, exchange: &mut Exchange, half: Half) -> Outcome {
        let is_json = half.content_type(exchange).is_none_or(is_json);
        let Some(body) = half.body(exchange).filter(|_| is_json) else {
            return Outcome::Continue;
        };
        match self.transformed(exchange, body) {
            Ok(body) => {
                half.replace_body(exchange, Bytes::from(body));
                if self.sets_content_type {
                    let headers = half.headers_mut(exchange);
                    let value = HeaderValue::from_static("application/json");
                    if headers.try_insert(CONTENT_TYPE, value).is_err() {
                        return failure("too many headers".to_owned());
                    }
                }
                Outcome::Continue
            }
            Err(cause) => failure(cause),
        }
    }

    fn transformed(&self, exchange: &Exchange, body: &[u8]) -> Result<Vec<u8>, String> {
        let document = serde_json::from_slice(body).map_err(|error| format!("body: {error}"))?;
        let usable = self.specification.usable(exchange)?;
        let transformation = match &usable {
            Usable::Fixed(transformation) => transformation,
            Usable::Computed(transformation) => &**transformation,
        };
        let output = transformation
            .apply(document)
            .map_err(|error| error.to_string())?;
        serde_json::to_vec(&output).map_err(|error| error.to_string())
    }
}

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Request)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Response)
    }
}

/// Tells whether a content type is JSON: `application/json`, or a type that ends with `+json`.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json")
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(FAILURE_KEY)
            .with_message("Unable to apply JSON to JSON transformation")
            .with_cause(cause),
    )
}
