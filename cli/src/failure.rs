//! What can go wrong in a command, how it is said and which exit code it has.

use std::{fmt, process::ExitCode};

use tidegate_wire::status::{conflict_of, field_violations};
use tonic::{Code, Status};

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Refused,
    Usage,
    Unreachable,
}

impl Failure {
    /// The other side, or the input, said no (exit code 1).
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Refused,
            message: message.into(),
        }
    }

    /// The command line makes no sense (exit code 2).
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            message: message.into(),
        }
    }

    /// True when the same call may succeed on another node, or a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unreachable)
    }

    /// No control-plane node could be reached (exit code 3).
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unreachable,
            message: message.into(),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Refused => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let kind = match status.code() {
            Code::Unavailable => Kind::Unreachable,
            _ => Kind::Refused,
        };
        let mut message = status.message().to_owned();
        for violation in field_violations(&status) {
            message.push_str(&format!(
                "\n  {}: {}",
                violation.field, violation.description
            ));
        }
        if let Some(conflict) = conflict_of(&status) {
            message.push_str(&format!(
                "\n  stored etag: {}\n  your etag:   {}",
                conflict.current, conflict.yours
            ));
            for line in conflict.changes {
                message.push_str(&format!("\n  {line}"));
            }
        }
        Self { kind, message }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(error.to_string())
    }
}
