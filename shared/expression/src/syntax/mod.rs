//! Source text to syntax tree.

mod ast;
mod display;
mod lexer;
mod parser;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use ast::{BinaryOp, Expr, ExprKind, UnaryOp, Which};
pub(crate) use parser::parse;
