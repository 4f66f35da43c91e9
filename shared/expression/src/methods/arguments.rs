//! Reading arguments of methods, with errors that say what was given.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::Outcome;
use crate::error::{EvalErrorKind, shorten};
use crate::limits::{ITEMS_MAX, REGEX_BYTES_MAX, REGEX_PROGRAM_BYTES_MAX, TEXT_BYTES_MAX};
use crate::value::{Object, Text, Value};

/// Returns the argument as text; null is refused.
pub(super) fn text(arguments: &[Value], index: usize) -> Result<Text, EvalErrorKind> {
    arguments
        .get(index)
        .and_then(Value::to_text)
        .ok_or_else(|| wrong(arguments.get(index), "argument that takes text"))
}

/// Returns the argument as a whole number.
pub(super) fn integer(arguments: &[Value], index: usize) -> Result<i64, EvalErrorKind> {
    arguments
        .get(index)
        .and_then(Value::to_i64)
        .ok_or_else(|| wrong(arguments.get(index), "argument that takes a whole number"))
}

/// Returns the argument as a number with a fraction.
pub(super) fn float(arguments: &[Value], index: usize) -> Result<f64, EvalErrorKind> {
    arguments
        .get(index)
        .and_then(Value::to_f64)
        .ok_or_else(|| wrong(arguments.get(index), "argument that takes a number"))
}

/// Returns the argument, or null if it is not there.
pub(super) fn any(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).cloned().unwrap_or_default()
}

fn wrong(argument: Option<&Value>, operation: &str) -> EvalErrorKind {
    EvalErrorKind::WrongType {
        operation: operation.to_owned(),
        found: argument.map_or("nothing", Value::type_name).to_owned(),
    }
}

/// Makes a text value, unless it is longer than allowed.
pub(super) fn bounded(text: String) -> Outcome {
    if text.len() > TEXT_BYTES_MAX {
        return Err(EvalErrorKind::Limit("length of text"));
    }
    Ok(text.into())
}

/// Makes a list value, unless it is longer than allowed.
pub(super) fn bounded_list(items: Vec<Value>) -> Outcome {
    if items.len() > ITEMS_MAX {
        return Err(EvalErrorKind::Limit("length of list"));
    }
    Ok(items.into())
}

/// Converts a position to one in `0..=length`.
pub(super) fn position(index: i64, length: usize) -> Result<usize, EvalErrorKind> {
    usize::try_from(index)
        .ok()
        .filter(|position| *position <= length)
        .ok_or(EvalErrorKind::OutOfRange { index, length })
}

/// Compiles a regular expression within the limits; matching is linear in the text.
pub(crate) fn compile_regex(pattern: &str) -> Result<Regex, EvalErrorKind> {
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(EvalErrorKind::Limit("length of regular expression"));
    }
    RegexBuilder::new(pattern)
        .size_limit(REGEX_PROGRAM_BYTES_MAX)
        .dfa_size_limit(REGEX_PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| EvalErrorKind::Unparsable {
            text: shorten(pattern.to_owned()),
            expected: format!("a regular expression ({})", last_line(&error.to_string())),
        })
}

/// Compiles a regular expression that must match the whole text.
pub(crate) fn matches_whole(pattern: &str) -> Result<Regex, EvalErrorKind> {
    // Compiled alone first, so that `a)|(b` does not pass by closing our own group.
    compile_regex(pattern)?;
    compile_regex(&format!(r"\A(?:{pattern})\z"))
}

/// A pattern argument that was compiled with the program.
#[derive(Debug)]
pub(super) struct CompiledPattern(pub(super) Regex);

impl Object for CompiledPattern {
    fn type_name(&self) -> &'static str {
        "pattern"
    }

    fn to_text(&self) -> Text {
        self.0.as_str().into()
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

/// Returns the argument as a pattern, compiled by `compile` unless it already is.
pub(super) fn pattern(
    arguments: &[Value],
    index: usize,
    compile: fn(&str) -> Result<Regex, EvalErrorKind>,
) -> Result<Cow<'_, Regex>, EvalErrorKind> {
    if let Some(Value::Object(object)) = arguments.get(index)
        && let Some(compiled) = object.as_any().and_then(|any| any.downcast_ref())
    {
        let CompiledPattern(regex) = compiled;
        return Ok(Cow::Borrowed(regex));
    }
    compile(&text(arguments, index)?).map(Cow::Owned)
}

/// The parser's message ends with its reason; the lines before draw the pattern.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or(message);
    line.strip_prefix("error: ").unwrap_or(line)
}
