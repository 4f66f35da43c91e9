//! What can go wrong when compiling or evaluating; positions are byte offsets into the source text.

use thiserror::Error;

/// An expression that cannot be compiled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("at position {position}: found {found}, expected {expected}")]
pub struct CompileError {
    /// Byte offset into the template text.
    pub position: usize,
    /// What stands there, shortened.
    pub found: String,
    /// What could have stood there.
    pub expected: String,
}

impl CompileError {
    pub(crate) fn new(
        position: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            position,
            found: shorten(found.into()),
            expected: expected.into(),
        }
    }
}

/// An expression that failed on the values it met.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("at position {position}: {kind}")]
pub struct EvalError {
    /// Byte offset into the template text.
    pub position: usize,
    /// What went wrong.
    pub kind: EvalErrorKind,
}

/// Why an evaluation failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// A property, index or method of null.
    #[error("{what} of null")]
    NullTarget {
        /// What was asked of null.
        what: String,
    },
    /// An operand of a type that the operation does not take.
    #[error("{operation} does not take {found}")]
    WrongType {
        /// The operator, method or function.
        operation: String,
        /// Names of the types met.
        found: String,
    },
    /// A property that the value does not have.
    #[error("no property '{name}' on {target}")]
    NoProperty {
        /// The name asked for.
        name: String,
        /// Type of the value, or the variable.
        target: String,
    },
    /// A position outside of a list or text.
    #[error("index {index} out of range, length {length}")]
    OutOfRange {
        /// The position asked for.
        index: i64,
        /// Length of the list or text.
        length: usize,
    },
    /// Text that does not parse as what is needed.
    #[error("{text:?} is not {expected}")]
    Unparsable {
        /// The text, shortened.
        text: String,
        /// What it should have been.
        expected: String,
    },
    /// Division by zero, or a result outside of 64 bits.
    #[error("arithmetic: {0}")]
    Arithmetic(&'static str),
    /// A limit of the evaluator was reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// A method of an object failed.
    #[error("{0}")]
    Method(String),
}

/// Longest quotation in an error: enough to recognise the place, little enough for a log line.
const QUOTED_CHARS_MAX: usize = 60;

pub(crate) fn shorten(text: String) -> String {
    if text.chars().count() <= QUOTED_CHARS_MAX {
        return text;
    }
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    short.push('…');
    short
}
