//! `mock`: a fixed response in place of the endpoint.
//!
//! The step replaces the invoker and ends nothing: request steps after it run, and response steps run
//! on the mocked response.

mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tidegate_expression::Template;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Invoker, MockResponse,
    Outcome, Phase, PolicyKind,
};

pub use config::{MockConfig, MockStatus};

use crate::header::{CompiledHeader, compile_headers};

/// The kind of policy.
#[derive(Debug)]
pub struct Mock;

impl PolicyKind for Mock {
    const NAME: &'static str = "mock";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = MockConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (headers, mut needs) = compile_headers(&config.headers, "headers")?;
        let template = ConfigError::template("content", config.content.as_deref().unwrap_or(""))?;
        needs |= template.needs();
        let content = match template.as_literal() {
            Some(text) => Content::Literal {
                bytes: Bytes::copy_from_slice(text.as_bytes()),
                content_type: content_type(text),
            },
            None => Content::Computed(template),
        };
        let policy = MockStep {
            status: config.status.0,
            headers,
            content,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct MockStep {
    status: StatusCode,
    headers: Box<[CompiledHeader]>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Literal {
        bytes: Bytes,
        content_type: Option<HeaderValue>,
    },
    Computed(Template),
}

impl InlinePolicy for MockStep {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        match self.response(exchange) {
            Ok(response) => {
                exchange.invoker = Invoker::Mock(Box::new(response));
                Outcome::Continue
            }
            Err(cause) => Outcome::fail(
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                    .with_message("Internal Server Error")
                    .with_cause(cause),
            ),
        }
    }
}

impl MockStep {
    fn response(&self, exchange: &Exchange) -> Result<MockResponse, String> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            if let Some(value) = header.value(exchange)? {
                header.put(value, &mut headers)?;
            }
        }
        let (content, guessed) = match &self.content {
            Content::Literal {
                bytes,
                content_type,
            } => (bytes.clone(), content_type.clone()),
            Content::Computed(template) => {
                let text = template
                    .evaluate_text(exchange)
                    .map_err(|error| format!("content: {error}"))?
                    .unwrap_or_default();
                let guessed = content_type(&text);
                (Bytes::from(text.into_owned()), guessed)
            }
        };
        if let Some(guessed) = guessed
            && !headers.contains_key(CONTENT_TYPE)
        {
            headers.insert(CONTENT_TYPE, guessed);
        }
        Ok(MockResponse {
            status: self.status,
            headers,
            content,
        })
    }
}

/// Guesses the content type from how the text begins; empty text has none.
fn content_type(text: &str) -> Option<HeaderValue> {
    let text = text.trim_start();
    let begins_with = |tag: &str| {
        text.get(..tag.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
    };
    Some(HeaderValue::from_static(match text.bytes().next()? {
        b'{' | b'[' => "application/json",
        b'<' if begins_with("<!doctype html") || begins_with("<html") => "text/html",
        b'<' => "application/xml",
        _ => "text/plain",
    }))
}
