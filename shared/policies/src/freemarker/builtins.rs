//! The built-ins: what stands behind `?`.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_expression::limits::TEXT_BYTES_MAX;
use tidegate_expression::{Value, ValueMap, parse_json};

use super::RenderError;
use super::evaluate::{printed, type_error};

/// What stays as it is in `?url`, besides letters and digits.
const URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// A built-in by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    least: usize,
    most: usize,
}

const fn builtin(name: &'static str, least: usize, most: usize) -> Builtin {
    Builtin { name, least, most }
}

const BUILTINS: &[Builtin] = &[
    builtin("abs", 0, 0),
    builtin("boolean", 0, 0),
    builtin("c", 0, 0),
    builtin("cap_first", 0, 0),
    builtin("ceiling", 0, 0),
    builtin("contains", 1, 1),
    builtin("counter", 0, 0),
    builtin("ends_with", 1, 1),
    builtin("eval", 0, 0),
    builtin("eval_json", 0, 0),
    builtin("first", 0, 0),
    builtin("floor", 0, 0),
    builtin("has_content", 0, 0),
    builtin("has_next", 0, 0),
    builtin("html", 0, 0),
    builtin("index", 0, 0),
    builtin("index_of", 1, 1),
    builtin("int", 0, 0),
    builtin("is_boolean", 0, 0),
    builtin("is_first", 0, 0),
    builtin("is_hash", 0, 0),
    builtin("is_last", 0, 0),
    builtin("is_number", 0, 0),
    builtin("is_sequence", 0, 0),
    builtin("is_string", 0, 0),
    builtin("join", 1, 3),
    builtin("js_string", 0, 0),
    builtin("json_string", 0, 0),
    builtin("keys", 0, 0),
    builtin("last", 0, 0),
    builtin("length", 0, 0),
    builtin("lower_case", 0, 0),
    builtin("number", 0, 0),
    builtin("replace", 2, 2),
    builtin("reverse", 0, 0),
    builtin("round", 0, 0),
    builtin("seq_contains", 1, 1),
    builtin("size", 0, 0),
    builtin("split", 1, 1),
    builtin("starts_with", 1, 1),
    builtin("string", 0, 2),
    builtin("substring", 1, 2),
    builtin("then", 2, 2),
    builtin("trim", 0, 0),
    builtin("uncap_first", 0, 0),
    builtin("upper_case", 0, 0),
    builtin("url", 0, 0),
    builtin("values", 0, 0),
    builtin("xml", 0, 0),
];

impl Builtin {
    pub(super) fn find(name: &str) -> Result<Self, String> {
        let found = BUILTINS.binary_search_by_key(&name, |builtin| builtin.name);
        found.map(|index| BUILTINS[index]).map_err(|_missing| {
            let names: Vec<&str> = BUILTINS.iter().map(|builtin| builtin.name).collect();
            format!("one of the built-ins {}", names.join(", "))
        })
    }

    pub(super) fn takes(self, arguments: usize) -> bool {
        (self.least..=self.most).contains(&arguments)
    }

    /// Applies the built-in to a value that is there.
    pub(super) fn apply(self, value: &Value, arguments: &[Value]) -> Result<Value, RenderError> {
        let result = match value {
            Value::Text(text) => of_text(self.name, text, arguments)?,
            Value::Integer(_) | Value::Float(_) => of_number(self.name, value),
            Value::Bool(flag) => of_bool(self.name, *flag, arguments),
            Value::List(items) => of_list(self.name, items, arguments)?,
            Value::Map(map) => of_map(self.name, map),
            Value::Null | Value::Object(_) => None,
        };
        match result.or_else(|| of_any(self.name, value)) {
            Some(result) => Ok(result),
            None => Err(type_error(format!("?{}", self.name), value)),
        }
    }
}

