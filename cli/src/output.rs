//! How results reach the terminal: tables for people, JSON and YAML for programs.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::{args::Format, failure::Failure};

/// A column of a table: its heading, the member it shows, and whether only `-o wide` shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub heading: &'static str,
    pub member: &'static str,
    pub wide: bool,
}

/// A column that is always shown.
pub(crate) const fn column(heading: &'static str, member: &'static str) -> Column {
    Column {
        heading,
        member,
        wide: false,
    }
}

/// A column shown by `-o wide` only.
pub(crate) const fn wide(heading: &'static str, member: &'static str) -> Column {
    Column {
        heading,
        member,
        wide: true,
    }
}

/// Prints many things of one kind.
pub(crate) fn list(format: Format, columns: &[Column], rows: Vec<Value>) -> Result<(), Failure> {
    match format {
        Format::Table => line(&table(columns, &rows, false)),
        Format::Wide => line(&table(columns, &rows, true)),
        Format::Json | Format::Yaml => one(format, &Value::Array(rows)),
    }
}

/// Prints one thing with all its members.
pub(crate) fn one(format: Format, value: &Value) -> Result<(), Failure> {
    match format {
        Format::Json => line(&pretty(value)),
        Format::Yaml => line(tidegate_model::document::to_yaml(value).trim_end()),
        Format::Table | Format::Wide => line(&members(value)),
    }
}

/// Prints one line, or several, to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // A reader such as `head` that has seen enough is not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Prints bytes exactly as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(bytes).and_then(|()| out.flush())?)
}

/// Prints a remark for people, which programs reading standard output do not see.
pub(crate) fn remark(text: &str) {
    // Nothing sensible can be done when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints why a command failed.
pub(crate) fn complain(failure: &Failure) {
    remark(&format!("error: {failure}"));
}

/// True when a person watches standard error, so that progress makes sense.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// JSON with two-space indentation.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_unprintable| value.to_string())
}

fn table(columns: &[Column], rows: &[Value], all: bool) -> String {
    let shown: Vec<&Column> = columns
        .iter()
        .filter(|column| all || !column.wide)
        .collect();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(shown.iter().map(|column| column.heading));
    for row in rows {
        table.add_row(shown.iter().map(|column| cell(&row[column.member])));
    }
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn members(value: &Value) -> String {
    let Some(members) = value.as_object() else {
        return cell(value);
    };
    let width = members.keys().map(String::len).max().unwrap_or(0);
    let lines = members.iter().map(|(name, value)| match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("  {}", flat(item)))
                .collect();
            format!("{name}:\n{}", items.join("\n"))
        }
        other => format!(
            "{:<pad$} {}",
            format!("{name}:"),
            cell(other),
            pad = width + 1
        ),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn flat(value: &Value) -> String {
    let Some(members) = value.as_object() else {
        return cell(value);
    };
    let shown = members.iter().filter(|(_, value)| !value.is_null());
    shown
        .map(|(name, value)| format!("{name}={}", cell(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        Value::Object(_) => flat(value),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[column("NAME", "name"), wide("TAGS", "tags")];

    #[test]
    fn wide_columns_show_only_when_asked_for() {
        let rows = [json!({"name": "echo", "tags": ["eu", "us"]})];
        assert!(!table(COLUMNS, &rows, false).contains("TAGS"));
        assert!(table(COLUMNS, &rows, true).contains("eu,us"));
    }

    #[test]
    fn missing_members_show_as_a_dash() {
        let text = table(COLUMNS, &[json!({})], true);
        assert_eq!(
            text.lines()
                .nth(1)
                .unwrap()
                .split_whitespace()
                .collect::<Vec<_>>(),
            ["-", "-"]
        );
    }

    #[test]
    fn nested_objects_are_listed_one_per_line() {
        let text = members(&json!({"id": "a", "plans": [{"name": "free"}, {"name": "gold"}]}));
        assert_eq!(text, "id:    a\nplans:\n  name=free\n  name=gold");
    }
}
