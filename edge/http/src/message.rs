//! Requests and responses as they pass from socket to socket.
//!
//! Like those of the `http` crate, with [`Headers`] that need not become a map.

use http::{Method, StatusCode, Uri, Version};
use tidegate_policy::Headers;

use crate::body::Body;

/// A request with a streaming body.
#[derive(Debug, Default)]
pub struct Request {
    /// All but the body.
    pub parts: RequestParts,
    /// The body.
    pub body: Body,
}

/// A request without its body.
#[derive(Clone, Debug, Default)]
pub struct RequestParts {
    /// The method.
    pub method: Method,
    /// The target: path and query, or `*`.
    pub uri: Uri,
    /// Protocol version of whoever sent it.
    pub version: Version,
    /// The fields.
    pub headers: Headers,
}

/// A response with a body, which streams unless said otherwise.
#[derive(Debug, Default)]
pub struct Response<B = Body> {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: Headers,
    /// The body.
    pub body: B,
}

impl Response {
    /// A response without fields.
    #[must_use]
    pub fn new(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            headers: Headers::default(),
            body,
        }
    }
}

impl<B> Response<B> {
    /// The same head with another body.
    pub fn map<C>(self, body: impl FnOnce(B) -> C) -> Response<C> {
        Response {
            status: self.status,
            headers: self.headers,
            body: body(self.body),
        }
    }
}

impl From<http::Request<Body>> for Request {
    fn from(request: http::Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            parts: RequestParts {
                method: parts.method,
                uri: parts.uri,
                version: parts.version,
                headers: parts.headers.into(),
            },
            body,
        }
    }
}

impl From<Request> for http::Request<Body> {
    fn from(request: Request) -> Self {
        let mut converted = http::Request::new(request.body);
        *converted.method_mut() = request.parts.method;
        *converted.uri_mut() = request.parts.uri;
        *converted.version_mut() = request.parts.version;
        *converted.headers_mut() = request.parts.headers.into_map();
        converted
    }
}

impl From<http::Response<Body>> for Response {
    fn from(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers.into(),
            body,
        }
    }
}

impl<B> From<Response<B>> for http::Response<B> {
    fn from(response: Response<B>) -> Self {
        let mut converted = http::Response::new(response.body);
        *converted.status_mut() = response.status;
        *converted.headers_mut() = response.headers.into_map();
        converted
    }
}
