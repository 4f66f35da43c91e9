//! `request-content-limit`: bounds the size of request bodies.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use http::header::CONTENT_LENGTH;
use tidegate_expression::{Needs, Text, Value};
use tidegate_policy::{
    BodyLimit, CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome,
    Phase, PolicyKind,
};

pub use config::RequestContentLimitConfig;

/// The kind of policy.
#[derive(Debug)]
pub struct RequestContentLimit;

impl PolicyKind for RequestContentLimit {
    const NAME: &'static str = "request-content-limit";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RequestContentLimitConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = ContentLimit {
            bytes_max: config.limit,
        };
        Ok(Compiled::inline(policy, Needs::NONE))
    }
}

#[derive(Debug)]
struct ContentLimit {
    bytes_max: u64,
}

impl ContentLimit {
    fn too_large(&self, length: Option<u64>) -> Failure {
        let mut failure = Failure::new(StatusCode::PAYLOAD_TOO_LARGE)
            .with_key("REQUEST_CONTENT_LIMIT_TOO_LARGE")
            .with_message("The request is larger than the server is willing or able to process.");
        if let Some(length) = length {
            failure
                .parameters
                .push((Text::constant("length"), Value::from(length)));
        }
        failure.parameters.push(self.limit_parameter());
        failure
    }

    fn limit_parameter(&self) -> (Text, Value) {
        (Text::constant("limit"), Value::from(self.bytes_max))
    }
}

impl InlinePolicy for ContentLimit {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let request = &mut exchange.request;
        if let Some(value) = request.headers.get(CONTENT_LENGTH) {
            let length = value.to_str().ok().and_then(|text| text.parse().ok());
            return match length {
                Some(length) if length > self.bytes_max => {
                    Outcome::fail(self.too_large(Some(length)))
                }
                Some(_) => Outcome::Continue,
                None => Outcome::fail(
                    Failure::new(StatusCode::BAD_REQUEST)
                        .with_message("Content-length is not a valid integer !"),
                ),
            };
        }
        if !request.has_unmeasured_body {
            let mut failure = Failure::new(StatusCode::LENGTH_REQUIRED)
                .with_key("REQUEST_CONTENT_LIMIT_LENGTH_REQUIRED")
                .with_message(
                    "The request did not specify the length of its content, which is required by \
                     the requested resource.",
                );
            failure.parameters.push(self.limit_parameter());
            return Outcome::fail(failure);
        }
        // A body that a step before this one needed is here already.
        if let Some(length) = request.content.bytes().map(|bytes| bytes.len() as u64)
            && length > self.bytes_max
        {
            return Outcome::fail(self.too_large(Some(length)));
        }
        let is_narrower = request
            .body_limit
            .as_ref()
            .is_none_or(|limit| self.bytes_max < limit.bytes_max);
        if is_narrower {
            request.body_limit = Some(Box::new(BodyLimit {
                bytes_max: self.bytes_max,
                failure: self.too_large(None),
            }));
        }
        Outcome::Continue
    }
}
