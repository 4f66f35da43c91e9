//! Paths in a specification, with their references to levels of the walk.

use serde_json::Value;

use crate::limits::SPEC_DEPTH_MAX;
use crate::walk::Walked;

/// `&(level,star)` and its short forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    up: usize,
    part: usize,
}

impl Reference {
    pub(crate) fn text(self, walked: &dyn Walked) -> Option<&str> {
        walked.level(self.up)?.matched.part(self.part)
    }
}

/// A text with references.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(String),
    Reference(Reference),
    Transpose(Transpose),
}

impl Template {
    /// Returns the text, unless something that it refers to is missing.
    pub(crate) fn text(&self, walked: &dyn Walked) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Reference(reference) => text.push_str(reference.text(walked)?),
                Part::Transpose(transpose) => text.push_str(&scalar(transpose.value(walked)?)?),
            }
        }
        Some(text)
    }
}

/// `@(up,path)`: a value below a level of the walk.
#[derive(Debug)]
pub(crate) struct Transpose {
    up: usize,
    path: Vec<Element>,
}

impl Transpose {
    /// Parses `@name`, `@1`, `@(1)` or `@(1,a.b[0])`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = || "a reference such as @(1,name)".to_owned();
        let inner = text.strip_prefix('@').ok_or_else(expected)?;
        let inner = match inner.strip_prefix('(') {
            Some(inner) => inner.strip_suffix(')').ok_or_else(expected)?,
            None => inner,
        };
        let digits = inner.len()
            - inner
                .trim_start_matches(|char: char| char.is_ascii_digit())
                .len();
        let (number, rest) = inner.split_at(digits);
        let up = match number {
            "" => 0,
            _ => number.parse().map_err(|_error| expected())?,
        };
        let path = match (number.is_empty(), rest.strip_prefix(',')) {
            (false, Some(path)) => path.trim_start(),
            (false, None) if rest.is_empty() => "",
            (true, None) => rest,
            _ => return Err(expected()),
        };
        let path = match path {
            "" => Vec::new(),
            _ => parse_path(path)?,
        };
        Ok(Self { up, path })
    }

    /// How many levels up the path begins.
    pub(crate) fn up(&self) -> usize {
        self.up
    }

    /// Returns the value, if there is one.
    pub(crate) fn value<'w>(&self, walked: &'w dyn Walked) -> Option<&'w Value> {
        self.descend(walked.tree(self.up)?, walked)
    }

    /// Follows the path from the value of its level.
    pub(crate) fn descend<'v>(
        &self,
        mut value: &'v Value,
        walked: &dyn Walked,
    ) -> Option<&'v Value> {
        for element in &self.path {
            value = match (element.step(walked)?, value) {
                (Step::Key(key), Value::Object(members)) => members.get(&key)?,
                // Names of array elements are their positions, as on the left side.
                (Step::Key(key), Value::Array(items)) => items.get(key.parse::<usize>().ok()?)?,
                (Step::Index(index), Value::Array(items)) => items.get(index)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// One element of a path.
#[derive(Debug)]
pub(crate) enum Element {
    Key(Template),
    Index(Position),
    /// `[]`: a new element at the end.
    Append,
}

/// A position in an array.
#[derive(Debug)]
pub(crate) enum Position {
    Number(usize),
    Computed(Template),
    /// `[#2]`: how many children of a level have matched before.
    Count(usize),
}

/// An element of a path whose references are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
    Append,
}

impl Element {
    pub(crate) fn step(&self, walked: &dyn Walked) -> Option<Step> {
        Some(match self {
            Self::Key(template) => Step::Key(template.text(walked)?),
            Self::Index(Position::Number(index)) => Step::Index(*index),
            Self::Index(Position::Computed(template)) => {
                Step::Index(template.text(walked)?.trim().parse().ok()?)
            }
            Self::Index(Position::Count(up)) => Step::Index(walked.level(*up)?.count.get()),
            Self::Append => Step::Append,
        })
    }
}

/// Parses `a.b[0].c[]`.
pub(crate) fn parse_path(text: &str) -> Result<Vec<Element>, String> {
    let mut elements = Vec::new();
    for piece in split_outside(text, '.')? {
        let bracket = find_outside(piece, '[');
        let (name, mut brackets) = piece.split_at(bracket.unwrap_or(piece.len()));
        if !name.is_empty() || bracket.is_none() {
            elements.push(Element::Key(parse_template(name)?));
        }
        while !brackets.is_empty() {
            let expected = || "closed brackets before a '.' or the end".to_owned();
            let inner = brackets.strip_prefix('[').ok_or_else(expected)?;
            let end = closing(inner).ok_or_else(expected)?;
            elements.push(parse_position(inner[..end].trim())?);
            brackets = &inner[end + 1..];
        }
    }
    if elements.len() > SPEC_DEPTH_MAX {
        return Err(format!("at most {SPEC_DEPTH_MAX} elements"));
    }
    Ok(elements)
}

fn parse_position(text: &str) -> Result<Element, String> {
    if text.is_empty() {
        return Ok(Element::Append);
    }
    if let Some(level) = text.strip_prefix('#') {
        let up = match level {
            "" => 0,
            _ => level
                .parse()
                .map_err(|_error| "a level after '#'".to_owned())?,
        };
        return Ok(Element::Index(Position::Count(up)));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = text.parse().map_err(|_error| "a position".to_owned())?;
        return Ok(Element::Index(Position::Number(index)));
    }
    if text.starts_with(['&', '@']) {
        return parse_template(text).map(|text| Element::Index(Position::Computed(text)));
    }
    Err("a position, a reference or nothing between brackets".to_owned())
}

/// Parses a text with `&` and `@` references.
pub(crate) fn parse_template(text: &str) -> Result<Template, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let after = &rest[char.len_utf8()..];
        match char {
            '\\' => {
                let escaped = after.chars().next();
                literal.extend(escaped);
                rest = &after[escaped.map_or(0, char::len_utf8)..];
                continue;
            }
            '&' | '@' => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                let length = if char == '&' {
                    reference_length(after)?
                } else {
                    transpose_length(after)?
                };
                let (inside, behind) = after.split_at(length);
                parts.push(if char == '&' {
                    Part::Reference(parse_reference(inside)?)
                } else {
                    Part::Transpose(Transpose::parse(&rest[..1 + length])?)
                });
                rest = behind;
                continue;
            }
            _ => literal.push(char),
        }
        rest = after;
    }
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(Template(parts))
}

