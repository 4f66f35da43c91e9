//! The messages of one exchange, copied for its log while they pass.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE},
};
use serde::Serialize;
use tidegate_policy::LogMask;

use super::Parts;
use crate::body::Body;

/// Longest part of a payload that is kept, in bytes.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// What stands in a log for a header that proves who the sender is.
const HIDDEN: &str = "*****";

/// Beginnings of media types whose payloads say nothing in a log.
const OPAQUE_TYPES: [&str; 6] = [
    "video",
    "audio",
    "image",
    "application/octet-stream",
    "application/pdf",
    "text/event-stream",
];

/// Messages of one exchange, complete or not.
#[derive(Debug)]
pub(crate) struct Capture {
    parts: Parts,
    hidden: Arc<[HeaderName]>,
    entrypoint_request: Option<Copied>,
    endpoint_request: Option<Copied>,
    endpoint_response: Option<Copied>,
    entrypoint_response: Option<Copied>,
}

#[derive(Debug)]
struct Copied {
    message: LoggedMessage,
    content_type: Option<String>,
    payload: Rc<RefCell<Vec<u8>>>,
}

/// Messages of one exchange, as a record carries them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExchangeLog {
    /// What the client sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint_request: Option<LoggedMessage>,
    /// What the endpoint was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_request: Option<LoggedMessage>,
    /// What the endpoint answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_response: Option<LoggedMessage>,
    /// What the client was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint_response: Option<LoggedMessage>,
}

/// One logged message. Credentials in headers are hidden, masks of policies are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedMessage {
    /// Method of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path of a request without its query, which may carry a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Status of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers by lower-case name, if they are logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, Vec<String>>>,
    /// The beginning of the body, if it is logged and is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Capture {
    pub(super) fn new(parts: Parts, hidden: Arc<[HeaderName]>) -> Self {
        Self {
            parts,
            hidden,
            entrypoint_request: None,
            endpoint_request: None,
            endpoint_response: None,
            entrypoint_response: None,
        }
    }

    /// Copies what the client sends.
    pub(crate) fn entrypoint_request(
        &mut self,
        (method, path): (&Method, &str),
        headers: &HeaderMap,
        body: Body,
    ) -> Body {
        if !(self.parts.entrypoint && self.parts.request) {
            return body;
        }
        let message = request_line(method, path);
        let (copied, body) = self.copy(message, headers, body);
        self.entrypoint_request = Some(copied);
        body
    }

    /// Copies what the endpoint is sent.
    pub(crate) fn endpoint_request(
        &mut self,
        (method, path): (&Method, &str),
        headers: &HeaderMap,
        body: Body,
    ) -> Body {
        if !(self.parts.endpoint && self.parts.request) {
            return body;
        }
        let message = request_line(method, path);
        let (copied, body) = self.copy(message, headers, body);
        self.endpoint_request = Some(copied);
        body
    }

    /// Copies what the endpoint answers.
    pub(crate) fn endpoint_response(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Body,
    ) -> Body {
        if !(self.parts.endpoint && self.parts.response) {
            return body;
        }
        let message = status_line(status);
        let (copied, body) = self.copy(message, headers, body);
        self.endpoint_response = Some(copied);
        body
    }

    /// Copies what the client is answered.
    pub(crate) fn entrypoint_response(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Body,
    ) -> Body {
        if !(self.parts.entrypoint && self.parts.response) {
            return body;
        }
        let message = status_line(status);
        let (copied, body) = self.copy(message, headers, body);
        self.entrypoint_response = Some(copied);
        body
    }

    /// Copies a head and taps the body. A second message of one place, a retry, replaces the first.
    fn copy(&self, mut message: LoggedMessage, headers: &HeaderMap, body: Body) -> (Copied, Body) {
        if self.parts.headers {
            message.headers = Some(texts(headers, &self.hidden));
        }
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_ascii_lowercase);
        let is_opaque = content_type
            .as_ref()
            .is_some_and(|known| OPAQUE_TYPES.iter().any(|opaque| known.starts_with(opaque)));
        let payload = Rc::<RefCell<Vec<u8>>>::default();
        let sink = Rc::clone(&payload);
        let body = if self.parts.payload && !is_opaque {
            body.tapped(move |data| keep(&mut sink.borrow_mut(), data))
        } else {
            body
        };
        let copied = Copied {
            message,
            content_type,
            payload,
        };
        (copied, body)
    }

    /// Makes the log of what has passed.
    pub(crate) fn finish(self, masks: &[Arc<dyn LogMask>]) -> ExchangeLog {
        let masked = |copied: Option<Copied>| copied.map(|copied| copied.masked(masks));
        ExchangeLog {
            entrypoint_request: masked(self.entrypoint_request),
            endpoint_request: masked(self.endpoint_request),
            endpoint_response: masked(self.endpoint_response),
            entrypoint_response: masked(self.entrypoint_response),
        }
    }
}

fn request_line(method: &Method, path: &str) -> LoggedMessage {
    LoggedMessage {
        method: Some(method.as_str().to_owned()),
        uri: Some(path.to_owned()),
        ..LoggedMessage::default()
    }
}

fn status_line(status: StatusCode) -> LoggedMessage {
    LoggedMessage {
        status: Some(status.as_u16()),
        ..LoggedMessage::default()
    }
}

/// Keeps the beginning of a payload.
fn keep(kept: &mut Vec<u8>, data: &Bytes) {
    let room = PAYLOAD_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(data.get(..room).unwrap_or(data));
}

fn texts(headers: &HeaderMap, hidden: &[HeaderName]) -> BTreeMap<String, Vec<String>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let is_credential = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name)
            || hidden.contains(name);
        let text = if is_credential {
            HIDDEN.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        texts
            .entry(name.as_str().to_owned())
            .or_default()
            .push(text);
    }
    texts
}

impl Copied {
    fn masked(self, masks: &[Arc<dyn LogMask>]) -> LoggedMessage {
        let mut message = self.message;
        let payload = self.payload.take();
        if !payload.is_empty() {
            message.body = Some(String::from_utf8_lossy(&payload).into_owned());
        }
        for mask in masks {
            for (name, values) in message.headers.iter_mut().flatten() {
                for value in values {
                    *value = mask.header(name, value).into_owned();
                }
            }
            if let Some(body) = &mut message.body {
                *body = mask.body(self.content_type.as_deref(), body).into_owned();
            }
        }
        message
    }
}
