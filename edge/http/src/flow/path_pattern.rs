//! The path of an http selector, compiled: `/orders/:id` and its regular-expression cousins.
//! Source: `gravitee-v4.md` §3.3.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// Memory one selector's program may take.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// What a `:name` segment matches, as a character class.
const PARAMETER_CLASS: &str = r"[a-zA-Z0-9\-._~%!$&'()* +,;=:@|]+";

/// How much of the path a selector must cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// The whole path, with or without a last slash.
    Whole,
    /// A beginning, which need not end at a segment.
    Beginning,
}

/// A compiled selector path.
#[derive(Debug)]
pub struct PathPattern {
    segments: Box<[Segment]>,
    coverage: Coverage,
    /// Present if a literal segment holds regular-expression syntax.
    regex: Option<Box<Regex>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Parameter(Arc<str>),
}

impl PathPattern {
    /// Compiles a selector path.
    ///
    /// Segments are inserted into the expression unescaped, as upstream does; a path without any
    /// expression syntax (nearly all) is matched by hand, with the same result and no program.
    ///
    /// # Errors
    /// The path is not a regular expression, or one that needs too much memory.
    pub fn compile(path: &str, coverage: Coverage) -> Result<Self, regex::Error> {
        let segments: Box<[Segment]> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| match segment.strip_prefix(':') {
                Some(name) if !name.is_empty() => Segment::Parameter(name.into()),
                Some(_) | None => Segment::Literal(segment.into()),
            })
            .collect();
        let plain = segments.iter().all(|segment| match segment {
            Segment::Literal(text) => text.chars().all(|c| !is_syntax(c)),
            Segment::Parameter(_) => true,
        });
        let regex = if plain {
            None
        } else {
            Some(Box::new(program(&segments, coverage)?))
        };
        Ok(Self {
            segments,
            coverage,
            regex,
        })
    }

    /// Whether the pattern accepts the path behind the context path.
    #[must_use]
    pub fn matches(&self, path_info: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(path_info),
            None => self.walk(path_info, |_, _| {}),
        }
    }

    /// Calls `found` with the name and raw value of each parameter if the pattern accepts the path.
    pub fn parameters<'p>(
        &'p self,
        path_info: &'p str,
        mut found: impl FnMut(&'p Arc<str>, &'p str),
    ) {
        let Some(regex) = &self.regex else {
            let mut values = Vec::new();
            if self.walk(path_info, |name, value| values.push((name, value))) {
                values
                    .into_iter()
                    .for_each(|(name, value)| found(name, value));
            }
            return;
        };
        let Some(captures) = regex.captures(path_info) else {
            return;
        };
        for (index, segment) in self.segments.iter().enumerate() {
            if let Segment::Parameter(name) = segment
                && let Some(value) = captures.name(&group_name(index))
            {
                found(name, value.as_str());
            }
        }
    }

    /// True if some segment is a parameter.
    #[must_use]
    pub fn has_parameters(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, Segment::Parameter(_)))
    }

    /// How well the pattern fits, for best-match: one grade per segment of the pattern.
    ///
    /// Compare scores with `>`: grades from the left, then the longer pattern.
    pub fn score<'s>(&'s self, path_info: &'s str) -> impl Iterator<Item = Grade> + 's {
        let mut wanted = path_info.split('/').filter(|segment| !segment.is_empty());
        self.segments
            .iter()
            .map(move |segment| match (segment, wanted.next()) {
                (_, None) => Grade::Equal,
                (Segment::Literal(text), Some(wanted)) if **text == *wanted => Grade::Equal,
                (Segment::Parameter(_), Some(_)) => Grade::Parameter,
                (Segment::Literal(_), Some(_)) => Grade::Other,
            })
    }

    fn walk<'p>(
        &'p self,
        path_info: &'p str,
        mut found: impl FnMut(&'p Arc<str>, &'p str),
    ) -> bool {
        let mut rest = path_info;
        for segment in &self.segments {
            let Some(behind) = rest.strip_prefix('/') else {
                return false;
            };
            rest = match segment {
                Segment::Literal(text) => match behind.strip_prefix(&**text) {
                    Some(rest) => rest,
                    None => return false,
                },
                Segment::Parameter(name) => {
                    let end = behind.bytes().position(|byte| !is_parameter_byte(byte));
                    let (value, rest) = behind.split_at(end.unwrap_or(behind.len()));
                    if value.is_empty() {
                        return false;
                    }
                    found(name, value);
                    rest
                }
            };
        }
        match self.coverage {
            Coverage::Beginning => true,
            Coverage::Whole => rest.is_empty() || rest == "/",
        }
    }
}

