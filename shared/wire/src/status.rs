//! [`ErrorKind`] → HTTP status, gRPC code and exit code, and the details that travel with a gRPC status.

use std::collections::HashMap;

use http::StatusCode;
use tidegate_model::{ErrorKind, Violation};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Domain of the `google.rpc.ErrorInfo` of all our errors.
const DOMAIN: &str = "tidegate";
/// Details travel in a trailer; peers refuse more than 16 KiB of trailers, and base64 adds a third.
const DETAILS_BYTES_MAX: usize = 10 * 1024;
/// Bytes a detail takes besides its text.
const DETAIL_OVERHEAD_BYTES: usize = 16;
/// Longest single text inside a detail, in characters.
const TEXT_CHARACTERS_MAX: usize = 512;

const CURRENT: &str = "current";
const YOURS: &str = "yours";
const CHANGES: &str = "changes";

/// Gives the HTTP status of an error. Where policies know a better one, they say it themselves.
pub const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument | ErrorKind::OutOfRange => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::FailedPrecondition => StatusCode::CONFLICT,
        ErrorKind::Conflict => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Cancelled => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::DataLoss | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Gives the gRPC code of an error.
pub const fn grpc_code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::OutOfRange => Code::OutOfRange,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unimplemented => Code::Unimplemented,
        ErrorKind::DataLoss => Code::DataLoss,
        ErrorKind::Internal => Code::Internal,
    }
}

/// Gives the exit code of a command that ends with an error: 1 refused or failed, 3 unreachable.
///
/// 0 (done) is no error, and 2 (wrong usage) is found before anything is sent.
pub const fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Unavailable => 3,
        ErrorKind::InvalidArgument
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Conflict
        | ErrorKind::FailedPrecondition
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::ResourceExhausted
        | ErrorKind::OutOfRange
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled
        | ErrorKind::Unimplemented
        | ErrorKind::DataLoss
        | ErrorKind::Internal => 1,
    }
}

/// Gives the kind a gRPC status stands for; `None` when it is no error.
pub const fn kind_of(code: Code) -> Option<ErrorKind> {
    match code {
        Code::Ok => None,
        Code::InvalidArgument => Some(ErrorKind::InvalidArgument),
        Code::NotFound => Some(ErrorKind::NotFound),
        Code::AlreadyExists => Some(ErrorKind::AlreadyExists),
        Code::Aborted => Some(ErrorKind::Conflict),
        Code::FailedPrecondition => Some(ErrorKind::FailedPrecondition),
        Code::Unauthenticated => Some(ErrorKind::Unauthenticated),
        Code::PermissionDenied => Some(ErrorKind::PermissionDenied),
        Code::ResourceExhausted => Some(ErrorKind::ResourceExhausted),
        Code::OutOfRange => Some(ErrorKind::OutOfRange),
        Code::Unavailable => Some(ErrorKind::Unavailable),
        Code::DeadlineExceeded => Some(ErrorKind::DeadlineExceeded),
        Code::Cancelled => Some(ErrorKind::Cancelled),
        Code::Unimplemented => Some(ErrorKind::Unimplemented),
        Code::DataLoss => Some(ErrorKind::DataLoss),
        Code::Internal | Code::Unknown => Some(ErrorKind::Internal),
    }
}

/// One wrong field, as the receiver of a status sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Where, such as `plans[0].security.type`.
    pub field: String,
    /// The value, what was expected, and the document it is in.
    pub description: String,
}

/// Both sides of a change that was based on another version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Etag of what is stored; empty when nothing is.
    pub current: String,
    /// Etag the change was based on.
    pub yours: String,
    /// Readable changes from what is stored to what was sent.
    pub changes: Vec<String>,
}

/// Makes a status with `google.rpc.ErrorInfo`: `key` is its reason, stable and in upper snake case.
pub fn error(kind: ErrorKind, key: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(key, DOMAIN, HashMap::new());
    Status::with_error_details(grpc_code(kind), message, details)
}

