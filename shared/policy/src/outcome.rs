//! How a step, and with it a chain, ends.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_expression::{Text, Value};

/// What happens after a step.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The next step runs.
    Continue,
    /// The chain ends and the client gets this response; nothing has failed.
    Respond(Box<Response>),
    /// The chain ends and the client gets an error, rendered by response template or default body.
    Fail(Box<Failure>),
}

impl Outcome {
    /// Ends the chain with a failure.
    pub fn fail(failure: Failure) -> Self {
        Self::Fail(Box::new(failure))
    }

    /// Tells whether the next step runs.
    #[must_use]
    pub fn is_continue(&self) -> bool {
        matches!(self, Self::Continue)
    }
}

/// A complete response that a policy gives itself.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status of the response.
    pub status: StatusCode,
    /// Headers; `Content-Length` is set by the transport.
    pub headers: HeaderMap,
    /// Body, possibly empty.
    pub body: Bytes,
}

/// An error for the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Status of the error response.
    pub status: StatusCode,
    /// Stable key that response templates select by, such as `TRANSFORM_HEADERS_FAILURE`.
    pub key: Option<Text>,
    /// Message for the client; none means no body.
    pub message: Option<Text>,
    /// `#parameters` of the response template.
    pub parameters: Vec<(Text, Value)>,
    /// Content type of `message` if it is not plain text.
    pub content_type: Option<Text>,
    /// Headers of the error response, such as `WWW-Authenticate`; headers of a template win.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Cause for the log, never for the client.
    pub cause: Option<String>,
}

impl Failure {
    /// Makes a failure with a status alone.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            key: None,
            message: None,
            parameters: Vec::new(),
            content_type: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// Sets the stable key.
    #[must_use]
    pub fn with_key(mut self, key: &'static str) -> Self {
        self.key = Some(Text::constant(key));
        self
    }

    /// Sets the message for the client.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Text>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds a header to the error response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the cause for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}