fn of_any(name: &str, value: &Value) -> Option<Value> {
    Some(Value::from(match name {
        "is_string" => matches!(value, Value::Text(_)),
        "is_number" => matches!(value, Value::Integer(_) | Value::Float(_)),
        "is_boolean" => matches!(value, Value::Bool(_)),
        "is_sequence" => matches!(value, Value::List(_)),
        "is_hash" => matches!(value, Value::Map(_)),
        "has_content" => true,
        _ => return None,
    }))
}

fn of_text(name: &str, text: &str, arguments: &[Value]) -> Result<Option<Value>, RenderError> {
    if let Some(value) = escaped(name, text) {
        return Ok(Some(value));
    }
    let argument = |index: usize| match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(value) => Err(type_error(format!("?{name}"), value)),
        None => Ok(""),
    };
    Ok(Some(match name {
        "upper_case" => text.to_uppercase().into(),
        "lower_case" => text.to_lowercase().into(),
        "cap_first" => first_letter(text, char::to_uppercase),
        "uncap_first" => first_letter(text, char::to_lowercase),
        "trim" => text.trim().into(),
        "length" => text.chars().count().into(),
        "has_content" => (!text.is_empty()).into(),
        "string" => text.into(),
        "number" => number(text).ok_or_else(|| type_error("?number", &text.into()))?,
        "boolean" if text == "true" => true.into(),
        "boolean" if text == "false" => false.into(),
        "eval" | "eval_json" => parse_json(text.as_bytes()).map_err(|error| {
            RenderError::Type(format!("?{name}: text that is no JSON ({error})"))
        })?,
        "contains" => text.contains(argument(0)?).into(),
        "starts_with" => text.starts_with(argument(0)?).into(),
        "ends_with" => text.ends_with(argument(0)?).into(),
        "index_of" => match text.find(argument(0)?) {
            Some(at) => text[..at].chars().count().into(),
            None => (-1).into(),
        },
        "replace" => replaced(text, argument(0)?, argument(1)?)?,
        "split" => match argument(0)? {
            "" => return Err(RenderError::Type("?split needs a separator".to_owned())),
            separator => Value::list(text.split(separator).map(Value::from)),
        },
        "substring" => substring(text, arguments).ok_or_else(|| {
            RenderError::Type("?substring: positions outside of the text".to_owned())
        })?,
        _ => return Ok(None),
    }))
}

fn first_letter<I: Iterator<Item = char>>(text: &str, change: fn(char) -> I) -> Value {
    let blanks = text.len() - text.trim_start().len();
    let mut chars = text[blanks..].chars();
    let mut out = text[..blanks].to_owned();
    out.extend(chars.next().into_iter().flat_map(change));
    out.push_str(chars.as_str());
    out.into()
}

/// Replaces literally; the length is checked before the text is made.
fn replaced(text: &str, from: &str, to: &str) -> Result<Value, RenderError> {
    let count = text.matches(from).count();
    let length = count.saturating_mul(to.len()).saturating_add(text.len());
    if length > TEXT_BYTES_MAX {
        return Err(RenderError::Limit);
    }
    Ok(text.replace(from, to).into())
}

fn substring(text: &str, arguments: &[Value]) -> Option<Value> {
    let position = |value: &Value| value.to_i64().and_then(|at| usize::try_from(at).ok());
    let length = text.chars().count();
    let begin = position(arguments.first()?)?;
    let end = match arguments.get(1) {
        Some(end) => position(end)?,
        None => length,
    };
    if begin > end || end > length {
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

fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())?;
    Some(number.into())
}

