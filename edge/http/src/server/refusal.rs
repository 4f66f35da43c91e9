//! Why a downstream message was refused before any handler saw it: the closed set that metrics count by.

use http::StatusCode;

/// A reason to refuse a client's message or connection.
///
/// Sources: RFC 9112 §2.2, §3, §5, §6, §7; RFC 9110 §5.5, §7.2, §15.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// A line feed without a carriage return before it.
    #[error("bare line feed")]
    BareLineFeed,
    /// A carriage return that does not end a line.
    #[error("bare carriage return")]
    BareCarriageReturn,
    /// The request line is not `method SP target SP version`.
    #[error("malformed request line")]
    RequestLine,
    /// The method is not a token, or longer than 32 bytes.
    #[error("invalid method")]
    Method,
    /// The request target holds a forbidden character or has a forbidden form.
    #[error("invalid request target")]
    Target,
    /// The request target is longer than the limit.
    #[error("request target too long")]
    TargetTooLong,
    /// The protocol version is neither HTTP/1.0 nor HTTP/1.1.
    #[error("unsupported protocol version")]
    Version,
    /// `CONNECT`: this is not a forward proxy.
    #[error("CONNECT is not served")]
    Connect,
    /// A field line that continues the one before it.
    #[error("folded field line")]
    FoldedLine,
    /// A field name that is not a token, including white space before the colon.
    #[error("invalid field name")]
    FieldName,
    /// A control character in a field value.
    #[error("invalid field value")]
    FieldValue,
    /// The head is larger than the limit.
    #[error("head too large")]
    HeadTooLarge,
    /// More field lines than the limit.
    #[error("too many fields")]
    TooManyFields,
    /// HTTP/1.1 without `Host`, or more than one, or one that is not `host[:port]`.
    #[error("missing, repeated or invalid host")]
    Host,
    /// `Content-Length` that is repeated, a list, signed, or not a decimal number.
    #[error("invalid content length")]
    ContentLength,
    /// `Transfer-Encoding` that is anything but exactly one `chunked`, or sent with HTTP/1.0.
    #[error("unsupported transfer encoding")]
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("both content length and transfer encoding")]
    AmbiguousLength,
    /// An expectation other than `100-continue`.
    #[error("unknown expectation")]
    Expectation,
    /// A chunk header, chunk end or trailer section that breaks the grammar or a limit.
    #[error("malformed chunk")]
    Chunk,
    /// A request body larger than the limit.
    #[error("request body too large")]
    BodyTooLarge,
    /// The head did not arrive in time.
    #[error("head timed out")]
    HeadTimeout,
    /// The body stalled.
    #[error("body timed out")]
    BodyTimeout,
    /// The worker holds as many connections as it may.
    #[error("too many connections")]
    TooManyConnections,
    /// The TLS handshake failed or did not finish in time.
    #[error("TLS handshake failed")]
    TlsHandshake,
}

impl Refusal {
    /// The stable, lower-case name used as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::BareLineFeed => "bare_line_feed",
            Refusal::BareCarriageReturn => "bare_carriage_return",
            Refusal::RequestLine => "request_line",
            Refusal::Method => "method",
            Refusal::Target => "target",
            Refusal::TargetTooLong => "target_too_long",
            Refusal::Version => "version",
            Refusal::Connect => "connect",
            Refusal::FoldedLine => "folded_line",
            Refusal::FieldName => "field_name",
            Refusal::FieldValue => "field_value",
            Refusal::HeadTooLarge => "head_too_large",
            Refusal::TooManyFields => "too_many_fields",
            Refusal::Host => "host",
            Refusal::ContentLength => "content_length",
            Refusal::TransferEncoding => "transfer_encoding",
            Refusal::AmbiguousLength => "ambiguous_length",
            Refusal::Expectation => "expectation",
            Refusal::Chunk => "chunk",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::BodyTimeout => "body_timeout",
            Refusal::TooManyConnections => "too_many_connections",
            Refusal::TlsHandshake => "tls_handshake",
        }
    }

    /// The status the client gets, where a status can still be sent.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Refusal::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::HeadTooLarge | Refusal::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::HeadTimeout | Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::BareLineFeed
            | Refusal::BareCarriageReturn
            | Refusal::RequestLine
            | Refusal::Method
            | Refusal::Target
            | Refusal::FoldedLine
            | Refusal::FieldName
            | Refusal::FieldValue
            | Refusal::Host
            | Refusal::ContentLength
            | Refusal::TransferEncoding
            | Refusal::AmbiguousLength
            | Refusal::Chunk
            | Refusal::TlsHandshake => StatusCode::BAD_REQUEST,
        }
    }
}