/// Makes INVALID_ARGUMENT with one `google.rpc.BadRequest` field violation per violation.
pub fn invalid(key: &str, message: &str, violations: &[Violation]) -> Status {
    with_violations(ErrorKind::InvalidArgument, key, message, violations)
}

/// Makes FAILED_PRECONDITION with one `google.rpc.BadRequest` field violation per violation.
pub fn refused(key: &str, message: &str, violations: &[Violation]) -> Status {
    with_violations(ErrorKind::FailedPrecondition, key, message, violations)
}

/// Makes INVALID_ARGUMENT for a document that broke rules.
pub fn violations_status(violations: &[Violation]) -> Status {
    let message = match violations {
        [only] => only.to_string(),
        many => format!("{} violations", many.len()),
    };
    invalid("INVALID", &message, violations)
}

/// Makes ABORTED with both etags and the changes in the metadata of `google.rpc.ErrorInfo`.
///
/// Changes that do not fit a trailer are left out; the last line says how many.
pub fn conflict(message: &str, conflict: &Conflict) -> Status {
    let mut space = DETAILS_BYTES_MAX;
    let mut lines = Vec::new();
    for (position, change) in conflict.changes.iter().enumerate() {
        let line = shortened(change).replace('\n', " ");
        match space.checked_sub(line.len().saturating_add(1)) {
            Some(left) => space = left,
            None => {
                let left_out = conflict.changes.len().saturating_sub(position);
                lines.push(format!("{left_out} more changes"));
                break;
            }
        }
        lines.push(line);
    }
    let metadata = HashMap::from([
        (CURRENT.to_owned(), shortened(&conflict.current)),
        (YOURS.to_owned(), shortened(&conflict.yours)),
        (CHANGES.to_owned(), lines.join("\n")),
    ]);
    let details = ErrorDetails::with_error_info("ETAG_CONFLICT", DOMAIN, metadata);
    Status::with_error_details(grpc_code(ErrorKind::Conflict), message, details)
}

/// Reads the wrong fields out of a status; empty when it names none.
pub fn field_violations(status: &Status) -> Vec<FieldViolation> {
    let Some(bad_request) = status.get_details_bad_request() else {
        return Vec::new();
    };
    bad_request
        .field_violations
        .into_iter()
        .map(|violation| FieldViolation {
            field: violation.field,
            description: violation.description,
        })
        .collect()
}

/// Reads both sides of a conflict out of a status.
pub fn conflict_of(status: &Status) -> Option<Conflict> {
    if status.code() != Code::Aborted {
        return None;
    }
    let mut metadata = status.get_details_error_info()?.metadata;
    let changes = metadata.remove(CHANGES).unwrap_or_default();
    Some(Conflict {
        current: metadata.remove(CURRENT)?,
        yours: metadata.remove(YOURS)?,
        changes: changes.lines().map(str::to_owned).collect(),
    })
}

/// Reads the stable key out of a status.
pub fn key_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

fn with_violations(kind: ErrorKind, key: &str, message: &str, violations: &[Violation]) -> Status {
    let mut details = ErrorDetails::with_error_info(key, DOMAIN, HashMap::new());
    let mut space = DETAILS_BYTES_MAX;
    for (position, violation) in violations.iter().enumerate() {
        let (field, description) = (shortened(&violation.path), describe(violation));
        let size = field.len().saturating_add(description.len());
        match space.checked_sub(size.saturating_add(DETAIL_OVERHEAD_BYTES)) {
            Some(left) => space = left,
            None => {
                let left_out = violations.len().saturating_sub(position);
                details.add_bad_request_violation("", format!("{left_out} more violations"));
                break;
            }
        }
        details.add_bad_request_violation(field, description);
    }
    Status::with_error_details(grpc_code(kind), message, details)
}

