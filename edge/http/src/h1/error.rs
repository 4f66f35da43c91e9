//! How a message head or a chunked body can break HTTP/1.1.

/// A head that breaks the grammar or a limit.
///
/// Sources: RFC 9112 §2.2, §3, §4, §5, §6; RFC 9110 §5.5, §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeadError {
    /// A line feed without a carriage return before it.
    #[error("bare line feed")]
    BareLineFeed,
    /// A carriage return that does not end a line.
    #[error("bare carriage return")]
    BareCarriageReturn,
    /// The first line is not `method SP target SP version` or `version SP status SP reason`.
    #[error("malformed first line")]
    FirstLine,
    /// The method is not a token, or longer than 32 bytes.
    #[error("invalid method")]
    Method,
    /// The request target holds a forbidden character or has a form its method does not allow.
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
    /// A field line that continues the one before it (`obs-fold`).
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
    TooLarge,
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
}

impl HeadError {
    /// The stable, lower-case name used as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            HeadError::BareLineFeed => "bare_line_feed",
            HeadError::BareCarriageReturn => "bare_carriage_return",
            HeadError::FirstLine => "first_line",
            HeadError::Method => "method",
            HeadError::Target => "target",
            HeadError::TargetTooLong => "target_too_long",
            HeadError::Version => "version",
            HeadError::Connect => "connect",
            HeadError::FoldedLine => "folded_line",
            HeadError::FieldName => "field_name",
            HeadError::FieldValue => "field_value",
            HeadError::TooLarge => "head_too_large",
            HeadError::TooManyFields => "too_many_fields",
            HeadError::Host => "host",
            HeadError::ContentLength => "content_length",
            HeadError::TransferEncoding => "transfer_encoding",
            HeadError::AmbiguousLength => "ambiguous_length",
            HeadError::Expectation => "expectation",
        }
    }
}

/// A chunked body that breaks the grammar or a limit (RFC 9112 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ChunkError {
    /// The chunk size is missing or not hexadecimal.
    #[error("invalid chunk size")]
    Size,
    /// The chunk size does not fit 64 bits.
    #[error("chunk size overflows")]
    SizeOverflow,
    /// A chunk line or a chunk does not end with CR LF.
    #[error("chunk line does not end with CR LF")]
    LineEnd,
    /// A chunk extension holds a control character.
    #[error("invalid chunk extension")]
    Extension,
    /// The chunk extensions of one message are larger than the limit.
    #[error("chunk extensions too large")]
    ExtensionTooLarge,
    /// The trailer section is malformed or too large.
    #[error("invalid trailer section")]
    Trailer(#[source] HeadError),
}
