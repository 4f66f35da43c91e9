//! The functions of `modify`: which there are, and those of texts and types.
//!
//! A function gives nothing when its arguments do not fit; the value in the place then stays as it is.

use std::borrow::Cow;

use regex::Regex;
use serde_json::{Map, Value};

use super::argument::number;
use super::{lists, numbers};
use crate::error::TransformError;
use crate::limits::Budget;
use crate::path::scalar;

/// Longest text that padding makes, in characters.
const PADDED_MAX: usize = 100_000;

type Arguments<'a> = [Cow<'a, Value>];

/// A function by its implementation.
#[derive(Clone, Copy)]
pub(super) struct Function {
    name: &'static str,
    run: fn(&Arguments<'_>, &mut Budget) -> Result<Option<Value>, TransformError>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Wraps a function of the arguments.
macro_rules! of_all {
    ($name:literal, $function:path) => {
        Function {
            name: $name,
            run: |arguments, _budget| Ok($function(arguments)),
        }
    };
}

/// Wraps a function of one value; a list, or several arguments, are mapped.
macro_rules! of_each {
    ($name:literal, $function:path) => {
        Function {
            name: $name,
            run: |arguments, budget| each(arguments, budget, $function),
        }
    };
}

const FUNCTIONS: &[Function] = &[
    of_each!("abs", numbers::abs),
    of_all!("avg", numbers::average),
    Function {
        name: "concat",
        run: concat,
    },
    of_all!("divide", numbers::divide),
    of_all!("divideAndRound", numbers::divide_and_round),
    of_all!("doubleSubtract", numbers::double_subtract),
    of_all!("doubleSum", numbers::double_sum),
    of_all!("elementAt", lists::element_at),
    of_all!("firstElement", lists::first),
    of_all!("intSubtract", numbers::whole_subtract),
    of_all!("intSum", numbers::whole_sum),
    of_all!("isNull", is_null),
    of_all!("isPresent", is_present),
    Function {
        name: "join",
        run: join,
    },
    of_all!("lastElement", lists::last),
    of_all!("leftPad", left_pad),
    of_all!("longSubtract", numbers::whole_subtract),
    of_all!("longSum", numbers::whole_sum),
    of_all!("max", numbers::max),
    of_all!("min", numbers::min),
    of_all!("noop", nothing),
    of_all!("notNull", not_null),
    Function {
        name: "recursivelySquashNulls",
        run: |arguments, _budget| Ok(squash(arguments, true)),
    },
    of_all!("rightPad", right_pad),
    of_all!("size", size),
    of_all!("sort", lists::sort),
    of_all!("split", split),
    of_all!("squashDuplicates", lists::squash_duplicates),
    Function {
        name: "squashNulls",
        run: |arguments, _budget| Ok(squash(arguments, false)),
    },
    of_all!("substring", substring),
    of_each!("toBoolean", to_boolean),
    of_each!("toDouble", numbers::to_double),
    of_each!("toInteger", numbers::to_whole),
    of_all!("toList", lists::to_list),
    of_each!("toLong", numbers::to_whole),
    of_each!("toLower", to_lower),
    of_each!("toString", to_string),
    of_each!("toUpper", to_upper),
    of_each!("trim", trim),
];

impl Function {
    pub(super) fn find(name: &str) -> Result<Self, String> {
        let found = FUNCTIONS.binary_search_by_key(&name, |function| function.name);
        found.map(|index| FUNCTIONS[index]).map_err(|_missing| {
            let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
            format!("one of the functions {}", names.join(", "))
        })
    }

    pub(super) fn call(
        self,
        arguments: &Arguments<'_>,
        budget: &mut Budget,
    ) -> Result<Option<Value>, TransformError> {
        for argument in arguments {
            budget.charge(argument)?;
        }
        let result = (self.run)(arguments, budget)?;
        if let Some(value) = &result {
            budget.charge(value)?;
        }
        Ok(result)
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}

fn each(
    arguments: &Arguments<'_>,
    budget: &mut Budget,
    function: fn(&Value) -> Option<Value>,
) -> Result<Option<Value>, TransformError> {
    let mut mapped = |values: &mut dyn Iterator<Item = &Value>| {
        let values = values.map(|value| {
            budget.step(0)?;
            Ok(function(value).unwrap_or_else(|| value.clone()))
        });
        let values = values.collect::<Result<Vec<_>, TransformError>>()?;
        Ok(Some(Value::Array(values)))
    };
    match arguments {
        [] => Ok(None),
        [one] => match &**one {
            Value::Array(items) => mapped(&mut items.iter()),
            value => Ok(function(value)),
        },
        several => mapped(&mut several.iter().map(|argument| &**argument)),
    }
}

/// Returns the text of a value, lists and objects as JSON.
fn text_of(value: &Value) -> String {
    scalar(value).unwrap_or_else(|| value.to_string())
}

/// Returns what a function of many works on: the only argument if it is a list, else all arguments.
pub(super) fn many<'a>(arguments: &'a Arguments<'_>) -> Vec<&'a Value> {
    match arguments {
        [one] => match &**one {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        },
        several => several.iter().map(|argument| &**argument).collect(),
    }
}

fn concat(arguments: &Arguments<'_>, budget: &mut Budget) -> Result<Option<Value>, TransformError> {
    let mut text = String::new();
    for value in many(arguments).into_iter().filter(|value| !value.is_null()) {
        let piece = text_of(value);
        budget.step(piece.len())?;
        text.push_str(&piece);
    }
    Ok(Some(text.into()))
}

fn join(arguments: &Arguments<'_>, budget: &mut Budget) -> Result<Option<Value>, TransformError> {
    let Some((separator, values)) = arguments.split_first() else {
        return Ok(None);
    };
    let Some(separator) = separator.as_str() else {
        return Ok(None);
    };
    let mut text = String::new();
    let values = many(values).into_iter().filter(|value| !value.is_null());
    for (index, value) in values.enumerate() {
        let piece = text_of(value);
        budget.step(piece.len() + separator.len())?;
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(&piece);
    }
    Ok(Some(text.into()))
}

/// Splits at a regular expression, as Java does: empty texts at the end are left out.
fn split(arguments: &Arguments<'_>) -> Option<Value> {
    let [separator, text] = arguments else {
        return None;
    };
    let (separator, text) = (separator.as_str()?, text.as_str()?);
    let is_plain = !separator.contains(|char| r"\.+*?()|[]{}^$".contains(char));
    let mut pieces: Vec<&str> = if is_plain && !separator.is_empty() {
        text.split(separator).collect()
    } else {
        let size = 1 << 18;
        let mut regex = regex::RegexBuilder::new(separator);
        let regex: Regex = regex.size_limit(size).build().ok()?;
        regex.split(text).collect()
    };
    // A match of nothing at the begin gives no piece.
    if separator.is_empty() && pieces.first() == Some(&"") {
        pieces.remove(0);
    }
    while pieces.len() > 1 && pieces.last() == Some(&"") {
        pieces.pop();
    }
    Some(pieces.into_iter().map(Value::from).collect())
}

fn substring(arguments: &Arguments<'_>) -> Option<Value> {
    let [text, begin, end] = arguments else {
        return None;
    };
    let text = text.as_str()?;
    let position = |value: &Value| value.as_u64().and_then(|at| usize::try_from(at).ok());
    let (begin, end) = (position(begin)?, position(end)?);
    let length = text.chars().count();
    if begin >= end || end > length {
        return None;
    }
    Some(
        text.chars()
            .skip(begin)
            .take(end - begin)
            .collect::<String>()
            .into(),
    )
}

fn left_pad(arguments: &Arguments<'_>) -> Option<Value> {
    let (text, fill) = padding(arguments)?;
    Some((fill + text).into())
}

fn right_pad(arguments: &Arguments<'_>) -> Option<Value> {
    let (text, fill) = padding(arguments)?;
    Some((text.to_owned() + &fill).into())
}

fn padding<'a>(arguments: &'a Arguments<'_>) -> Option<(&'a str, String)> {
    let [text, width, fill] = arguments else {
        return None;
    };
    let text = text.as_str()?;
    let width = usize::try_from(width.as_u64()?).ok()?;
    let fill = fill.as_str()?.chars().next()?;
    let missing = width.saturating_sub(text.chars().count());
    (missing <= PADDED_MAX).then(|| (text, fill.to_string().repeat(missing)))
}

fn to_lower(value: &Value) -> Option<Value> {
    value.as_str().map(|text| text.to_lowercase().into())
}

fn to_upper(value: &Value) -> Option<Value> {
    value.as_str().map(|text| text.to_uppercase().into())
}

fn trim(value: &Value) -> Option<Value> {
    value.as_str().map(|text| text.trim().into())
}

fn to_string(value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| text_of(value).into())
}

fn to_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true.into()),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false.into()),
        _ => None,
    }
}

