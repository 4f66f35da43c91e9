//! What is wrong with a specification, and why a document could not be transformed.

use thiserror::Error;

/// A specification that cannot be compiled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: found {found}, expected {expected}")]
pub struct CompileError {
    /// Place in the specification, such as `[0].spec.user.*`.
    pub path: String,
    /// What stands there.
    pub found: String,
    /// What could have stood there.
    pub expected: String,
}

impl CompileError {
    pub(crate) fn new(
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// A document that could not be transformed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransformError {
    /// The document and what it becomes take more than [`crate::limits::WORK_MAX`].
    #[error("the transformation takes too much work")]
    Work,
    /// A document is nested deeper than [`crate::limits::DEPTH_MAX`].
    #[error("the document is nested too deep")]
    Depth,
    /// A position in an array is above [`crate::limits::INDEX_MAX`].
    #[error("a position in an array is too high")]
    Index,
    /// `default` got an array, and its specification names members.
    #[error("the specification of default cannot handle an array")]
    DefaultOfArray,
}
