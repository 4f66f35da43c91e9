//! The right side of a modification: a constant, a value from elsewhere, or a function of such.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::functions::Function;
use crate::error::TransformError;
use crate::limits::Budget;
use crate::path::{Transpose, split_outside};
use crate::walk::Walked;

/// A compiled right side.
#[derive(Debug)]
pub(super) enum Expression {
    Constant(Value),
    Lookup(Transpose),
    /// `=name`: a function of the value that stands in the place.
    OfPlace(Function),
    /// `=name(…)`.
    Call(Function, Vec<Argument>),
}

#[derive(Debug)]
pub(super) enum Argument {
    Constant(Value),
    Lookup(Transpose),
}

impl Expression {
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let Value::String(text) = value else {
            return Ok(Self::Constant(value.clone()));
        };
        if text.starts_with('^') {
            return Err("a constant, a reference or a function (there is no context)".to_owned());
        }
        if text.starts_with('@') {
            return Transpose::parse(text).map(Self::Lookup);
        }
        let Some(call) = text.strip_prefix('=') else {
            return Ok(Self::Constant(value.clone()));
        };
        let Some((name, arguments)) = call.split_once('(') else {
            return Function::find(call.trim()).map(Self::OfPlace);
        };
        let function = Function::find(name.trim())?;
        let arguments = arguments.trim_end().strip_suffix(')');
        let arguments = arguments.ok_or_else(|| "a closed '('".to_owned())?;
        let arguments = match arguments.trim() {
            "" => Vec::new(),
            text => split_arguments(text)?
                .into_iter()
                .map(|text| Argument::parse(text.trim()))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self::Call(function, arguments))
    }

    /// Returns the value, if there is one.
    pub(super) fn evaluate(
        &self,
        walked: &dyn Walked,
        budget: &mut Budget,
    ) -> Result<Option<Value>, TransformError> {
        match self {
            Self::Constant(value) => budget.copy(value).map(Some),
            Self::Lookup(transpose) => {
                let found = transpose.value(walked);
                found.map(|value| budget.copy(value)).transpose()
            }
            Self::OfPlace(function) => match walked.tree(0) {
                Some(value) => function.call(&[Cow::Borrowed(value)], budget),
                None => function.call(&[], budget),
            },
            Self::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    match argument {
                        Argument::Constant(value) => values.push(Cow::Borrowed(value)),
                        // What is missing is null to a function.
                        Argument::Lookup(transpose) => {
                            let found = transpose.value(walked).unwrap_or(&Value::Null);
                            values.push(Cow::Borrowed(found));
                        }
                    }
                }
                function.call(&values, budget)
            }
        }
    }
}

impl Argument {
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('@') {
            return Transpose::parse(text).map(Self::Lookup);
        }
        if text.starts_with('^') {
            return Err("an argument without '^' (there is no context)".to_owned());
        }
        let quoted = text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''));
        if let Some(text) = quoted {
            return Ok(Self::Constant(text.replace("\\'", "'").into()));
        }
        Ok(Self::Constant(match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            text => match number(text) {
                Some(number) => Value::Number(number),
                None => text.into(),
            },
        }))
    }
}

/// Reads a number; whole ones stay whole.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let looks_like_one = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let parsed = text.parse::<f64>().ok().filter(|_| looks_like_one)?;
    Number::from_f64(parsed)
}

/// Splits at commas outside of quotes and parentheses.
fn split_arguments(text: &str) -> Result<Vec<&str>, String> {
    if !text.contains('\'') {
        return split_outside(text, ',');
    }
    let mut pieces = Vec::new();
    let (mut begin, mut depth, mut is_quoted, mut is_escaped) = (0, 0_usize, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\'' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                pieces.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if is_quoted {
        return Err("a closed quote".to_owned());
    }
    pieces.push(&text[begin..]);
    Ok(pieces)
}