/// How long the numbers after `&` are.
fn reference_length(after: &str) -> Result<usize, String> {
    if after.starts_with('(') {
        let end = after.find(')');
        return end
            .map(|end| end + 1)
            .ok_or_else(|| "a closed '('".to_owned());
    }
    Ok(after.len()
        - after
            .trim_start_matches(|char: char| char.is_ascii_digit())
            .len())
}

/// How long the reference after `@` is: up to its parenthesis, or the whole rest.
fn transpose_length(after: &str) -> Result<usize, String> {
    let Some(inner) = after.strip_prefix('(') else {
        return Ok(after.len());
    };
    let mut depth = 1_usize;
    for (at, char) in inner.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(at + 2);
        }
    }
    Err("a closed '('".to_owned())
}

/// Parses what follows `&` or `$`: nothing, `1`, `(1)` or `(1,2)`.
pub(crate) fn parse_reference(text: &str) -> Result<Reference, String> {
    let expected = || "a reference such as &, &1 or &(1,2)".to_owned();
    let number = |text: &str| match text.trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_error| expected()),
    };
    let Some(inner) = text.strip_prefix('(') else {
        return Ok(Reference {
            up: number(text)?,
            part: 0,
        });
    };
    let inner = inner.strip_suffix(')').ok_or_else(expected)?;
    let (up, part) = inner.split_once(',').unwrap_or((inner, ""));
    Ok(Reference {
        up: number(up)?,
        part: number(part)?,
    })
}

/// Removes the backslashes before special characters.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => out.extend(chars.next()),
            char => out.push(char),
        }
    }
    out
}

/// Renders a value as part of a key; arrays and objects are none.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Splits at a character outside of parentheses and brackets.
pub(crate) fn split_outside(text: &str, separator: char) -> Result<Vec<&str>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = find_outside(rest, separator) {
        pieces.push(&rest[..at]);
        rest = &rest[at + separator.len_utf8()..];
    }
    pieces.push(rest);
    if pieces.len() > SPEC_DEPTH_MAX {
        return Err(format!("at most {SPEC_DEPTH_MAX} parts"));
    }
    Ok(pieces)
}

fn find_outside(text: &str, wanted: char) -> Option<usize> {
    let (mut depth, mut is_escaped) = (0_usize, false);
    for (at, char) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
            continue;
        }
        if char == wanted && depth == 0 {
            return Some(at);
        }
        match char {
            '\\' => is_escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Finds the bracket that ends a position.
fn closing(inner: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, char) in inner.char_indices() {
        match char {
            '[' | '(' => depth += 1,
            ']' if depth == 0 => return Some(at),
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
