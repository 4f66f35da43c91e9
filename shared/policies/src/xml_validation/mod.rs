//! `xml-validation`: checks XML bodies of requests against a schema.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_expression::{Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};
use tidegate_xsd::Schema;

pub use config::XmlValidationConfig;

use crate::half::Half;
use crate::xml_text::decode;

/// Key of the failure.
pub const INVALID_PAYLOAD: &str = "XML_INVALID_PAYLOAD";

/// Most characters of a violation in the log.
const CAUSE_CHARACTERS_MAX: usize = 500;

/// The kind of policy.
#[derive(Debug)]
pub struct XmlValidation;

impl PolicyKind for XmlValidation {
    const NAME: &'static str = "xml-validation";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = XmlValidationConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let schema = Schema::compile(&config.xsd_schema).map_err(|error| {
            let line = line_of(&config.xsd_schema, error.position);
            let found = format!("line {line}: {}", error.found);
            ConfigError::new("xsdSchema", found, error.expected)
        })?;
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
            schema,
            error_message,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

/// The line of a byte, from one.
fn line_of(text: &str, position: u64) -> usize {
    let position = usize::try_from(position).unwrap_or(usize::MAX);
    let before = text.bytes().take(position);
    before.filter(|byte| *byte == b'\n').count() + 1
}

#[derive(Debug)]
struct Validation {
    schema: Schema,
    error_message: Option<Template>,
}

impl Validation {
    fn check(&self, exchange: &Exchange) -> Result<(), String> {
        let body = Half::Request
            .body(exchange)
            .map_or(&[][..], |body| body.as_ref());
        let text = decode(body, Half::Request.content_type(exchange))?;
        self.schema.check(&text).map_err(|error| error.to_string())
    }
}

impl InlinePolicy for Validation {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let Err(cause) = self.check(exchange) else {
            return Outcome::Continue;
        };
        let cause: String = cause.chars().take(CAUSE_CHARACTERS_MAX).collect();
        let mut failure = Failure::new(StatusCode::BAD_REQUEST)
            .with_key(INVALID_PAYLOAD)
            .with_cause(cause);
        let configured = self
            .error_message
            .as_ref()
            .and_then(|template| template.evaluate_text(exchange).ok().flatten());
        match configured {
            Some(text) => {
                failure.message = Some(Text::from(text.into_owned()));
                failure.content_type = Some(Text::constant("application/xml"));
            }
            None => failure.message = Some(Text::constant("Bad Request")),
        }
        Outcome::fail(failure)
    }
}