fn size(arguments: &Arguments<'_>) -> Option<Value> {
    let length = match arguments {
        [] => return None,
        [one] => match &**one {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            Value::String(text) => text.chars().count(),
            _ => return None,
        },
        several => several.len(),
    };
    Some(length.into())
}

fn nothing(_arguments: &Arguments<'_>) -> Option<Value> {
    None
}

fn is_present(arguments: &Arguments<'_>) -> Option<Value> {
    not_null(arguments)
}

fn not_null(arguments: &Arguments<'_>) -> Option<Value> {
    let value = arguments.first()?;
    (!value.is_null()).then(|| value.clone().into_owned())
}

fn is_null(arguments: &Arguments<'_>) -> Option<Value> {
    let value = arguments.first()?;
    value.is_null().then_some(Value::Null)
}

fn squash(arguments: &Arguments<'_>, is_deep: bool) -> Option<Value> {
    fn squashed(value: &Value, is_deep: bool) -> Value {
        let inner = |value: &Value| {
            if is_deep {
                squashed(value, true)
            } else {
                value.clone()
            }
        };
        match value {
            Value::Array(items) => {
                let items = items.iter().filter(|item| !item.is_null());
                items.map(inner).collect()
            }
            Value::Object(members) => {
                let members = members.iter().filter(|(_, member)| !member.is_null());
                let members = members.map(|(key, member)| (key.clone(), inner(member)));
                Value::Object(members.collect::<Map<_, _>>())
            }
            scalar => scalar.clone(),
        }
    }
    match arguments {
        [one] => Some(squashed(one, is_deep)),
        _ => None,
    }
}

/// Returns a number, also one that is written as text.
pub(super) fn numeric(value: &Value) -> Option<serde_json::Number> {
    match value {
        Value::Number(known) => Some(known.clone()),
        Value::String(text) => number(text.trim()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_found_by_name() {
        let names = super::names();
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| super::Function::find(name).is_ok()));
    }
}
