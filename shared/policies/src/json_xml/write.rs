//! JSON to XML by the rules of `org.json`: members are elements, `content` is text.

use serde_json::{Map, Value};
use tidegate_expression::limits::TEXT_BYTES_MAX;

/// Writes `value` as the element `name`.
pub(super) fn write(name: &str, members: &Map<String, Value>) -> Result<String, String> {
    let mut out = String::new();
    object(Some(name), members, &mut out)?;
    Ok(out)
}

fn object(
    name: Option<&str>,
    members: &Map<String, Value>,
    out: &mut String,
) -> Result<(), String> {
    if let Some(name) = name {
        open(name, out)?;
    }
    for (key, value) in members {
        match value {
            Value::Array(values) if key == "content" => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push('\n');
                    }
                    text(value, out)?;
                }
            }
            value if key == "content" => text(value, out)?,
            // Every element of a list is an element of its own.
            Value::Array(values) => {
                for value in values {
                    element(key, value, out)?;
                }
            }
            value => element(key, value, out)?,
        }
    }
    if let Some(name) = name {
        close(name, out);
    }
    Ok(())
}

fn element(name: &str, value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Object(members) => object(Some(name), members, out),
        Value::Array(values) => {
            open(name, out)?;
            for value in values {
                element("array", value, out)?;
            }
            close(name, out);
            Ok(())
        }
        Value::String(empty) if empty.is_empty() => {
            open(name, out)?;
            out.insert(out.len() - 1, '/');
            Ok(())
        }
        value => {
            open(name, out)?;
            text(value, out)?;
            close(name, out);
            Ok(())
        }
    }
}

fn open(name: &str, out: &mut String) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("{name:?} cannot be the name of an element"));
    }
    if out.len() > TEXT_BYTES_MAX {
        return Err("the XML is too long".to_owned());
    }
    out.push('<');
    out.push_str(name);
    out.push('>');
    Ok(())
}

fn close(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Writes a value as text: objects and lists in it as JSON.
fn text(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::String(text) => escape(text, out),
        value => escape(&value.to_string(), out),
    }
}

fn escape(text: &str, out: &mut String) -> Result<(), String> {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(char),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(format!("{char:?} cannot stand in XML"));
            }
            char => out.push(char),
        }
    }
    Ok(())
}

/// Tells whether a text is a name by XML 1.0 (fifth edition, §2.3).
pub(super) fn is_name(text: &str) -> bool {
    let is_start = |char: char| {
        matches!(char, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
            | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
            | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let is_inner = |char: char| {
        is_start(char)
            || matches!(char, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}'
                | '\u{203F}'..='\u{2040}')
    };
    let mut chars = text.chars();
    chars.next().is_some_and(is_start) && chars.all(is_inner)
}
