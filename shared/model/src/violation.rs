//! What a document did wrong, and remarks about what was kept or changed on the way in.

use std::fmt;

/// Characters of an offending value that are repeated to the user.
const VALUE_CHARACTERS_MAX: usize = 80;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, such as `plans[0].security.type`; empty for the document as a whole.
    pub path: String,
    /// The offending value, shortened; empty when there is none to show. Never a secret.
    pub value: String,
    /// What was expected instead.
    pub expected: String,
    /// The document and, where known, the line: `api.yaml:12`. May be empty.
    pub source: String,
}

impl Violation {
    /// Makes a violation about a value at a path.
    pub fn new(
        path: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            value: shorten(&value.to_string()),
            expected: expected.into(),
            source: String::new(),
        }
    }

    /// Names the document, and line, the violation was found in.
    #[must_use]
    pub fn in_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Moves the violation below a longer path: `a` under `b` becomes `b.a`.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.path = match (parent, self.path.as_str()) {
            (parent, "") => parent.to_owned(),
            ("", path) => path.to_owned(),
            (parent, path) if path.starts_with('[') => format!("{parent}{path}"),
            (parent, path) => format!("{parent}.{path}"),
        };
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.source.is_empty() {
            write!(formatter, "{}: ", self.source)?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        if !self.value.is_empty() {
            write!(formatter, "{}, ", self.value)?;
        }
        write!(formatter, "expected {}", self.expected)
    }
}

/// A remark about something that did not stop a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// Stable, such as `unknown-field`, `unknown-policy`, `renamed-id`, `converted`.
    pub code: &'static str,
    /// Where, as in [`Violation::path`].
    pub path: String,
    /// For people.
    pub message: String,
}

impl Notice {
    /// Makes a remark about a path.
    pub fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
        }
    }
}

/// Cuts a value to a length that fits a message.
fn shorten(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_reads_as_a_sentence() {
        let violation = Violation::new("name", "\"\"", "1 to 512 characters")
            .under("api")
            .in_source("shop.yaml:3");
        assert_eq!(
            violation.to_string(),
            "shop.yaml:3: api.name: \"\", expected 1 to 512 characters"
        );
    }

    #[test]
    fn paths_join_members_and_elements() {
        let at = |path: &str, parent: &str| Violation::new(path, "", "x").under(parent).path;
        assert_eq!(at("a", "b"), "b.a");
        assert_eq!(at("[0]", "b"), "b[0]");
        assert_eq!(at("", "b"), "b");
        assert_eq!(at("a", ""), "a");
    }

    #[test]
    fn long_values_are_cut() {
        let violation = Violation::new("", "é".repeat(500), "less");
        assert_eq!(violation.value.chars().count(), VALUE_CHARACTERS_MAX + 1);
    }
}
