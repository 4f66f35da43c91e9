//! Ant patterns of configurations: `?` is one character, `*` any within a segment, `**` any segments.

use regex::Regex;

use crate::pattern;

/// A pattern ready to match.
#[derive(Debug)]
pub(crate) struct Ant(Regex);

impl Ant {
    /// Compiles a pattern of absolute paths; repeated slashes count as one on both sides.
    pub(crate) fn path(pattern: &str) -> Result<Self, String> {
        let mut source = String::from("(?s)");
        let segments: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        for segment in &segments {
            if *segment == "**" {
                source.push_str("(?:/+[^/]+)*");
            } else {
                source.push_str("/+");
                wildcards(segment, &mut source);
            }
        }
        if segments.last() == Some(&"**") {
            source.push_str("/*");
        } else if segments.is_empty() || pattern.ends_with('/') {
            source.push_str("/+");
        }
        pattern::compile_whole(&source).map(Self)
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

fn wildcards(text: &str, source: &mut String) {
    for character in text.chars() {
        match character {
            '?' => source.push_str("[^/]"),
            '*' => {
                source.push_str("[^/]");
                source.push('*');
            }
            _ => source.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_segments() {
        for (pattern, path, expected) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/", false),
            ("/a/b/", "/a/b/", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/**/c", "/c", true),
            ("/**/c", "/a/b/c", true),
            ("/a/**/c", "/a/c", true),
            ("/a?/x", "/ab/x", true),
            ("/a?/x", "/a/x", false),
            ("/a.json", "/abjson", false),
            ("/a//b", "/a/b", true),
            ("/a/b", "//a///b", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/**", "", true),
        ] {
            let compiled = Ant::path(pattern).unwrap();
            assert_eq!(compiled.matches(path), expected, "{pattern} {path}");
        }
    }
}
