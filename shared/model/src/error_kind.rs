//! The closed set that every error of the system maps to; codes of protocols follow from it in one
//! place (`tidegate-wire`).

/// What went wrong, independent of any protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input breaks a rule.
    InvalidArgument,
    /// The thing does not exist.
    NotFound,
    /// The thing exists already.
    AlreadyExists,
    /// Somebody else changed it in between; read again and retry.
    Conflict,
    /// The state of the thing does not allow the operation now.
    FailedPrecondition,
    /// Nobody proved who is calling.
    Unauthenticated,
    /// The caller may not do this.
    PermissionDenied,
    /// A limit was reached.
    ResourceExhausted,
    /// The position asked for is no longer kept.
    OutOfRange,
    /// Nobody can serve this right now; retrying may help.
    Unavailable,
    /// It took too long; the outcome may be unknown.
    DeadlineExceeded,
    /// The caller went away.
    Cancelled,
    /// This build cannot do it.
    Unimplemented,
    /// Stored or transmitted data is damaged.
    DataLoss,
    /// A defect.
    Internal,
}

/// Which side an error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorSource {
    /// The client.
    Downstream,
    /// The backend.
    Upstream,
    /// Ourselves.
    Internal,
}

impl ErrorKind {
    /// True when the same request may succeed later without being changed.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Unavailable | Self::DeadlineExceeded | Self::ResourceExhausted => true,
            Self::InvalidArgument
            | Self::NotFound
            | Self::AlreadyExists
            | Self::Conflict
            | Self::FailedPrecondition
            | Self::Unauthenticated
            | Self::PermissionDenied
            | Self::OutOfRange
            | Self::Cancelled
            | Self::Unimplemented
            | Self::DataLoss
            | Self::Internal => false,
        }
    }
}
