//! HTTP/1.1 without sockets: parses and writes heads, decodes and frames bodies, strictly by RFC 9112.
//!
//! Bytes go in, values come out; the server and the upstream side drive it.

mod bytes_class;
mod chunked;
mod encode;
mod error;
mod fields;
mod framing;
mod incoming;
mod outgoing;
mod pump;
mod request;
mod response;
mod scan;
#[cfg(test)]
mod tests;

pub use self::chunked::{ChunkDecoder, Decoded};
pub use self::error::{ChunkError, HeadError};
pub use self::framing::Framing;
pub use self::request::{RequestHead, parse_request};
pub use self::response::{ResponseHead, parse_response};

pub(crate) use self::bytes_class::is_host;
pub(crate) use self::encode::{
    RequestFraming, ResponseFraming, request_head, response_head, upgrade_head,
};
pub(crate) use self::fields::{list, strip_hop_by_hop};
pub(crate) use self::framing::{BodyDecoder, BodyEncoder};
pub(crate) use self::incoming::Incoming;
pub(crate) use self::outgoing::Outgoing;
pub(crate) use self::pump::{Blocked, PumpError, poll_pump};
pub(crate) use self::response::has_no_body;
pub(crate) use self::scan::HeadScan;

/// Limits of one head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Largest head in bytes, first line and empty line included.
    pub head_bytes_max: usize,
    /// Most field lines.
    pub fields_max: usize,
    /// Longest request target in bytes.
    pub target_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            head_bytes_max: 64 * 1024,
            fields_max: 128,
            target_bytes_max: 16 * 1024,
        }
    }
}