/// How one segment of a pattern fits the segment of a path; higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Neither equal nor a parameter: a regular expression.
    Other,
    /// A parameter.
    Parameter,
    /// Equal, or the path is shorter.
    Equal,
}

fn program(segments: &[Segment], coverage: Coverage) -> Result<Regex, regex::Error> {
    let mut text = String::from("^");
    for (index, segment) in segments.iter().enumerate() {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Parameter(_) => {
                text.push_str(&format!("(?P<{}>{PARAMETER_CLASS})", group_name(index)));
            }
        }
    }
    text.push_str("/?");
    if coverage == Coverage::Whole {
        text = format!("^(?:{})$", &text[1..]);
    }
    RegexBuilder::new(&text).size_limit(REGEX_BYTES_MAX).build()
}

/// Group names of ours, which no literal segment is likely to define.
fn group_name(index: usize) -> String {
    format!("tidegate_{index}")
}

fn is_syntax(character: char) -> bool {
    matches!(
        character,
        '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' | '\\'
    )
}

fn is_parameter_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()* +,;=:@|".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn check(path: &str, coverage: Coverage, path_info: &str, matches: bool) {
        let pattern = PathPattern::compile(path, coverage).unwrap();
        assert_eq!(
            pattern.matches(path_info),
            matches,
            "{path} {coverage:?} {path_info}"
        );
    }

    #[test]
    fn a_whole_path_may_end_in_a_slash() {
        for (path, path_info, matches) in [
            ("/", "", true),
            ("/", "/", true),
            ("/", "/x", false),
            ("/products", "/products", true),
            ("/products", "/products/", true),
            ("/products/", "/products", true),
            ("/products", "/products/1", false),
            ("/products/:id", "/products/1", true),
            ("/products/:id", "/products/a%20b;c", true),
            ("/products/:id", "/products/", false),
            ("/products/:id", "/products/é", false),
            ("/v[12]/x", "/v2/x", true),
            ("/a|/b", "/b", true),
            ("/a.c", "/abc", true),
        ] {
            check(path, Coverage::Whole, path_info, matches);
        }
    }

    #[test]
    fn a_beginning_is_not_bound_to_a_segment() {
        for (path, path_info, matches) in [
            ("/", "", true),
            ("/", "/anything", true),
            ("/products", "/products-old", true),
            ("/products", "/product", false),
            ("/products/:id/items", "/products/1/items/2", true),
            ("/products/:id/items", "/products/1", false),
            ("/v[12]", "/v2/x", true),
            ("/v[12]", "/x/v2", false),
        ] {
            check(path, Coverage::Beginning, path_info, matches);
        }
    }

    #[test]
    fn an_expression_that_does_not_compile_is_an_error() {
        assert!(PathPattern::compile("/a(", Coverage::Whole).is_err());
        assert!(PathPattern::compile(r"/a{1000}{1000}{1000}", Coverage::Whole).is_err());
    }

    #[test]
    fn parameters_are_extracted_in_both_forms() {
        for (path, path_info, expected) in [
            ("/a/:x/:y", "/a/1/2", &[("x", "1"), ("y", "2")][..]),
            ("/[ab]/:x", "/b/1", &[("x", "1")]),
            ("/a/:x", "/b/1", &[]),
        ] {
            let pattern = PathPattern::compile(path, Coverage::Beginning).unwrap();
            let mut found = Vec::new();
            pattern.parameters(path_info, |name, value| found.push((&**name, value)));
            assert_eq!(found, expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn matching_by_hand_agrees_with_the_expression(
            path in "(/(a|ab|:x|b-c)){0,3}/?",
            path_info in "(/(a|ab|b-c|abc|%20)?){0,4}",
            whole: bool,
        ) {
            let coverage = if whole { Coverage::Whole } else { Coverage::Beginning };
            let pattern = PathPattern::compile(&path, coverage).unwrap();
            let regex = program(&pattern.segments, coverage).unwrap();
            prop_assert_eq!(pattern.matches(&path_info), regex.is_match(&path_info));
        }
    }
}