fn describe(violation: &Violation) -> String {
    let Violation {
        value,
        expected,
        source,
        ..
    } = violation;
    let mut description = String::new();
    if !value.is_empty() {
        description.push_str(value);
        description.push_str(", ");
    }
    description.push_str("expected ");
    description.push_str(expected);
    if !source.is_empty() {
        description.push_str(" (");
        description.push_str(source);
        description.push(')');
    }
    shortened(&description)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ErrorKind; 15] = [
        ErrorKind::InvalidArgument,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Conflict,
        ErrorKind::FailedPrecondition,
        ErrorKind::Unauthenticated,
        ErrorKind::PermissionDenied,
        ErrorKind::ResourceExhausted,
        ErrorKind::OutOfRange,
        ErrorKind::Unavailable,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Cancelled,
        ErrorKind::Unimplemented,
        ErrorKind::DataLoss,
        ErrorKind::Internal,
    ];

    #[test]
    fn every_kind_survives_grpc_and_is_an_error_everywhere() {
        for kind in KINDS {
            let status = error(kind, "SOME_KEY", "message");
            assert_eq!(kind_of(status.code()), Some(kind));
            assert_eq!(key_of(&status).as_deref(), Some("SOME_KEY"));
            assert!(http_status(kind).is_client_error() || http_status(kind).is_server_error());
            assert!(matches!(exit_code(kind), 1 | 3));
        }
        assert_eq!(kind_of(Code::Ok), None);
    }

    #[test]
    fn violations_say_place_value_expectation_and_source() {
        let violation =
            Violation::new("plans[0].name", "\"\"", "1 to 512 characters").in_source("a.yaml:3");
        let status = violations_status(&[violation]);
        assert_eq!(status.code(), Code::InvalidArgument);
        let expected = FieldViolation {
            field: "plans[0].name".to_owned(),
            description: "\"\", expected 1 to 512 characters (a.yaml:3)".to_owned(),
        };
        assert_eq!(field_violations(&status), [expected]);
    }

    #[test]
    fn more_violations_than_a_trailer_takes_are_counted() {
        let many: Vec<_> = (0..1000)
            .map(|n| Violation::new(format!("flows[{n}]"), "x", "y".repeat(200)))
            .collect();
        let status = refused("UNDEPLOYABLE", "1000 violations", &many);
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(
            status.details().len() < 11 * 1024,
            "{}",
            status.details().len()
        );
        let read = field_violations(&status);
        let more = format!("{} more violations", 1000 - (read.len() - 1));
        assert_eq!(read.last().unwrap().description, more);
    }

    #[test]
    fn more_changes_than_a_trailer_takes_are_counted() {
        let both = Conflict {
            current: "7".to_owned(),
            yours: "5".to_owned(),
            changes: (0..1000)
                .map(|n| format!("flows[{n}]\n{}", "y".repeat(600)))
                .collect(),
        };
        let status = conflict("API echo was changed meanwhile", &both);
        assert!(
            status.details().len() < 11 * 1024,
            "{}",
            status.details().len()
        );
        let read = conflict_of(&status).unwrap();
        let more = format!("{} more changes", 1000 - (read.changes.len() - 1));
        assert_eq!(read.changes.last(), Some(&more));
    }

    #[test]
    fn only_an_unreachable_peer_has_an_exit_code_of_its_own() {
        for kind in KINDS {
            let expected = if kind == ErrorKind::Unavailable { 3 } else { 1 };
            assert_eq!(exit_code(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_conflict_shows_both_sides() {
        let both = Conflict {
            current: "7".to_owned(),
            yours: "5".to_owned(),
            changes: vec!["name: a -> b".to_owned(), "plans[0] added".to_owned()],
        };
        let status = conflict("API echo was changed meanwhile", &both);
        assert_eq!(status.code(), Code::Aborted);
        assert_eq!(conflict_of(&status), Some(both));
        assert_eq!(
            conflict_of(&error(ErrorKind::Conflict, "CONTENTION", "again")),
            None
        );
        assert_eq!(conflict_of(&Status::aborted("foreign")), None);
    }
}
