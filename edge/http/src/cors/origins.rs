//! Which origins are allowed: names, patterns, or all.

use regex::{Regex, RegexBuilder};

use super::ANY;

/// Memory one pattern's program may take.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Allowed origins.
#[derive(Debug)]
pub(super) struct Origins {
    is_any: bool,
    names: Box<[String]>,
    patterns: Box<[Regex]>,
}

impl Origins {
    /// Compiles the entries. One with `(`, `[` or `*` is a pattern of whole origins too.
    ///
    /// # Errors
    /// The position of an entry that is no regular expression.
    pub(super) fn compile(entries: &[String]) -> Result<Self, (usize, regex::Error)> {
        let is_pattern = |entry: &str| entry != ANY && entry.contains(['(', '[', '*']);
        let patterns = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| is_pattern(entry));
        let patterns = patterns.map(|(index, entry)| {
            let pattern = RegexBuilder::new(&format!("^(?:{entry})$"))
                .case_insensitive(true)
                .size_limit(REGEX_BYTES_MAX)
                .build();
            pattern.map_err(|error| (index, error))
        });
        Ok(Self {
            is_any: entries.iter().any(|entry| entry == ANY),
            names: entries
                .iter()
                .filter(|entry| *entry != ANY)
                .cloned()
                .collect(),
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn allow(&self, origin: &str) -> bool {
        self.is_any
            || self
                .names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(origin))
            || self.patterns.iter().any(|pattern| pattern.is_match(origin))
    }
}
