//! JOLT: transformations of JSON by a specification that is JSON itself.
//!
//! A specification is a list of operations, each of which takes the document of the one before: `shift`,
//! `default`, `remove`, `cardinality`, `sort` and the three `modify-…-beta` operations. It is compiled once;
//! transforming parses nothing, is pure, and bounded in work, size and depth, whatever specification and
//! document are.
//!
//! ```
//! let specification = serde_json::json!([
//!     {"operation": "shift", "spec": {"user": {"name": "customer.fullName"}}}
//! ]);
//! let transformation = tidegate_jolt::Transformation::compile(&specification).unwrap();
//! let input = serde_json::json!({"user": {"name": "Ada"}});
//! let output = transformation.apply(input).unwrap();
//! assert_eq!(output, serde_json::json!({"customer": {"fullName": "Ada"}}));
//! ```

#![warn(missing_docs)]

mod cardinality;
mod default;
mod error;
mod key;
pub mod limits;
mod modify;
mod path;
mod remove;
mod shift;
mod sort;
#[cfg(test)]
mod tests;
mod transformation;
mod walk;

pub use error::{CompileError, TransformError};
pub use transformation::Transformation;
