//! Why a downstream message or connection was refused: the closed set that metrics count by.

use http::StatusCode;

use crate::h1::HeadError;

/// A reason to refuse a client's message or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The message head breaks the protocol or a limit.
    #[error("{0}")]
    Head(HeadError),
    /// A chunk header, chunk end or trailer section breaks the grammar or a limit.
    #[error("malformed chunk")]
    Chunk,
    /// The request body is larger than the limit.
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

impl From<HeadError> for Refusal {
    fn from(error: HeadError) -> Refusal {
        Refusal::Head(error)
    }
}

impl Refusal {
    /// The stable, lower-case name used as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Head(error) => error.as_str(),
            Refusal::Chunk => "chunk",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::BodyTimeout => "body_timeout",
            Refusal::TooManyConnections => "too_many_connections",
            Refusal::TlsHandshake => "tls_handshake",
        }
    }

    /// The status the client gets, where a status can still be sent (RFC 9110 §15.5, RFC 6585 §5).
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Head(error) => head_status(error),
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::HeadTimeout | Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Chunk | Refusal::TlsHandshake => StatusCode::BAD_REQUEST,
        }
    }
}

fn head_status(error: HeadError) -> StatusCode {
    match error {
        HeadError::TargetTooLong => StatusCode::URI_TOO_LONG,
        HeadError::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        HeadError::Connect => StatusCode::NOT_IMPLEMENTED,
        HeadError::TooLarge | HeadError::TooManyFields => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        HeadError::Expectation => StatusCode::EXPECTATION_FAILED,
        HeadError::BareLineFeed
        | HeadError::BareCarriageReturn
        | HeadError::FirstLine
        | HeadError::Method
        | HeadError::Target
        | HeadError::FoldedLine
        | HeadError::FieldName
        | HeadError::FieldValue
        | HeadError::Host
        | HeadError::ContentLength
        | HeadError::TransferEncoding
        | HeadError::AmbiguousLength => StatusCode::BAD_REQUEST,
    }
}
