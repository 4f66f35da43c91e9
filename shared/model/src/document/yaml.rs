//! Writes YAML for people: block style, literal blocks for longer texts, quotes only where they are needed.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Words that older YAML readers take for something other than text.
const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Writes a value as one YAML document, ending in a line break.
///
/// Reading the result gives the same value, also for readers of YAML 1.1.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => write_members(&mut out, members, 0, false),
        Value::Array(items) if !items.is_empty() => write_items(&mut out, items, 0),
        _ => write_inline(&mut out, value, 0),
    }
    out
}

/// Writes the members, each on its line; the first stands behind a dash if `continues`.
fn write_members(out: &mut String, members: &Map<String, Value>, indent: usize, continues: bool) {
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 || !continues {
            push_indent(out, indent);
        }
        if is_plain(key) {
            out.push_str(key)
        } else {
            push_quoted(out, key)
        }
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write_members(out, inner, indent + 1, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_items(out, items, indent + 1);
            }
            _ => {
                out.push(' ');
                write_inline(out, value, indent + 1);
            }
        }
    }
}

fn write_items(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        push_indent(out, indent);
        match item {
            Value::Object(members) if !members.is_empty() => {
                out.push_str("- ");
                write_members(out, members, indent + 1, true);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push_str("-\n");
                write_items(out, inner, indent + 1);
            }
            _ => {
                out.push_str("- ");
                write_inline(out, item, indent + 1);
            }
        }
    }
}

/// Writes a scalar or an empty collection, and ends the line.
fn write_inline(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if indent > 0 && is_block(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in text.lines() {
                out.push('\n');
                if !line.is_empty() {
                    push_indent(out, indent);
                }
                out.push_str(line);
            }
        }
        Value::String(text) if is_plain(text) => out.push_str(text),
        Value::String(text) => push_quoted(out, text),
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

fn push_indent(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n("  ", indent));
}

/// True if a text means itself without quotes, to every YAML reader.
fn is_plain(text: &str) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let is_safe = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                ' ' | '/' | '_' | '.' | '-' | '+' | '@' | '(' | ')' | ':' | '='
            )
    };
    starts_well
        && text.chars().all(is_safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// True if a text of several lines can stand in a literal block unchanged.
fn is_block(text: &str) -> bool {
    let is_line = |line: &str| !line.starts_with([' ', '\t']) || !line.trim().is_empty();
    text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.ends_with("\n\n")
        && !text.contains(is_unprintable)
        && text.lines().all(is_line)
}

/// Characters that YAML does not allow raw, and those that editors hide or change.
fn is_unprintable(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'
        )
}

/// Writes a text in double quotes.
fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_unprintable(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_yaml;

    #[test]
    fn yaml_is_written_for_people() {
        let value = json!({
            "name": "a b", "version": "1.0", "yes": "no", "empty": {}, "none": [],
            "list": [{"a": 1, "b": [true, null]}, [1, [2]]],
            "text": "one\ntwo\n", "cut": "one\n\n  two", "url": "http://x:80/", "el": "{#a}"
        });
        let expected = "name: a b
version: \"1.0\"
\"yes\": \"no\"
empty: {}
none: []
list:
  - a: 1
    b:
      - true
      - null
  -
    - 1
    -
      - 2
text: |
  one
  two
cut: |-
  one

    two
url: http://x:80/
el: \"{#a}\"
";
        assert_eq!(to_yaml(&value), expected);
    }
}
