//! `xslt`: transforms an XML body by a stylesheet.

mod config;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tidegate_expression::Template;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};
use tidegate_xslt::{Limits, Stylesheet};

pub use config::{XsltConfig, XsltParameter};

use crate::half::Half;

/// Bounds of a transformation: it holds up the worker.
const LIMITS: Limits = Limits {
    steps: 5_000_000,
    depth: 1_000,
    bytes: 16 * 1024 * 1024,
    time: Duration::from_millis(250),
};

/// The kind of policy.
#[derive(Debug)]
pub struct Xslt;

impl PolicyKind for Xslt {
    const NAME: &'static str = "xslt";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = XsltConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let stylesheet = Stylesheet::compile(&config.stylesheet).map_err(|error| {
            ConfigError::new("stylesheet", error.to_string(), "a stylesheet of XSLT 1.0")
        })?;
        let mut needs = Half::needs_in(ctx.phase);
        let mut parameters = Vec::with_capacity(config.parameters.len());
        for (index, parameter) in config.parameters.into_iter().enumerate() {
            if parameter.name.trim().is_empty() {
                let place = format!("parameters[{index}].name");
                return Err(ConfigError::new(
                    place,
                    "nothing",
                    "the name of a parameter",
                ));
            }
            let place = format!("parameters[{index}].value");
            let value = ConfigError::template(place, &parameter.value)?;
            needs |= value.needs();
            parameters.push((parameter.name, value));
        }
        let step = Step {
            stylesheet,
            parameters: parameters.into(),
        };
        Ok(Compiled::inline(step, needs))
    }
}

#[derive(Debug)]
struct Step {
    stylesheet: Stylesheet,
    parameters: Box<[(String, Template)]>,
}

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Request)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, Half::Response)
    }
}

impl Step {
    fn apply(&self, exchange: &mut Exchange, half: Half) -> Outcome {
        let Some(body) = half.body(exchange) else {
            return Outcome::Continue;
        };
        let transformed = std::str::from_utf8(body)
            .map_err(|_invalid| "the body is no UTF-8 text".to_owned())
            .and_then(|source| {
                let parameters = self.values(exchange)?;
                let transformed = self.stylesheet.transform(source, &parameters, &LIMITS);
                transformed.map_err(|error| error.to_string())
            });
        let output = match transformed {
            Ok(output) => output,
            Err(cause) => return failure(cause),
        };
        half.replace_body(exchange, Bytes::from(output.text));
        let Ok(media_type) = HeaderValue::try_from(format!("{};charset=UTF-8", output.media_type))
        else {
            return failure("the media type of the stylesheet is none".to_owned());
        };
        match half
            .headers_mut(exchange)
            .try_insert(CONTENT_TYPE, media_type)
        {
            Ok(_) => Outcome::Continue,
            Err(_full) => failure("too many headers".to_owned()),
        }
    }

    /// Parameters with a value; null leaves that of the stylesheet.
    fn values(&self, exchange: &Exchange) -> Result<Vec<(String, String)>, String> {
        let mut values = Vec::with_capacity(self.parameters.len());
        for (name, value) in &self.parameters {
            let value = value
                .evaluate_text(exchange)
                .map_err(|error| format!("parameter {name}: {error}"))?;
            values.extend(value.map(|value| (name.clone(), value.into_owned())));
        }
        Ok(values)
    }
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_message("Unable to apply the XSL transformation")
            .with_cause(cause),
    )
}
