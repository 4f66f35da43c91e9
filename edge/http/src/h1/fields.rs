//! Field lines: parses them once into a [`HeaderMap`], and keeps what they say about framing and the connection.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::HeadError;
use super::bytes_class::is_token;

/// Largest value of `Content-Length` accepted; leaves room to add without overflow.
const CONTENT_LENGTH_MAX: u64 = i64::MAX as u64;

/// Most fields a `Connection` field may name; a message with more is refused.
const NAMED_FIELDS_MAX: usize = 32;

/// The fields of one head with their meaning for this hop.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// End-to-end fields, and `Upgrade` until its fate is decided.
    pub(super) headers: HeaderMap,
    pub(super) content_length: Option<u64>,
    pub(super) is_chunked: bool,
    pub(super) host_count: usize,
    pub(super) connection: Connection,
    pub(super) expects_continue: bool,
    pub(super) accepts_trailers: bool,
}

/// What `Connection` fields say.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    named: Vec<HeaderName>,
}

/// Parses the field lines of `head` from `start` to its end, which is an empty line.
///
/// Values share the memory of `head`. Hop-by-hop fields (RFC 9110 §7.6.1) are taken in, not kept: `Connection` and
/// what it names, `Keep-Alive`, `Proxy-Connection`, `TE`, `Transfer-Encoding`.
pub(super) fn parse_fields(
    head: &Bytes,
    start: usize,
    fields_max: usize,
) -> Result<Fields, HeadError> {
    let mut fields = Fields::default();
    let mut at = start;
    let mut count = 0;
    loop {
        let Some(length) = memchr::memchr(b'\n', &head[at..]) else {
            return Err(HeadError::BareLineFeed);
        };
        let end = at + length;
        if end == at || head[end - 1] != b'\r' {
            return Err(HeadError::BareLineFeed);
        }
        if end - 1 == at {
            break;
        }
        count += 1;
        if count > fields_max {
            return Err(HeadError::TooManyFields);
        }
        if count == 1 {
            fields.headers.reserve(EXPECTED_FIELDS);
        }
        let (name, value) = parse_line(head, at, end - 1)?;
        fields.take(name, value)?;
        at = end + 1;
    }
    fields.forget_named();
    Ok(fields)
}

/// A usual head with what a policy or two add, so that the map is sized once.
const EXPECTED_FIELDS: usize = 12;

/// Splits one line, without its CR LF, into name and value.
fn parse_line(
    head: &Bytes,
    start: usize,
    end: usize,
) -> Result<(HeaderName, HeaderValue), HeadError> {
    let line = &head[start..end];
    if matches!(line[0], b' ' | b'\t') {
        return Err(HeadError::FoldedLine);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(field_error(line, HeadError::FieldName));
    };
    let name = HeaderName::from_bytes(&line[..colon])
        .map_err(|_invalid| field_error(&line[..colon], HeadError::FieldName))?;
    let mut from = colon + 1;
    let mut to = line.len();
    while from < to && matches!(line[from], b' ' | b'\t') {
        from += 1;
    }
    while to > from && matches!(line[to - 1], b' ' | b'\t') {
        to -= 1;
    }
    let value = HeaderValue::from_maybe_shared(head.slice(start + from..start + to))
        .map_err(|_invalid| field_error(&line[from..to], HeadError::FieldValue))?;
    Ok((name, value))
}

/// Names the worse fault: a stray carriage return is counted apart because it is the mark of an attack.
fn field_error(bytes: &[u8], otherwise: HeadError) -> HeadError {
    if memchr::memchr(b'\r', bytes).is_some() {
        HeadError::BareCarriageReturn
    } else {
        otherwise
    }
}

