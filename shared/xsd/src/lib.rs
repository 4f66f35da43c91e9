//! XML Schema 1.0: a schema is compiled once, documents are checked in one pass.
//!
//! Nothing is fetched: document type declarations are refused, and a schema is one document. What a schema says that
//! is not checked here is refused by its name when the schema is compiled, so that a document that passes fits all of
//! it: identity constraints (`key`, `keyref`, `unique`), `include`, `import`, `redefine`, notations, `block`, entity
//! types, regular expressions by Unicode block.
//!
//! Work is bounded by schema and document: nesting, sizes, steps of content models; regular expressions match in time
//! in proportion to the text.
//!
//! Source: XML Schema Part 1 and Part 2, second edition; Namespaces in XML 1.0.

#![warn(missing_docs)]

mod builtin;
mod check;
mod compile;
mod decimal;
mod events;
mod instant;
mod name;
mod pattern;
mod program;
mod schema;
mod simple;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt::Display;

use thiserror::Error;

pub use schema::Schema;

/// Longest schema in bytes.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Deepest nesting of a schema document.
const SCHEMA_DEPTH_MAX: usize = 64;

/// Most elements of a schema document.
const NODES_MAX: usize = 50_000;

/// Deepest nesting of documents.
const DEPTH_MAX: usize = 256;

/// Most names that a document declares as `ID` and refers to.
const MARKS_MAX: usize = 100_000;

/// A schema that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {position}: {found}, expected {expected}")]
pub struct SchemaError {
    /// Bytes of the schema before the place.
    pub position: u64,
    /// What stands there.
    pub found: String,
    /// What could have stood there.
    pub expected: String,
}

impl SchemaError {
    fn new(position: u64, found: impl Display, expected: impl Into<String>) -> Self {
        Self {
            position,
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}

/// A document that is not what the schema asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// It is not XML, has a document type declaration, or is nested too deep.
    #[error("byte {position}: {found}")]
    Malformed {
        /// Bytes of the document before the place.
        position: u64,
        /// What is wrong.
        found: String,
    },
    /// It is XML, but not of this schema.
    #[error("byte {position}: {found}")]
    Unfit {
        /// Bytes of the document before the place.
        position: u64,
        /// What is wrong; may show the beginning of a value.
        found: String,
    },
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// The text is no schema, is too large, or says something that is not checked here.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        compile::compile(text)
    }

    /// Checks a document.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, document: &str) -> Result<(), Invalid> {
        check::check(self, document)
    }
}
