//! The failure of a step that the reference engine names no key for.

use std::fmt::Display;

use http::StatusCode;
use tidegate_policy::{Failure, Outcome};

/// Answers 500; the cause is for the log alone.
pub(crate) fn internal_error(cause: impl Display) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_message("Internal Server Error")
            .with_cause(cause),
    )
}
