//! What the threat protections answer: they tell a client nothing about what they found.

use std::fmt::Display;

use http::StatusCode;
use tidegate_policy::{Failure, Outcome};

/// Answers 400 with the key of the finding; the cause is for the log alone.
pub(crate) fn refusal(key: &'static str, cause: impl Display) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::BAD_REQUEST)
            .with_key(key)
            .with_message("Bad Request")
            .with_cause(cause),
    )
}

/// A limit of a configuration: null and numbers below zero mean none.
pub(crate) fn limit(configured: Option<i64>) -> usize {
    configured
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}

/// The type of a `Content-Type`, without parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
