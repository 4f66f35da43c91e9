//! The half of an exchange that a step works on, and bodies that a step replaces.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use tidegate_policy::{Content, Exchange, Needs, Phase};

/// The request or the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Request,
    Response,
}

impl Half {
    /// What a step that reads the body of its own half needs.
    pub(crate) fn needs_in(phase: Phase) -> Needs {
        Needs {
            request_content: phase == Phase::Request,
            response_content: phase == Phase::Response,
        }
    }

    pub(crate) fn headers(self, exchange: &Exchange) -> &HeaderMap {
        match self {
            Self::Request => &exchange.request.headers,
            Self::Response => &exchange.response.headers,
        }
    }

    pub(crate) fn headers_mut(self, exchange: &mut Exchange) -> &mut HeaderMap {
        match self {
            Self::Request => &mut exchange.request.headers,
            Self::Response => &mut exchange.response.headers,
        }
    }

    /// Returns the media type as text, without checking its form.
    pub(crate) fn content_type(self, exchange: &Exchange) -> Option<&str> {
        self.headers(exchange)
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
    }

    /// Returns the body, unless there is none or it is empty.
    pub(crate) fn body(self, exchange: &Exchange) -> Option<&Bytes> {
        let content = match self {
            Self::Request => &exchange.request.content,
            Self::Response => &exchange.response.content,
        };
        content.bytes().filter(|bytes| !bytes.is_empty())
    }

    /// Replaces the body, and drops the headers that described the old one.
    pub(crate) fn replace_body(self, exchange: &mut Exchange, body: Bytes) {
        let headers = self.headers_mut(exchange);
        headers.remove(CONTENT_LENGTH);
        headers.remove(CONTENT_ENCODING);
        self.content_mut(exchange).set(body);
    }

    fn content_mut(self, exchange: &mut Exchange) -> &mut Content {
        match self {
            Self::Request => &mut exchange.request.content,
            Self::Response => &mut exchange.response.content,
        }
    }
}
