//! Source text to tokens.

use crate::error::CompileError;
use crate::value::Text;

/// A token with the byte offset of its first character.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Integer(i64),
    Float(f64),
    Text(Text),
    Name(String),
    Symbol(&'static str),
    End,
}

/// All symbols, longer ones before their beginnings.
const SYMBOLS: &[&str] = &[
    "?.", "?:", "?[", "![", "^[", "$[", "==", "!=", "<=", ">=", "&&", "||", "#", ".", "?", ":",
    ",", "(", ")", "[", "]", "{", "}", "<", ">", "!", "+", "-", "*", "/", "%", "^",
];

/// Splits `source` into tokens, the last of which is [`TokenKind::End`].
///
/// Positions are counted from `offset`.
pub(super) fn tokens(source: &str, offset: usize) -> Result<Vec<Token>, CompileError> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let at = offset + source.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            tokens.push(Token {
                at,
                kind: TokenKind::End,
            });
            return Ok(tokens);
        };
        let (kind, length) = match first {
            '\'' | '"' => text(rest, first, at)?,
            '0'..='9' => number(rest, at)?,
            _ if is_name_start(first) && !rest.starts_with("$[") => {
                let end = rest
                    .find(|c: char| !is_name_start(c) && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                (TokenKind::Name(rest[..end].to_owned()), end)
            }
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => (TokenKind::Symbol(symbol), symbol.len()),
                None => {
                    return Err(CompileError::new(
                        at,
                        format!("{first:?}"),
                        "a part of an expression",
                    ));
                }
            },
        };
        tokens.push(Token { at, kind });
        rest = &rest[length..];
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

/// Reads quoted text; a doubled quote stands for one.
fn text(rest: &str, quote: char, at: usize) -> Result<(TokenKind, usize), CompileError> {
    let mut content = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, c)) = characters.next() {
        if c != quote {
            content.push(c);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            characters.next();
            content.push(quote);
        } else {
            return Ok((TokenKind::Text(content.into()), index + 1));
        }
    }
    Err(CompileError::new(
        at,
        "text that is never closed",
        format!("{quote} at its end"),
    ))
}

/// Reads a number: decimal or `0x`, with a fraction, an exponent and Java's `L F D` suffixes.
fn number(rest: &str, at: usize) -> Result<(TokenKind, usize), CompileError> {
    let out_of_range = |text: &str| CompileError::new(at, text, "a number within 64 bits");
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let digits = count(hex, |c| c.is_ascii_hexdigit());
        let end = 2 + digits;
        let value = i64::from_str_radix(&hex[..digits], 16);
        let value = value.map_err(|_error| out_of_range(&rest[..end]))?;
        let end = end + count_suffix(&rest[end..], "lL");
        return Ok((TokenKind::Integer(value), end));
    }
    let mut end = count(rest, |c| c.is_ascii_digit());
    let mut is_float = false;
    if let Some(fraction) = rest[end..].strip_prefix('.') {
        let digits = count(fraction, |c| c.is_ascii_digit());
        if digits > 0 {
            is_float = true;
            end += 1 + digits;
        }
    }
    let exponent = exponent_length(&rest[end..]);
    if exponent > 0 {
        is_float = true;
        end += exponent;
    }
    let digits = &rest[..end];
    let float_suffix = count_suffix(&rest[end..], "fFdD");
    if is_float || float_suffix > 0 {
        let value: f64 = digits.parse().map_err(|_error| out_of_range(digits))?;
        if !value.is_finite() {
            return Err(out_of_range(digits));
        }
        return Ok((TokenKind::Float(value), end + float_suffix));
    }
    let value = digits.parse().map_err(|_error| out_of_range(digits))?;
    Ok((
        TokenKind::Integer(value),
        end + count_suffix(&rest[end..], "lL"),
    ))
}

fn count(text: &str, accepts: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accepts(c)).unwrap_or(text.len())
}

fn count_suffix(text: &str, suffixes: &str) -> usize {
    usize::from(text.chars().next().is_some_and(|c| suffixes.contains(c)))
}

fn exponent_length(text: &str) -> usize {
    let Some(after) = text.strip_prefix(['e', 'E']) else {
        return 0;
    };
    let sign = count_suffix(after, "+-");
    match count(&after[sign..], |c| c.is_ascii_digit()) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}
