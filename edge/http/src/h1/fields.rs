//! Field lines: checks them once, and keeps what they say about framing and the connection.

use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tidegate_policy::{FieldLine, Headers};

use super::HeadError;
use super::bytes_class::{is_field_value, is_token, token_length};

/// Largest value of `Content-Length` accepted; leaves room to add without overflow.
const CONTENT_LENGTH_MAX: u64 = i64::MAX as u64;

/// Most fields a `Connection` field may name; a message with more is refused.
const NAMED_FIELDS_MAX: usize = 32;

/// The fields of one head with their meaning for this hop.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Fields {
    /// End-to-end fields, and `Upgrade` until its fate is decided.
    lines: Vec<FieldLine>,
    pub(super) content_length: Option<u64>,
    pub(super) is_chunked: bool,
    pub(super) host_count: usize,
    pub(super) has_upgrade: bool,
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

/// Fields that mean something to this hop, apart from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Other,
    Connection,
    ContentLength,
    Date,
    Expect,
    Host,
    /// Ends at this hop whatever `Connection` says, and means nothing here.
    HopByHop,
    Te,
    TransferEncoding,
    Upgrade,
}

impl Kind {
    /// What a field is by its name, in any case. The length tells most names apart.
    pub(super) fn of(name: &[u8]) -> Kind {
        let (wanted, kind): (&[u8], Kind) = match name.len() {
            2 => (b"te", Kind::Te),
            4 if name[0] | 0x20 == b'h' => (b"host", Kind::Host),
            4 => (b"date", Kind::Date),
            6 => (b"expect", Kind::Expect),
            7 => (b"upgrade", Kind::Upgrade),
            10 if name[0] | 0x20 == b'c' => (b"connection", Kind::Connection),
            10 => (b"keep-alive", Kind::HopByHop),
            14 if name[0] | 0x20 == b'c' => (b"content-length", Kind::ContentLength),
            14 => (b"http2-settings", Kind::HopByHop),
            16 => (b"proxy-connection", Kind::HopByHop),
            17 => (b"transfer-encoding", Kind::TransferEncoding),
            _ => return Kind::Other,
        };
        if name.eq_ignore_ascii_case(wanted) {
            kind
        } else {
            Kind::Other
        }
    }

    /// Whether the field ends at this hop.
    pub(super) fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Kind::Connection | Kind::HopByHop | Kind::Te | Kind::TransferEncoding
        )
    }
}

/// Parses the field lines of `head` from `start` to its end, which is an empty line.
///
/// Hop-by-hop fields (RFC 9110 §7.6.1) are taken in, not kept: `Connection` and what it names, `Keep-Alive`,
/// `Proxy-Connection`, `TE`, `Transfer-Encoding`.
pub(super) fn parse_fields(
    head: &Bytes,
    start: usize,
    fields_max: usize,
) -> Result<Fields, HeadError> {
    let mut fields = Fields {
        lines: Vec::with_capacity(EXPECTED_FIELDS),
        ..Fields::default()
    };
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
        let line = check_line(head, at, end - 1)?;
        fields.take(head, &line)?;
        at = end + 1;
    }
    Ok(fields)
}

/// A usual head, so that the lines are allocated once.
const EXPECTED_FIELDS: usize = 16;

/// The places of a checked line.
struct CheckedLine {
    name: Range<usize>,
    value: Range<usize>,
}

/// Checks one line, given without its CR LF: a token, a colon, a value without control characters.
fn check_line(head: &[u8], start: usize, end: usize) -> Result<CheckedLine, HeadError> {
    let line = &head[start..end];
    if matches!(line[0], b' ' | b'\t') {
        return Err(HeadError::FoldedLine);
    }
    let colon = token_length(line);
    if colon == 0 || line.get(colon) != Some(&b':') {
        return Err(field_error(line, HeadError::FieldName));
    }
    let mut from = colon + 1;
    let mut to = line.len();
    while from < to && matches!(line[from], b' ' | b'\t') {
        from += 1;
    }
    while to > from && matches!(line[to - 1], b' ' | b'\t') {
        to -= 1;
    }
    if !is_field_value(&line[from..to]) {
        return Err(field_error(&line[from..to], HeadError::FieldValue));
    }
    Ok(CheckedLine {
        name: start..start + colon,
        value: start + from..start + to,
    })
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
    fn take(&mut self, head: &[u8], line: &CheckedLine) -> Result<(), HeadError> {
        let value = &head[line.value.clone()];
        match Kind::of(&head[line.name.clone()]) {
            Kind::Other | Kind::Date => {}
            Kind::ContentLength => {
                let length = parse_content_length(value)?;
                if self.content_length.replace(length).is_some() {
                    return Err(HeadError::ContentLength);
                }
            }
            Kind::TransferEncoding => {
                let is_chunked = value.eq_ignore_ascii_case(b"chunked");
                if !is_chunked || std::mem::replace(&mut self.is_chunked, true) {
                    return Err(HeadError::TransferEncoding);
                }
                return Ok(());
            }
            Kind::Connection => return self.connection.take(value),
            Kind::Host => self.host_count += 1,
            Kind::Upgrade => self.has_upgrade = true,
            Kind::Expect => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::Expectation);
                }
                self.expects_continue = true;
                return Ok(());
            }
            Kind::Te => {
                self.accepts_trailers |=
                    list(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
                return Ok(());
            }
            Kind::HopByHop => return Ok(()),
        }
        self.lines.push(line.place()?);
        Ok(())
    }

    /// The end-to-end fields of `head`, without those that `Connection` names. `Host` and the framing of the message
    /// are not the client's to drop.
    pub(super) fn take_headers(&mut self, head: &Bytes) -> Headers {
        let lines = std::mem::take(&mut self.lines);
        let mut headers = Headers::from_lines(head.clone(), lines);
        for name in &self.connection.named {
            if name != header::HOST && name != header::CONTENT_LENGTH {
                headers.discard(name);
            }
        }
        headers
    }
}

impl CheckedLine {
    fn place(&self) -> Result<FieldLine, HeadError> {
        let short = |place: usize| u32::try_from(place).map_err(|_far| HeadError::TooLarge);
        Ok(FieldLine {
            name: short(self.name.start)?,
            name_len: short(self.name.len())?,
            value: short(self.value.start)?,
            value_len: short(self.value.len())?,
        })
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

/// Removes what ends at this hop from fields that did not come through [`parse_fields`].
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let names: Vec<_> = headers
        .keys()
        .filter(|name| Kind::of(name.as_str().as_bytes()).is_hop_by_hop())
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
        let line = check_line(section, at, end - 1)?;
        let name =
            HeaderName::from_bytes(&section[line.name]).map_err(|_invalid| HeadError::FieldName)?;
        if !is_forbidden_trailer(&name) {
            let value = HeaderValue::from_maybe_shared(section.slice(line.value))
                .map_err(|_invalid| HeadError::FieldValue)?;
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
    ) || Kind::of(name.as_str().as_bytes()).is_hop_by_hop()
}
