//! The expression language: text with embedded expressions, compiled once and evaluated per request.
//!
//! Source text → [pieces](Template) → tokens → syntax tree → program. Compiling resolves methods,
//! functions, regular expressions and paths and folds constants; evaluating is pure, bounded in steps
//! and sizes, and asks a [`Scope`] for everything that changes.
//!
//! Types: whole numbers have 64 bits and overflow is an error; `int` and `long` are one type. A number
//! with a fraction makes arithmetic fractional, `/` on whole numbers truncates. `+` concatenates as
//! soon as one side is text. Equality between different types is false; `<` and the like take two
//! numbers, two texts or two booleans, and null is below everything. `and`, `or`, `not` and `?:` take
//! booleans and text that spells one. Text positions count Unicode characters.

#![warn(missing_docs)]

mod error;
mod json_path;
pub mod limits;
mod methods;
mod needs;
mod program;
mod scope;
mod syntax;
mod template;
mod value;

pub use error::{CompileError, EvalError, EvalErrorKind};
pub use needs::Needs;
pub use scope::{Ambient, Key, Lookup, Scope, Segment};
pub use template::{Condition, Template};
pub use value::{Object, Text, Value, ValueMap, parse_json};
