//! XSLT 1.0 (<https://www.w3.org/TR/xslt-10/>) with XPath 1.0: stylesheets are compiled once, and every transformation
//! has bounds of work, depth, size and time.
//!
//! Nothing is ever fetched: `document()`, `xsl:import` and `xsl:include` are refused when a stylesheet is compiled, by
//! their names, as is everything else that is not supported.

#![warn(missing_docs)]

mod error;
mod number;
mod run;
mod stylesheet;
#[cfg(test)]
mod tests;
mod tree;
mod xpath;

pub use error::{CompileError, TransformError};
pub use run::{Limits, Output};
pub use stylesheet::Stylesheet;