fn escaped(name: &str, text: &str) -> Option<Value> {
    let mut out = String::with_capacity(text.len());
    match name {
        "url" => return Some(utf8_percent_encode(text, URL).to_string().into()),
        "html" | "xml" => {
            for char in text.chars() {
                match char {
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '&' => out.push_str("&amp;"),
                    '"' => out.push_str("&quot;"),
                    '\'' if name == "xml" => out.push_str("&apos;"),
                    '\'' => out.push_str("&#39;"),
                    char => out.push(char),
                }
            }
        }
        "json_string" | "js_string" => {
            let is_js = name == "js_string";
            for char in text.chars() {
                match char {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\u{8}' => out.push_str("\\b"),
                    '\u{c}' => out.push_str("\\f"),
                    '\'' if is_js => out.push_str("\\'"),
                    '>' if is_js => out.push_str("\\>"),
                    // Both could end a script element or begin a comment of HTML.
                    '<' => out.push_str("\\u003C"),
                    '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                        // Writing to a text cannot fail.
                        let _ = write!(out, "\\u{:04X}", u32::from(char));
                    }
                    char => out.push(char),
                }
            }
        }
        _ => return None,
    }
    Some(out.into())
}

fn of_number(name: &str, value: &Value) -> Option<Value> {
    let rounded = |round: fn(f64) -> f64| match value {
        Value::Float(number) => round(*number),
        value => value.to_f64().unwrap_or_default(),
    };
    let whole = |number: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "casting saturates")]
        Value::from(number as i64)
    };
    Some(match (name, value) {
        ("string" | "c", value) => value.to_text()?.into(),
        ("number", value) => value.clone(),
        ("abs", Value::Integer(number)) => number.saturating_abs().into(),
        ("abs", Value::Float(number)) => number.abs().into(),
        ("round" | "floor" | "ceiling" | "int", Value::Integer(number)) => (*number).into(),
        // Halves are rounded up, as in FreeMarker.
        ("round", _) => whole(rounded(|number| (number + 0.5).floor())),
        ("floor", _) => whole(rounded(f64::floor)),
        ("ceiling", _) => whole(rounded(f64::ceil)),
        ("int", _) => whole(rounded(f64::trunc)),
        _ => return None,
    })
}

fn of_bool(name: &str, flag: bool, arguments: &[Value]) -> Option<Value> {
    match (name, arguments) {
        ("c" | "string", []) => Some(if flag { "true" } else { "false" }.into()),
        ("then" | "string", [yes, no]) => Some(if flag { yes } else { no }.clone()),
        _ => None,
    }
}

fn of_list(name: &str, items: &[Value], arguments: &[Value]) -> Result<Option<Value>, RenderError> {
    Ok(Some(match name {
        "size" => items.len().into(),
        "has_content" => (!items.is_empty()).into(),
        "first" => items.first().cloned().into(),
        "last" => items.last().cloned().into(),
        "reverse" => Value::list(items.iter().rev().cloned()),
        "seq_contains" => items
            .iter()
            .any(|item| Some(item) == arguments.first())
            .into(),
        "join" => join(items, arguments)?,
        _ => return Ok(None),
    }))
}

/// `?join(separator, whenEmpty, end)`
fn join(items: &[Value], arguments: &[Value]) -> Result<Value, RenderError> {
    let argument = |index: usize| arguments.get(index).map(printed).transpose();
    let separator = argument(0)?.unwrap_or_default();
    if items.is_empty() {
        return Ok(argument(1)?.unwrap_or_default().into());
    }
    let mut out = String::new();
    for (index, item) in items.iter().filter(|item| !item.is_null()).enumerate() {
        if index > 0 {
            out.push_str(&separator);
        }
        out.push_str(&printed(item)?);
        if out.len() > TEXT_BYTES_MAX {
            return Err(RenderError::Limit);
        }
    }
    out.push_str(&argument(2)?.unwrap_or_default());
    Ok(out.into())
}

fn of_map(name: &str, map: &ValueMap) -> Option<Value> {
    Some(match name {
        "size" => map.len().into(),
        "has_content" => (!map.is_empty()).into(),
        "keys" => Value::list(map.iter().map(|(key, _)| key.clone().into())),
        "values" => Value::list(map.iter().map(|(_, value)| value.clone())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::BUILTINS;

    #[test]
    fn built_ins_are_found_by_name() {
        assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
    }
}
