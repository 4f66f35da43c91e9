//! Finds the expressions in a text.
//!
//! An expression begins with `{`, blanks, and one of `#`, `(` or `T` (the latter followed by blanks
//! and `(`), and ends at the `}` that balances it. Braces inside of quoted text do not count. All else
//! is literal, so JSON with `{ "a": … }` is safe.

use crate::error::CompileError;

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text as it stands.
    Literal(&'a str),
    /// The inside of the braces.
    Expression {
        /// Source without the braces.
        text: &'a str,
        /// Byte offset of `text` in the template.
        position: usize,
    },
}

/// Splits a template; fails if an expression is never closed.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, CompileError> {
    let mut pieces = Vec::new();
    let mut literal_from = 0;
    let mut at = 0;
    while let Some(offset) = source[at..].find('{') {
        let open = at + offset;
        if !opens_expression(&source[open + 1..]) {
            at = open + 1;
            continue;
        }
        let close = balance(source, open)?;
        if literal_from < open {
            pieces.push(Piece::Literal(&source[literal_from..open]));
        }
        pieces.push(Piece::Expression {
            text: &source[open + 1..close],
            position: open + 1,
        });
        literal_from = close + 1;
        at = literal_from;
    }
    if literal_from < source.len() {
        pieces.push(Piece::Literal(&source[literal_from..]));
    }
    Ok(pieces)
}

/// Tells whether the text after a `{` begins an expression.
fn opens_expression(inside: &str) -> bool {
    let inside = inside.trim_start();
    match inside.as_bytes().first() {
        Some(b'#' | b'(') => true,
        Some(b'T') => inside[1..].trim_start().starts_with('('),
        _ => false,
    }
}

/// Returns the offset of the brace that closes the one at `open`.
fn balance(source: &str, open: usize) -> Result<usize, CompileError> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (offset, byte) in source.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') => {
                depth -= 1;
                if depth == 0 {
                    return Ok(offset);
                }
            }
            (None, _) => {}
        }
    }
    Err(CompileError::new(
        open,
        "'{' that is never closed",
        "'}' at the end of the expression",
    ))
}