impl Fields {
    fn take(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), HeadError> {
        match name {
            header::CONTENT_LENGTH => {
                let length = parse_content_length(value.as_bytes())?;
                if self.content_length.replace(length).is_some() {
                    return Err(HeadError::ContentLength);
                }
                self.headers.append(name, value);
            }
            header::TRANSFER_ENCODING => {
                let is_chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                if !is_chunked || std::mem::replace(&mut self.is_chunked, true) {
                    return Err(HeadError::TransferEncoding);
                }
            }
            header::CONNECTION => self.connection.take(value.as_bytes())?,
            header::HOST => {
                self.host_count += 1;
                self.headers.append(name, value);
            }
            header::EXPECT => {
                if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::Expectation);
                }
                self.expects_continue = true;
            }
            header::TE => {
                self.accepts_trailers |=
                    list(value.as_bytes()).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            }
            _ if is_hop_by_hop(&name) => {}
            _ => {
                self.headers.append(name, value);
            }
        }
        Ok(())
    }

    /// Drops the fields that `Connection` names. `Host` and the framing of the message are not the client's to drop.
    fn forget_named(&mut self) {
        for name in &self.connection.named {
            if name != header::HOST && name != header::CONTENT_LENGTH {
                self.headers.remove(name);
            }
        }
    }
}

impl Connection {
    fn take(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                if !is_token(option) || self.named.len() == NAMED_FIELDS_MAX {
                    return Err(HeadError::FieldValue);
                }
                let name =
                    HeaderName::from_bytes(option).map_err(|_invalid| HeadError::FieldValue)?;
                self.named.push(name);
            }
        }
        Ok(())
    }
}

/// Fields that end at this hop whatever `Connection` says, apart from those `Fields::take` reads.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    match *name {
        header::CONNECTION | header::TRANSFER_ENCODING | header::TE => true,
        _ => name == "keep-alive" || name == "proxy-connection" || name == "http2-settings",
    }
}

/// Removes what ends at this hop from fields that did not come through [`parse_fields`].
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let names: Vec<_> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// The non-empty members of a comma-separated list.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Parses a length strictly: decimal digits only, so no sign, no list, no white space, no overflow.
fn parse_content_length(value: &[u8]) -> Result<u64, HeadError> {
    if value.is_empty() || value.len() > 19 {
        return Err(HeadError::ContentLength);
    }
    let mut length = 0u64;
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(HeadError::ContentLength);
        }
        length = length * 10 + u64::from(byte - b'0');
    }
    if length > CONTENT_LENGTH_MAX {
        Err(HeadError::ContentLength)
    } else {
        Ok(length)
    }
}

/// Parses a trailer section: the lines after the last chunk, up to and with the empty line.
///
/// Fields that may not be trailers (framing, routing, authentication; RFC 9110 §6.5.1) are dropped.
pub(super) fn parse_trailers(section: &Bytes, fields_max: usize) -> Result<HeaderMap, HeadError> {
    let mut trailers = HeaderMap::new();
    let mut at = 0;
    let mut count = 0;
    while let Some(length) = memchr::memchr(b'\n', &section[at..]) {
        let end = at + length;
        if end == at || section[end - 1] != b'\r' {
            return Err(HeadError::BareLineFeed);
        }
        if end - 1 == at {
            break;
        }
        count += 1;
        if count > fields_max {
            return Err(HeadError::TooManyFields);
        }
        let (name, value) = parse_line(section, at, end - 1)?;
        if !is_forbidden_trailer(&name) {
            trailers.append(name, value);
        }
        at = end + 1;
    }
    Ok(trailers)
}

fn is_forbidden_trailer(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONTENT_LENGTH
            | header::HOST
            | header::AUTHORIZATION
            | header::PROXY_AUTHORIZATION
            | header::COOKIE
            | header::SET_COOKIE
            | header::CONTENT_TYPE
            | header::CONTENT_ENCODING
            | header::CONTENT_RANGE
            | header::TRAILER
            | header::UPGRADE
            | header::EXPECT
            | header::MAX_FORWARDS
            | header::CACHE_CONTROL
    ) || is_hop_by_hop(name)
}
