//! Keys on the left side of a specification: names, alternatives, stars and references.

use std::borrow::Cow;

use regex::Regex;

use crate::path::{Reference, Template, Transpose, parse_reference, parse_template, unescaped};
use crate::walk::{Matched, Walked};

/// A key that is matched with the keys of the document.
#[derive(Debug)]
pub(crate) enum Key {
    /// A name; positions of arrays are names too.
    Literal(String),
    /// A text with `&`.
    Computed(Template),
    /// A text with `*`.
    Stars(Stars),
    /// `$`: the key of a level as a value.
    Dollar(Reference),
    /// `@`: the value itself, once more.
    At,
    /// `@(1,a.b)`: a value from elsewhere.
    Transpose(Transpose),
    /// `#text`: a constant.
    Constant(String),
}

/// A text with stars; each stands for at least one character, a lone star for any text.
#[derive(Debug)]
pub(crate) struct Stars {
    length: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Any,
    One { prefix: String, suffix: String },
    Many(Regex),
}

impl Key {
    /// Parses one alternative of a key.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut chars = text.chars();
        match chars.next() {
            Some('@') if chars.as_str().is_empty() => return Ok(Self::At),
            Some('@') => return Transpose::parse(text).map(Self::Transpose),
            Some('$') => return parse_reference(chars.as_str()).map(Self::Dollar),
            Some('#') => return Ok(Self::Constant(unescaped(chars.as_str()))),
            _ => {}
        }
        let has = |wanted| find_special(text, wanted).is_some();
        match (has('*'), has('&')) {
            (true, true) => Err("a key has '*' or '&', not both".to_owned()),
            (true, false) => Stars::parse(text).map(Self::Stars),
            (false, true) => parse_template(text).map(Self::Computed),
            (false, false) => Ok(Self::Literal(unescaped(text))),
        }
    }

    /// Matches a key of the document.
    pub(crate) fn matched<'a>(
        &self,
        key: &Cow<'a, str>,
        walked: &dyn Walked,
    ) -> Option<Matched<'a>> {
        match self {
            Self::Literal(name) => (*name == **key).then(|| Matched::new(key.clone())),
            Self::Computed(template) => {
                let name = template.text(walked)?;
                (name == **key).then(|| Matched::new(key.clone()))
            }
            Self::Stars(stars) => {
                let parts = stars.captures(key)?;
                Some(Matched::with_stars(key.clone(), parts))
            }
            Self::Dollar(reference) => {
                let text = reference.text(walked)?.to_owned();
                Some(Matched::new(Cow::Owned(text)))
            }
            Self::Constant(text) => Some(Matched::new(Cow::Owned(text.clone()))),
            Self::At | Self::Transpose(_) => {
                let whole = walked.level(0)?.matched.part(0)?.to_owned();
                Some(Matched::new(Cow::Owned(whole)))
            }
        }
    }

    /// Order in which keys that are no names are tried: the more specific first.
    pub(crate) fn rank(&self) -> (u8, std::cmp::Reverse<usize>) {
        let (rank, length) = match self {
            Self::Computed(_) => (0, 0),
            Self::Stars(stars) => match stars.form {
                Form::Many(_) => (1, stars.length),
                Form::One { .. } => (2, stars.length),
                Form::Any => (3, 0),
            },
            _ => (4, 0),
        };
        (rank, std::cmp::Reverse(length))
    }
}

impl Stars {
    fn parse(text: &str) -> Result<Self, String> {
        let mut literals = Vec::new();
        let mut rest = text;
        while let Some(at) = find_special(rest, '*') {
            literals.push(unescaped(&rest[..at]));
            rest = &rest[at + 1..];
        }
        literals.push(unescaped(rest));
        let form = match literals.as_slice() {
            [before, after] if before.is_empty() && after.is_empty() => Form::Any,
            [before, after] => Form::One {
                prefix: before.clone(),
                suffix: after.clone(),
            },
            many => {
                let escaped: Vec<String> = many.iter().map(|part| regex::escape(part)).collect();
                let source = format!(r"(?s)\A{}\z", escaped.join("(.+?)"));
                let regex = Regex::new(&source).map_err(|_error| "a shorter key".to_owned())?;
                Form::Many(regex)
            }
        };
        let length = text.len();
        Ok(Self { length, form })
    }

    fn captures(&self, key: &str) -> Option<Vec<String>> {
        match &self.form {
            Form::Any => Some(vec![key.to_owned()]),
            Form::One { prefix, suffix } => {
                let middle = key.strip_prefix(&**prefix)?.strip_suffix(&**suffix)?;
                (!middle.is_empty()).then(|| vec![middle.to_owned()])
            }
            Form::Many(regex) => {
                let captures = regex.captures(key)?;
                let stars = captures.iter().skip(1).flatten();
                Some(stars.map(|star| star.as_str().to_owned()).collect())
            }
        }
    }
}

/// Splits the alternatives of a key at `|`.
pub(crate) fn alternatives(text: &str) -> Vec<&str> {
    // Paths of `@` have their own syntax.
    if text.starts_with('@') {
        return vec![text];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find_special(rest, '|') {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

/// Finds a character that no backslash stands before.
fn find_special(text: &str, wanted: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if char == '\\' {
            is_escaped = true;
        } else if char == wanted {
            return Some(at);
        }
    }
    None
}
