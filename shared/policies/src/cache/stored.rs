//! The form in which a response is kept: its head, then its body as it is.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{
    CONNECTION, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// Longest body that is kept, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest head that is kept, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Fields that belong to one connection, not to the response (RFC 9110 §7.6.1).
const OF_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A response that was kept.
#[derive(Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Head<'h> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'h str, &'h [u8])>,
}

/// Writes a response, unless it is longer than what is kept.
pub(super) fn encode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Bytes> {
    let headers = headers
        .iter()
        .filter(|(name, _)| !OF_CONNECTION.contains(name))
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let head = Head {
        status: status.as_u16(),
        headers: headers.collect(),
    };
    let head = postcard::to_allocvec(&head).ok()?;
    if head.len() > HEAD_BYTES_MAX || body.len() > BODY_BYTES_MAX {
        return None;
    }
    let mut bytes = BytesMut::with_capacity(4 + head.len() + body.len());
    bytes.put_u32(u32::try_from(head.len()).ok()?);
    bytes.put_slice(&head);
    bytes.put_slice(body);
    Some(bytes.freeze())
}

/// Reads a response; `None` if these bytes are something else.
pub(super) fn decode(bytes: &Bytes) -> Option<Stored> {
    let length = bytes.first_chunk::<4>()?;
    let end = usize::try_from(u32::from_be_bytes(*length))
        .ok()?
        .checked_add(4)?;
    let head: Head<'_> = postcard::from_bytes(bytes.get(4..end)?).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers
            .try_append(name, HeaderValue::from_bytes(value).ok()?)
            .ok()?;
    }
    Some(Stored {
        status: StatusCode::from_u16(head.status).ok()?,
        headers,
        body: bytes.slice(end..),
    })
}
