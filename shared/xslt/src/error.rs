//! What can go wrong when compiling and when transforming.

use thiserror::Error;

/// A text that is no stylesheet, or one that uses what is not supported.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{place}: {reason}")]
pub struct CompileError {
    /// The construct, such as `xsl:template` or `@select of xsl:value-of`; `stylesheet` for the whole.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl CompileError {
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

/// A transformation that did not come to its end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransformError {
    /// The source is no XML document.
    #[error("the source is no XML: {0}")]
    Source(String),
    /// The stylesheet asks for what the values do not allow.
    #[error("{0}")]
    Dynamic(String),
    /// `xsl:message` with `terminate="yes"`.
    #[error("the stylesheet ended with the message {0:?}")]
    Terminated(String),
    /// A bound was reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}
