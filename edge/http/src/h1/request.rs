//! Request heads (RFC 9112 §3): strict, because two parsers that read a message differently are a smuggling hole.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};
use tidegate_policy::Headers;

use super::bytes_class::{is_host, is_target, is_token};
use super::fields::{Fields, parse_fields};
use super::{Framing, HeadError, HeadLimits};

/// Longest method accepted; registered ones have at most 17 bytes.
const METHOD_BYTES_MAX: usize = 32;

/// A request head with what it says about this hop taken out of the fields.
#[derive(Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// Path and query, or `*`. The authority of an absolute-form target has become the `Host` field.
    pub uri: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The end-to-end fields, plus `Connection: upgrade` and `Upgrade` if the client asks for a websocket.
    pub headers: Headers,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Parses a complete head, `head` ending with its empty line.
///
/// # Errors
/// [`HeadError`] for everything that RFC 9112 lets a server refuse and that parsers are known to disagree on.
pub fn parse_request(head: &Bytes, limits: &HeadLimits) -> Result<RequestHead, HeadError> {
    let line_end = memchr::memchr(b'\n', head).ok_or(HeadError::BareLineFeed)?;
    if line_end == 0 || head[line_end - 1] != b'\r' {
        return Err(HeadError::BareLineFeed);
    }
    let line = parse_request_line(&head[..line_end - 1], limits)?;
    let mut fields = parse_fields(head, line_end + 1, limits.fields_max)?;
    let headers = fields.take_headers(head);
    let target = head.slice(line.target_start..line.target_end);
    let (uri, authority) = parse_target(&line.method, target)?;
    assemble(line.method, uri, line.version, authority, &fields, headers)
}

struct RequestLine {
    method: Method,
    target_start: usize,
    target_end: usize,
    version: Version,
}

fn parse_request_line(line: &[u8], limits: &HeadLimits) -> Result<RequestLine, HeadError> {
    if memchr::memchr(b'\r', line).is_some() {
        return Err(HeadError::BareCarriageReturn);
    }
    let method_end = memchr::memchr(b' ', line).ok_or(HeadError::FirstLine)?;
    let target_start = method_end + 1;
    let target_end = memchr::memchr(b' ', &line[target_start..])
        .map(|offset| target_start + offset)
        .ok_or(HeadError::FirstLine)?;
    let method = &line[..method_end];
    if method.len() > METHOD_BYTES_MAX || !is_token(method) {
        return Err(HeadError::Method);
    }
    let method = Method::from_bytes(method).map_err(|_invalid| HeadError::Method)?;
    if target_end - target_start > limits.target_bytes_max {
        return Err(HeadError::TargetTooLong);
    }
    if !is_target(&line[target_start..target_end]) {
        return Err(HeadError::Target);
    }
    let version = match &line[target_end + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(HeadError::Version);
        }
        _ => return Err(HeadError::FirstLine),
    };
    Ok(RequestLine {
        method,
        target_start,
        target_end,
        version,
    })
}

/// Splits a target into origin form and, if it is absolute, the authority that replaces `Host` (RFC 9112 §3.2).
fn parse_target(method: &Method, target: Bytes) -> Result<(Uri, Option<HeaderValue>), HeadError> {
    if *method == Method::CONNECT {
        return Err(HeadError::Connect);
    }
    if target[0] == b'/' {
        return Ok((origin_form(target)?, None));
    }
    if &target[..] == b"*" {
        return if *method == Method::OPTIONS {
            Ok((Uri::from_static("*"), None))
        } else {
            Err(HeadError::Target)
        };
    }
    let scheme = memchr::memmem::find(&target, b"://").ok_or(HeadError::Target)?;
    let is_http = target[..scheme].eq_ignore_ascii_case(b"http")
        || target[..scheme].eq_ignore_ascii_case(b"https");
    if !is_http {
        return Err(HeadError::Target);
    }
    let rest = target.slice(scheme + 3..);
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let authority = rest.slice(..end);
    if !is_host(&authority) {
        return Err(HeadError::Host);
    }
    let path = match rest.get(end) {
        None => Bytes::from_static(b"/"),
        Some(b'/') => rest.slice(end..),
        Some(_) => Bytes::from([b"/", &rest[end..]].concat()),
    };
    let authority =
        HeaderValue::from_maybe_shared(authority).map_err(|_invalid| HeadError::Host)?;
    Ok((origin_form(path)?, Some(authority)))
}

fn origin_form(path: Bytes) -> Result<Uri, HeadError> {
    PathAndQuery::from_maybe_shared(path)
        .map(Uri::from)
        .map_err(|_invalid| HeadError::Target)
}

/// Whether an upgrade is passed on. Only websocket is: behind `h2c` a client could speak to the upstream unseen, past
/// every route and policy. Any other offer is ignored, as RFC 9110 §7.8 allows.
fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"websocket")
}

fn assemble(
    method: Method,
    uri: Uri,
    version: Version,
    authority: Option<HeaderValue>,
    fields: &Fields,
    mut headers: Headers,
) -> Result<RequestHead, HeadError> {
    let is_11 = version == Version::HTTP_11;
    if fields.host_count > 1 || is_11 && fields.host_count == 0 {
        return Err(HeadError::Host);
    }
    if let Some(host) = headers.find(&header::HOST) {
        // An empty Host is legal only for targets without authority, which http and https never are.
        if !is_host(host) {
            return Err(HeadError::Host);
        }
    }
    if let Some(authority) = authority {
        headers.set(header::HOST, authority);
    }
    let framing = match (fields.is_chunked, fields.content_length) {
        (true, Some(_)) => return Err(HeadError::AmbiguousLength),
        (true, None) if !is_11 => return Err(HeadError::TransferEncoding),
        (true, None) => Framing::Chunked,
        (false, Some(0) | None) => Framing::Empty,
        (false, Some(length)) => Framing::Length(length),
    };
    let upgrades = is_11
        && fields.connection.upgrade
        && framing == Framing::Empty
        && headers.find(&header::UPGRADE).is_some_and(is_websocket);
    if upgrades {
        headers.set(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if fields.has_upgrade {
        headers.discard(&header::UPGRADE);
    }
    if fields.accepts_trailers {
        headers.set(header::TE, HeaderValue::from_static("trailers"));
    }
    let connection = &fields.connection;
    Ok(RequestHead {
        method,
        uri,
        version,
        framing,
        keep_alive: !connection.close && (is_11 || connection.keep_alive),
        expects_continue: is_11 && fields.expects_continue && framing != Framing::Empty,
        headers,
    })
}
