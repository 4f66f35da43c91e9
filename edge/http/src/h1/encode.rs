//! Writes heads and chunk framing.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Version};
use tidegate_policy::Headers;

use super::Framing;
use super::fields::Kind;
use super::response::has_no_body;
use crate::message::RequestParts;

/// What a server adds to a response head for this hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseFraming {
    pub(crate) framing: Framing,
    /// The client's protocol version.
    pub(crate) version: Version,
    /// Whether the connection closes after the response.
    pub(crate) close: bool,
}

/// Appends a response head. Framing and hop-by-hop fields of `headers` are replaced by what `hop` says.
pub(crate) fn response_head(
    status: StatusCode,
    headers: &Headers,
    method: &Method,
    hop: ResponseFraming,
    date: impl FnOnce() -> HeaderValue,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    out.extend_from_slice(b"\r\n");
    // A response without a body by rule tells the length that it would have: to HEAD, and with 304.
    let keeps_length = has_no_body(method, status)
        && !status.is_informational()
        && status != StatusCode::NO_CONTENT;
    let mut has_date = false;
    headers.write_lines(out, |name| match Kind::of(name) {
        Kind::ContentLength => keeps_length,
        Kind::Upgrade => false,
        Kind::Date => {
            has_date = true;
            true
        }
        kind => !kind.is_hop_by_hop(),
    });
    if !has_date {
        field(b"date", date().as_bytes(), out);
    }
    match hop.framing {
        Framing::Length(length) => length_field(length, out),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Empty if !has_no_body(method, status) => length_field(0, out),
        Framing::Empty | Framing::UntilClose => {}
    }
    if hop.close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if hop.version == Version::HTTP_10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a `101 Switching Protocols` head with the upstream's fields.
pub(crate) fn upgrade_head(headers: &Headers, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n");
    headers.write_lines(out, |name| {
        let kind = Kind::of(name);
        !kind.is_hop_by_hop() && kind != Kind::ContentLength
    });
    out.extend_from_slice(b"\r\n");
}

/// What a client says of a request for this hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestFraming {
    pub(crate) framing: Framing,
    /// Whether the upstream may keep the connection.
    pub(crate) keep_alive: bool,
    /// Whether `Upgrade` goes along.
    pub(crate) upgrade: bool,
}

/// Appends a request head; `host` stands in when the fields have none.
pub(crate) fn request_head(
    parts: &RequestParts,
    host: &HeaderValue,
    hop: RequestFraming,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // Host first, as RFC 9110 §7.2 advises.
    let own_host = parts.headers.find(&header::HOST);
    field(b"host", own_host.unwrap_or(host.as_bytes()), out);
    parts.headers.write_lines(out, |name| match Kind::of(name) {
        Kind::Host | Kind::ContentLength | Kind::Expect => false,
        Kind::Upgrade => hop.upgrade,
        kind => !kind.is_hop_by_hop(),
    });
    match hop.framing {
        Framing::Length(length) => length_field(length, out),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // Methods that usually carry content say that they have none (RFC 9110 §8.6).
        Framing::Empty if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) => {
            length_field(0, out);
        }
        Framing::Empty | Framing::UntilClose => {}
    }
    if hop.upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
    } else if !hop.keep_alive {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the line that starts a chunk of `size` bytes.
pub(super) fn chunk_size(size: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut shift = usize::BITS - size.leading_zeros();
    shift = shift.div_ceil(4).max(1) * 4;
    while shift > 0 {
        shift -= 4;
        out.push(DIGITS[(size >> shift) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the chunk that ends a body, with its trailer section.
pub(super) fn last_chunk(trailers: Option<&HeaderMap>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a field line.
fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn length_field(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        // A remainder of ten is a digit.
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}
