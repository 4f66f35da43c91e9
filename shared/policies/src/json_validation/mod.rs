//! `json-validation`: checks JSON bodies against a schema.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use tidegate_expression::{Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::JsonValidationConfig;

use crate::half::Half;

/// Longest schema in bytes.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Most characters of a violation in the log.
const CAUSE_CHARACTERS_MAX: usize = 500;

/// The kind of policy.
#[derive(Debug)]
pub struct JsonValidation;

impl PolicyKind for JsonValidation {
    const NAME: &'static str = "json-validation";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = JsonValidationConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let error_message = config
            .error_message
            .as_deref()
            .filter(|message| !message.is_empty())
            .map(|message| ConfigError::template("errorMessage", message))
            .transpose()?;
        let mut needs = Half::needs_in(ctx.phase);
        if let Some(message) = &error_message {
            needs |= message.needs();
        }
        let policy = Validation {
            validator: compile_schema(&config.schema)?,
            error_message,
            lets_responses_pass: config.straight_respond_mode.unwrap_or(false),
        };
        Ok(Compiled::inline(policy, needs))
    }
}

/// Compiles a schema; patterns match in linear time, and nothing is fetched.
fn compile_schema(text: &str) -> Result<Validator, ConfigError> {
    let refused = |found: String, expected: &str| ConfigError::new("schema", found, expected);
    if text.len() > SCHEMA_BYTES_MAX {
        let expected = format!("at most {SCHEMA_BYTES_MAX} bytes");
        return Err(refused(format!("{} bytes", text.len()), &expected));
    }
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| refused(error.to_string(), "a JSON schema as text"))?;
    let dialect = schema.get("$schema").and_then(Value::as_str);
    if dialect.is_some_and(|dialect| dialect.contains("draft-03")) {
        return Err(refused(
            "draft 3".to_owned(),
            "JSON schema draft 4 or newer",
        ));
    }
    let mut options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    if dialect.is_none_or(|dialect| dialect.ends_with("json-schema.org/schema#")) {
        options = options.with_draft(Draft::Draft4);
    }
    options
        .build(&schema)
        .map_err(|error| refused(error.to_string(), "a valid JSON schema"))
}

#[derive(Debug)]
struct Validation {
    validator: Validator,
    error_message: Option<Template>,
    lets_responses_pass: bool,
}

/// What a half answers to a broken body.
struct Refusal {
    status: StatusCode,
    format_key: &'static str,
    payload_key: &'static str,
    message: &'static str,
}

const OF_REQUEST: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    format_key: "JSON_INVALID_FORMAT",
    payload_key: "JSON_INVALID_PAYLOAD",
    message: "Bad Request",
};

const OF_RESPONSE: Refusal = Refusal {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    format_key: "JSON_INVALID_RESPONSE_FORMAT",
    payload_key: "JSON_INVALID_RESPONSE_PAYLOAD",
    message: "Internal Error",
};

impl Validation {
    fn failure(&self, exchange: &Exchange, half: Half, refusal: &Refusal) -> Option<Failure> {
        let body = half.body(exchange).map_or(&[][..], |body| body);
        let (key, cause) = match serde_json::from_slice::<Value>(body) {
            Err(error) => (refusal.format_key, error.to_string()),
            Ok(value) => match self.validator.validate(&value) {
                Ok(()) => return None,
                Err(error) => (
                    refusal.payload_key,
                    // The value itself stays out of the log.
                    format!("{} at {:?}", error.masked(), error.instance_path().as_str()),
                ),
            },
        };
        let cause: String = cause.chars().take(CAUSE_CHARACTERS_MAX).collect();
        let mut failure = Failure::new(refusal.status).with_key(key).with_cause(cause);
        let configured = self
            .error_message
            .as_ref()
            .and_then(|template| template.evaluate_text(exchange).ok().flatten());
        match configured {
            Some(text) => {
                failure.message = Some(Text::from(text.into_owned()));
                failure.content_type = Some(Text::constant("application/json"));
            }
            None => failure.message = Some(Text::constant(refusal.message)),
        }
        Some(failure)
    }
}

impl InlinePolicy for Validation {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.failure(exchange, Half::Request, &OF_REQUEST)
            .map_or(Outcome::Continue, Outcome::fail)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        match self.failure(exchange, Half::Response, &OF_RESPONSE) {
            None => Outcome::Continue,
            Some(failure) if self.lets_responses_pass => {
                tracing::warn!(
                    api = %exchange.api.id,
                    cause = failure.cause.as_deref().unwrap_or_default(),
                    "an invalid response passes"
                );
                Outcome::Continue
            }
            Some(failure) => Outcome::fail(failure),
        }
    }
}
