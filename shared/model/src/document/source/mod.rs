//! Bytes to JSON values, with hard limits and with the place of every error.

use serde_json::Value;

use crate::violation::Violation;

mod json;
mod scalar;
mod yaml;

/// The largest file, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The deepest nesting of objects and lists.
pub const DEPTH_MAX: usize = 64;
/// The most values a file may hold after its aliases are replaced by what they stand for.
const VALUES_MAX: usize = 1_000_000;
/// The most bytes of text a file may hold after its aliases are replaced.
const TEXT_BYTES_MAX: usize = 4 * SOURCE_BYTES_MAX;
/// The most documents in one file.
const DOCUMENTS_MAX: usize = 1000;

/// A document of a file, and the line it begins on (from 1).
#[derive(Debug)]
pub(super) struct Located {
    pub(super) value: Value,
    pub(super) line: usize,
}

/// A place in a file, from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// Why a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceError {
    place: Option<Place>,
    path: String,
    found: String,
    expected: String,
}

impl SourceError {
    fn new(place: Place, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            place: Some(place),
            path: String::new(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(super) fn into_violation(self, name: &str) -> Violation {
        let source = match self.place {
            Some(place) => format!("{name}:{}:{}", place.line, place.column),
            None => name.to_owned(),
        };
        Violation::new(self.path, self.found, self.expected).in_source(source)
    }
}

/// Counts what a file unfolds to.
#[derive(Debug)]
struct Budget {
    values: usize,
    text_bytes: usize,
}

impl Budget {
    fn new() -> Self {
        Self {
            values: VALUES_MAX,
            text_bytes: TEXT_BYTES_MAX,
        }
    }

    /// Pays for `values` values with `text_bytes` bytes of text in all.
    fn spend(&mut self, values: usize, text_bytes: usize, place: Place) -> Result<(), SourceError> {
        let left = (
            self.values.checked_sub(values),
            self.text_bytes.checked_sub(text_bytes),
        );
        let (Some(values), Some(text_bytes)) = left else {
            let expected = format!(
                "at most {VALUES_MAX} values and {TEXT_BYTES_MAX} bytes with aliases replaced"
            );
            return Err(SourceError::new(
                place,
                "a document that unfolds to more",
                expected,
            ));
        };
        *self = Self { values, text_bytes };
        Ok(())
    }
}

/// Reads every document of a file. A file that begins with `{` or `[` is JSON, if it can be read as JSON.
pub(super) fn parse(content: &[u8]) -> Result<Vec<Located>, SourceError> {
    let text = decode(content)?;
    let begins_as_json = text.trim_start().starts_with(['{', '[']);
    if !begins_as_json {
        return yaml::parse(text);
    }
    match json::parse(text) {
        Ok(value) => Ok(vec![Located { value, line: 1 }]),
        // YAML in flow style looks like JSON; it must not profit from the detour, so limits and duplicates stay errors.
        Err(json::Error::Syntax(error)) => yaml::parse(text).or(Err(error)),
        Err(json::Error::Refused(error)) => Err(error),
    }
}

fn decode(content: &[u8]) -> Result<&str, SourceError> {
    let whole_file = |found: String, expected: String| SourceError {
        place: None,
        path: String::new(),
        found,
        expected,
    };
    if content.len() > SOURCE_BYTES_MAX {
        let expected = format!("at most {SOURCE_BYTES_MAX} bytes");
        return Err(whole_file(format!("{} bytes", content.len()), expected));
    }
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    if content.starts_with(b"\xFF\xFE") || content.starts_with(b"\xFE\xFF") {
        return Err(whole_file("UTF-16".to_owned(), "UTF-8".to_owned()));
    }
    std::str::from_utf8(content).map_err(|error| {
        let before = &content[..error.valid_up_to()];
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |index| index + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..])
            .chars()
            .count()
            + 1;
        SourceError::new(Place { line, column }, "bytes that are no UTF-8", "UTF-8")
    })
}

/// The path of a member below a path, for errors.
fn member_path(parent: &str, name: &str) -> String {
    let short: String = name.chars().take(80).collect();
    crate::read::member_path(parent, &short)
}
