//! Avro data as JSON and back (Avro 1.11, "Data Serialization and Deserialization": binary and JSON encoding).
//!
//! Schemas are parsed by the `apache-avro` crate and become a program of numbered nodes. The data is read and written
//! here rather than by the crate: it comes from strangers, so every length, depth and size must have a bound, and
//! a value goes from one form to the other without a tree of values between them.

mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use thiserror::Error;

pub(crate) use schema::Schema;

/// Deepest nesting of a value.
const DEPTH_MAX: usize = 100;
/// Longest result, in bytes.
const RESULT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Data that does not fit its schema, or a limit. Says nothing of the data itself.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum DataError {
    /// The binary form ends too early.
    #[error("the data ends within a value")]
    CutOff,
    /// The binary form goes on behind the value.
    #[error("{0} bytes behind the value")]
    Rest(usize),
    /// A number, length or index that its type does not have.
    #[error("no {0}")]
    Invalid(&'static str),
    /// A JSON value of another type than the schema asks for.
    #[error("{place}: expected {expected}")]
    Expected {
        /// Where, such as `items[0].id`; empty for the whole.
        place: String,
        /// What the schema asks for.
        expected: String,
    },
    /// Nested too deeply.
    #[error("nested more than {DEPTH_MAX} levels")]
    Depth,
    /// The result is too long, or choosing branches of unions takes too much work.
    #[error("more than {RESULT_BYTES_MAX} bytes or too much work")]
    Size,
}
