//! Field lines: checks them once, and keeps what they say about framing and the connection.

use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tidegate_policy::{FieldLine, Headers};

use super::HeadError;
use super::bytes_class::{field_value_length, is_token, token_length};

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
    /// What a field is by its name, a token in any case. The length tells most names apart.
    pub(super) fn of(name: &[u8]) -> Kind {
        match name.len() {
            2 if is(name, b"te") => Kind::Te,
            4 if is(name, b"host") => Kind::Host,
            4 if is(name, b"date") => Kind::Date,
            6 if is(name, b"expect") => Kind::Expect,
            7 if is(name, b"upgrade") => Kind::Upgrade,
            10 if is(name, b"connection") => Kind::Connection,
            10 if is(name, b"keep-alive") => Kind::HopByHop,
            14 if is(name, b"content-length") => Kind::ContentLength,
            14 if is(name, b"http2-settings") => Kind::HopByHop,
            16 if is(name, b"proxy-connection") => Kind::HopByHop,
            17 if is(name, b"transfer-encoding") => Kind::TransferEncoding,
            _ => Kind::Other,
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

/// Whether the token `name` is `wanted` in any case, without a branch per byte. Setting the bit 0x20 makes a letter
/// small, and no other character of a token becomes a letter, a digit or a hyphen by it.
#[inline]
fn is<const LENGTH: usize>(name: &[u8], wanted: &[u8; LENGTH]) -> bool {
    let Some((name, [])) = name.split_first_chunk::<LENGTH>() else {
        return false;
    };
    let differences = name.iter().zip(wanted);
    differences.fold(0, |all, (byte, wanted)| all | (byte | 0x20) ^ wanted) == 0
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
    if u32::try_from(head.len()).is_err() {
        return Err(HeadError::TooLarge);
    }
    let mut fields = Fields {
        lines: Vec::with_capacity(EXPECTED_FIELDS),
        ..Fields::default()
    };
    let mut at = start;
    let mut count = 0;
    while !head[at..].starts_with(b"\r\n") {
        count += 1;
        if count > fields_max {
            return Err(HeadError::TooManyFields);
        }
        let (line, length) = parse_line(&head[at..]).ok_or_else(|| fault(&head[at..]))?;
        fields.take(head, at, &line)?;
        at += length;
    }
    Ok(fields)
}

/// A usual head, so that the lines are allocated once.
const EXPECTED_FIELDS: usize = 16;

/// Places in a line that was checked, counted from its first byte.
struct Line {
    name_len: usize,
    value: Range<usize>,
}

/// Checks the line at the front of `rest`: a token, a colon, a value without control characters, CR LF. Returns it
/// with its length, or `None` if it breaks the grammar; [`fault`] then says how.
fn parse_line(rest: &[u8]) -> Option<(Line, usize)> {
    let name_len = token_length(rest);
    if name_len == 0 || rest.get(name_len) != Some(&b':') {
        return None;
    }
    let mut from = name_len + 1;
    while matches!(rest.get(from), Some(b' ' | b'\t')) {
        from += 1;
    }
    let end = from + field_value_length(&rest[from..]);
    if rest.get(end..end + 2) != Some(b"\r\n") {
        return None;
    }
    let mut to = end;
    while to > from && matches!(rest[to - 1], b' ' | b'\t') {
        to -= 1;
    }
    let line = Line {
        name_len,
        value: from..to,
    };
    Some((line, end + 2))
}

/// What is wrong with the line at the front of `rest`. The worst is named first: what makes two parsers see different
/// lines.
#[cold]
fn fault(rest: &[u8]) -> HeadError {
    let end = match memchr::memchr(b'\n', rest) {
        Some(feed) if feed > 0 && rest[feed - 1] == b'\r' => feed - 1,
        _ => return HeadError::BareLineFeed,
    };
    let line = &rest[..end];
    let name_len = token_length(line);
    if matches!(line.first(), Some(b' ' | b'\t')) {
        HeadError::FoldedLine
    } else if name_len == 0 || line.get(name_len) != Some(&b':') {
        field_error(line, HeadError::FieldName)
    } else {
        field_error(&line[name_len..], HeadError::FieldValue)
    }
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
    /// Takes the line that begins at `start`.
    fn take(&mut self, head: &[u8], start: usize, line: &Line) -> Result<(), HeadError> {
        let value = &head[start..][line.value.clone()];
        match Kind::of(&head[start..][..line.name_len]) {
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
        self.lines.push(line.place(start));
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

impl Line {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a head of more than 4 GiB is refused before its lines are looked at"
    )]
    fn place(&self, start: usize) -> FieldLine {
        FieldLine {
            name: start as u32,
            name_len: self.name_len as u32,
            value: (start + self.value.start) as u32,
            value_len: self.value.len() as u32,
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
    while at < section.len() && !section[at..].starts_with(b"\r\n") {
        count += 1;
        if count > fields_max {
            return Err(HeadError::TooManyFields);
        }
        let rest = &section[at..];
        let (line, length) = parse_line(rest).ok_or_else(|| fault(rest))?;
        let name = HeaderName::from_bytes(&rest[..line.name_len])
            .map_err(|_invalid| HeadError::FieldName)?;
        if !is_forbidden_trailer(&name) {
            let value = section.slice_ref(&rest[line.value]);
            let value =
                HeaderValue::from_maybe_shared(value).map_err(|_invalid| HeadError::FieldValue)?;
            trailers.append(name, value);
        }
        at += length;
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
