//! Response heads (RFC 9112 §4), as strict as request heads: an upstream's answer is not trusted either.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode, Version};
use tidegate_policy::Headers;

use super::fields::parse_fields;
use super::{Framing, HeadError, HeadLimits};

/// A response head with what it says about this hop taken out of the fields.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status, 100 to 999.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The end-to-end fields; `Connection` and `Upgrade` only with status 101.
    pub headers: Headers,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another request.
    pub keep_alive: bool,
}

/// Parses a complete head that answers a request with `method`; `head` ends with its empty line.
///
/// # Errors
/// [`HeadError`] for a head that breaks the grammar, a limit, or is ambiguous about its length.
pub fn parse_response(
    head: &Bytes,
    method: &Method,
    limits: &HeadLimits,
) -> Result<ResponseHead, HeadError> {
    let line_end = memchr::memchr(b'\n', head).ok_or(HeadError::BareLineFeed)?;
    if line_end == 0 || head[line_end - 1] != b'\r' {
        return Err(HeadError::BareLineFeed);
    }
    let (version, status) = parse_status_line(&head[..line_end - 1])?;
    let mut fields = parse_fields(head, line_end + 1, limits.fields_max)?;
    let is_11 = version == Version::HTTP_11;
    if fields.is_chunked && !is_11 {
        return Err(HeadError::TransferEncoding);
    }
    if fields.is_chunked && fields.content_length.is_some() {
        return Err(HeadError::AmbiguousLength);
    }
    let framing = if has_no_body(method, status) {
        Framing::Empty
    } else if fields.is_chunked {
        Framing::Chunked
    } else {
        match fields.content_length {
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    };
    let mut headers = fields.take_headers(head);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        headers.set(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if fields.has_upgrade {
        headers.discard(&header::UPGRADE);
    }
    let connection = &fields.connection;
    let keep_alive =
        framing != Framing::UntilClose && !connection.close && (is_11 || connection.keep_alive);
    Ok(ResponseHead {
        status,
        version,
        headers,
        framing,
        keep_alive,
    })
}

/// Whether a response has no body whatever its fields say (RFC 9112 §6.3).
pub(crate) fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

fn parse_status_line(line: &[u8]) -> Result<(Version, StatusCode), HeadError> {
    let version = match line.get(..9) {
        Some(b"HTTP/1.1 ") => Version::HTTP_11,
        Some(b"HTTP/1.0 ") => Version::HTTP_10,
        _ => return Err(HeadError::FirstLine),
    };
    let status = line.get(9..12).ok_or(HeadError::FirstLine)?;
    let status = StatusCode::from_bytes(status).map_err(|_invalid| HeadError::FirstLine)?;
    match &line[12..] {
        // The space before an empty reason is required, but servers leave it out and nothing hangs on it.
        [] => Ok((version, status)),
        [b' ', reason @ ..] => {
            if memchr::memchr(b'\r', reason).is_some() {
                return Err(HeadError::BareCarriageReturn);
            }
            let is_text = reason
                .iter()
                .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
            if is_text {
                Ok((version, status))
            } else {
                Err(HeadError::FirstLine)
            }
        }
        _ => Err(HeadError::FirstLine),
    }
}
