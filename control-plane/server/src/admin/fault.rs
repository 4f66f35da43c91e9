//! Why a call of the admin API fails, and how that is said to the client.

use tidegate_consensus::{ProposeError, ReadError as ReadIndexError};
use tidegate_model::{ErrorKind, Violation};
use tidegate_state::{ReadError, code};
use tidegate_wire::status;
use tonic::Status;

use crate::auth::RandomError;

/// Two versions of one resource that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EditConflict {
    /// What was to be changed, for people.
    pub resource: String,
    /// Etag of what is stored; empty when nothing is.
    pub current: String,
    /// Etag the client relied on.
    pub yours: String,
    /// Readable changes from what is stored to what the client sent.
    pub changes: Vec<String>,
}

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{kind} {name:?} does not exist")]
    NotFound { kind: &'static str, name: String },
    /// The request itself is wrong, in these places.
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    /// The request is fine, the state does not allow it.
    #[error("{message}")]
    Refused {
        key: &'static str,
        message: String,
        violations: Vec<Violation>,
    },
    #[error("{message}")]
    Exists { key: &'static str, message: String },
    #[error("{} was changed meanwhile", .0.resource)]
    Conflict(Box<EditConflict>),
    #[error("others change the same resources right now; try again")]
    Contention,
    #[error("revision {0} is no longer kept; list again and resume from there")]
    RevisionGone(u64),
    #[error("{0}")]
    Exhausted(&'static str),
    #[error("the control plane has no leader right now; try again")]
    NoLeader,
    #[error(
        "the deadline passed; repeat the call with the same idempotency key to learn its outcome"
    )]
    Deadline,
    #[error("the node is shutting down")]
    Shutdown,
    #[error("internal error")]
    Read(#[from] ReadError),
    #[error("internal error")]
    Random(#[from] RandomError),
    #[error("internal error")]
    Sign(#[from] tidegate_view::SignError),
    /// What happened, for the log only.
    #[error("internal error")]
    Internal(String),
}

impl Fault {
    /// One wrong field.
    pub(crate) fn field(path: &str, expected: &str) -> Self {
        Self::Invalid(vec![Violation::new(path, "", expected)])
    }

    /// A state that does not allow the call.
    pub(crate) fn refused(key: &'static str, message: impl Into<String>) -> Self {
        Self::Refused {
            key,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn not_found(kind: &'static str, name: &str) -> Self {
        Self::NotFound {
            kind,
            name: name.chars().take(128).collect(),
        }
    }

    /// What a rejection by the replicated rules means to the client.
    pub(crate) fn rejected(code: &str, message: &str, path: &str) -> Self {
        let exists = |key| Self::Exists {
            key,
            message: message.to_owned(),
        };
        match code {
            code::NAME_TAKEN => exists("NAME_TAKEN"),
            code::PLAN_ID_TAKEN => exists("PLAN_ID_TAKEN"),
            code::CLAIM_TAKEN => exists("CLAIM_TAKEN"),
            code::CLIENT_ID_TAKEN => exists("CLIENT_ID_TAKEN"),
            code::KEY_TAKEN => exists("KEY_TAKEN"),
            code::IDEMPOTENCY_KEY_REUSED => Self::refused("IDEMPOTENCY_KEY_REUSED", message),
            code::NOT_FOUND => Self::refused("NOT_FOUND", message),
            code::PLAN_IN_USE => Self::refused("PLAN_IN_USE", message),
            code::ASSET_IN_USE => Self::refused("ASSET_IN_USE", message),
            code::LIMIT => Self::refused("LIMIT", message),
            code::FEATURE_LEVEL => Self::refused("FEATURE_LEVEL", message),
            // Whatever else the rules find should have been found before it was proposed.
            _ => Self::Internal(format!("rejected with {code} at {path}: {message}")),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::Refused { .. } => ErrorKind::FailedPrecondition,
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::Conflict(_) | Self::Contention => ErrorKind::Conflict,
            Self::RevisionGone(_) => ErrorKind::OutOfRange,
            Self::Exhausted(_) => ErrorKind::ResourceExhausted,
            Self::NoLeader | Self::Shutdown => ErrorKind::Unavailable,
            Self::Deadline => ErrorKind::DeadlineExceeded,
            Self::Read(_) | Self::Random(_) | Self::Sign(_) | Self::Internal(_) => {
                ErrorKind::Internal
            }
        }
    }

    /// Stable name of the error for programs.
    fn key(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Invalid(_) => "INVALID",
            Self::Refused { key, .. } | Self::Exists { key, .. } => key,
            Self::Conflict(_) => "ETAG_CONFLICT",
            Self::Contention => "CONTENTION",
            Self::RevisionGone(_) => "REVISION_GONE",
            Self::Exhausted(_) => "EXHAUSTED",
            Self::NoLeader => "NO_LEADER",
            Self::Deadline => "DEADLINE",
            Self::Shutdown => "SHUTDOWN",
            Self::Read(_) | Self::Random(_) | Self::Sign(_) | Self::Internal(_) => "INTERNAL",
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let (kind, key, message) = (fault.kind(), fault.key(), fault.to_string());
        match fault {
            Fault::Invalid(violations) => status::invalid(key, &message, &violations),
            Fault::Refused { violations, .. } if !violations.is_empty() => {
                status::refused(key, &message, &violations)
            }
            Fault::Conflict(conflict) => status::conflict(
                &message,
                &status::Conflict {
                    current: conflict.current,
                    yours: conflict.yours,
                    changes: conflict.changes,
                },
            ),
            Fault::Internal(detail) => {
                tracing::error!(detail, "admin call failed");
                status::error(kind, key, &message)
            }
            other => {
                if kind == ErrorKind::Internal {
                    let cause = std::error::Error::source(&other).map(ToString::to_string);
                    tracing::error!(cause, "admin call failed");
                }
                status::error(kind, key, &message)
            }
        }
    }
}

impl From<ProposeError> for Fault {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NoLeader => Self::NoLeader,
            ProposeError::Timeout => Self::Deadline,
            ProposeError::Shutdown => Self::Shutdown,
            ProposeError::TooLarge { .. } => Self::refused("TOO_LARGE", error.to_string()),
            // Only during an upgrade of the cluster: the node that decided is ahead of the leader.
            ProposeError::LevelTooNew { .. } | ProposeError::Refused(_) => {
                Self::refused("FEATURE_LEVEL", error.to_string())
            }
            ProposeError::Reply(_) => Self::Internal(format!("proposal failed: {error}")),
        }
    }
}

impl From<ReadIndexError> for Fault {
    fn from(error: ReadIndexError) -> Self {
        match error {
            ReadIndexError::NoLeader => Self::NoLeader,
            ReadIndexError::Timeout => Self::Deadline,
            ReadIndexError::Shutdown => Self::Shutdown,
        }
    }
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [only] => format!("{}: expected {}", only.path, only.expected),
        many => format!("{} violations", many.len()),
    }
}
