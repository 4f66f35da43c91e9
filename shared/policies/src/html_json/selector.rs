//! CSS selectors (Selectors Level 3), found in time in proportion to the document.
//!
//! A selector is followed from left to right: which elements fit its first part, which of the next part stand in the
//! right place to one of those, and so on. Each step walks the document once.

use std::collections::HashMap;

use super::tree::{Element, ROOT, Tree};

/// Longest selector in bytes.
const SELECTOR_BYTES_MAX: usize = 1024;

/// Deepest nesting of `:not()`.
const DEPTH_MAX: usize = 4;

/// Alternatives, separated by commas.
#[derive(Debug)]
pub(super) struct Selector(Vec<Vec<(Combinator, Compound)>>);

/// Where an element stands to the one before it in a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Combinator {
    Descendant,
    Child,
    Next,
    Later,
}

/// What one element must be.
#[derive(Debug, Default)]
struct Compound(Vec<Test>);

#[derive(Debug)]
enum Test {
    Name(String),
    Attribute(String, Operator, String),
    HasAttribute(String),
    Class(String),
    Root,
    Empty,
    /// `an+b`, counted from the first or last, among all or those of its name.
    Nth {
        step: i64,
        offset: i64,
        from_last: bool,
        of_type: bool,
    },
    Only {
        of_type: bool,
    },
    Not(Compound),
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equals,
    Word,
    Dash,
    Begins,
    Ends,
    Contains,
}

/// Places of elements among their siblings, from one.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    first: i64,
    last: i64,
    first_of_type: i64,
    last_of_type: i64,
    previous: Option<usize>,
}

/// A document with what selectors ask about it.
pub(super) struct Document<'t> {
    tree: &'t Tree,
    elements: Vec<usize>,
    places: Vec<Place>,
}

impl<'t> Document<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        let mut places = vec![Place::default(); tree.0.len()];
        for node in &tree.0 {
            let siblings = node.children.iter().copied();
            let siblings: Vec<usize> = siblings.filter(|id| tree.element(*id).is_some()).collect();
            let mut names: HashMap<&str, i64> = HashMap::new();
            let mut previous = None;
            let name = |id: usize| tree.element(id).map_or("", Element::name);
            for (index, id) in (1_i64..).zip(siblings.iter().copied()) {
                let of_type = names.entry(name(id)).or_default();
                *of_type += 1;
                places[id].first = index;
                places[id].first_of_type = *of_type;
                places[id].previous = previous;
                previous = Some(id);
            }
            names.clear();
            for (index, id) in (1_i64..).zip(siblings.iter().rev().copied()) {
                let of_type = names.entry(name(id)).or_default();
                *of_type += 1;
                places[id].last = index;
                places[id].last_of_type = *of_type;
            }
        }
        Self {
            elements: tree.elements(),
            tree,
            places,
        }
    }

    /// The elements that a selector finds, in the order of the document.
    pub(super) fn find(&self, selector: &Selector) -> Vec<usize> {
        let mut found = vec![false; self.tree.0.len()];
        for path in &selector.0 {
            let mut fitting: Option<Vec<bool>> = None;
            for (combinator, compound) in path {
                fitting = Some(self.step(fitting.as_deref(), *combinator, compound));
            }
            for (known, new) in found.iter_mut().zip(fitting.unwrap_or_default()) {
                *known |= new;
            }
        }
        let elements = self.elements.iter().copied();
        elements.filter(|id| found[*id]).collect()
    }

    /// Which elements fit a part and stand in place to one that fitted the part before.
    fn step(
        &self,
        before: Option<&[bool]>,
        combinator: Combinator,
        compound: &Compound,
    ) -> Vec<bool> {
        let mut reached = vec![before.is_none(); self.tree.0.len()];
        if let Some(before) = before {
            for id in self.elements.iter().copied() {
                let parent = self.tree.0[id].parent.unwrap_or(ROOT);
                let previous = self.places[id].previous;
                // Parents and earlier siblings come first in the order of the document.
                reached[id] = match combinator {
                    Combinator::Child => before[parent],
                    Combinator::Descendant => before[parent] || reached[parent],
                    Combinator::Next => previous.is_some_and(|previous| before[previous]),
                    Combinator::Later => {
                        previous.is_some_and(|previous| before[previous] || reached[previous])
                    }
                };
            }
        }
        let mut fitting = vec![false; self.tree.0.len()];
        for id in self.elements.iter().copied().filter(|id| reached[*id]) {
            fitting[id] = self.fits(id, compound);
        }
        fitting
    }

    fn fits(&self, id: usize, compound: &Compound) -> bool {
        let Some(element) = self.tree.element(id) else {
            return false;
        };
        compound.0.iter().all(|test| self.passes(id, element, test))
    }

    fn passes(&self, id: usize, element: &Element, test: &Test) -> bool {
        let place = self.places[id];
        match test {
            Test::Name(name) => element.name().eq_ignore_ascii_case(name),
            Test::HasAttribute(name) => element.attribute(name).is_some(),
            Test::Attribute(name, operator, wanted) => {
                let value = element.attribute(name);
                value.is_some_and(|value| operator.holds(value, wanted))
            }
            Test::Class(name) => element
                .attribute("class")
                .is_some_and(|value| value.split_ascii_whitespace().any(|word| word == name)),
            Test::Root => self.tree.0[id].parent == Some(ROOT),
            Test::Empty => self.tree.0[id]
                .children
                .iter()
                .all(|child| matches!(self.tree.0[*child].data, super::tree::Data::Other)),
            Test::Nth {
                step,
                offset,
                from_last,
                of_type,
            } => {
                let index = match (from_last, of_type) {
                    (false, false) => place.first,
                    (true, false) => place.last,
                    (false, true) => place.first_of_type,
                    (true, true) => place.last_of_type,
                };
                let distance = index - offset;
                if *step == 0 {
                    distance == 0
                } else {
                    distance % step == 0 && distance / step >= 0
                }
            }
            Test::Only { of_type: false } => place.first == 1 && place.last == 1,
            Test::Only { of_type: true } => place.first_of_type == 1 && place.last_of_type == 1,
            Test::Not(compound) => !self.fits(id, compound),
        }
    }
}

impl Operator {
    fn holds(self, value: &str, wanted: &str) -> bool {
        let has_text = !wanted.is_empty();
        match self {
            Self::Equals => value == wanted,
            Self::Word => value.split_ascii_whitespace().any(|word| word == wanted),
            Self::Dash => value
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
            Self::Begins => has_text && value.starts_with(wanted),
            Self::Ends => has_text && value.ends_with(wanted),
            Self::Contains => has_text && value.contains(wanted),
        }
    }
}

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// Says what cannot stand there.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(format!("more than {SELECTOR_BYTES_MAX} bytes"));
        }
        let mut parser = Parser { rest: text.trim() };
        let mut alternatives = Vec::new();
        loop {
            alternatives.push(parser.path()?);
            if parser.rest.is_empty() {
                return Ok(Self(alternatives));
            }
            parser.expect(',')?;
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn skip_blanks(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let has_skipped = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        has_skipped
    }

    fn is_next(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Result<(), String> {
        if self.is_next(character.encode_utf8(&mut [0; 4])) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> String {
        match self.rest.chars().next() {
            Some(character) => format!("{character:?}"),
            None => "the end".to_owned(),
        }
    }

    fn path(&mut self) -> Result<Vec<(Combinator, Compound)>, String> {
        self.skip_blanks();
        let mut path = vec![(Combinator::Descendant, self.compound(0)?)];
        loop {
            let has_blanks = self.skip_blanks();
            if self.rest.is_empty() || self.rest.starts_with(',') {
                return Ok(path);
            }
            let combinator = if self.is_next(">") {
                Combinator::Child
            } else if self.is_next("+") {
                Combinator::Next
            } else if self.is_next("~") {
                Combinator::Later
            } else if has_blanks {
                Combinator::Descendant
            } else {
                return Err(self.unexpected());
            };
            self.skip_blanks();
            path.push((combinator, self.compound(0)?));
        }
    }

    fn compound(&mut self, depth: usize) -> Result<Compound, String> {
        let mut tests = Vec::new();
        let is_any = self.is_next("*");
        if !is_any && self.rest.starts_with(is_name_start) {
            tests.push(Test::Name(self.name()?.to_owned()));
        }
        loop {
            if self.is_next("#") {
                let id = self.name()?.to_owned();
                tests.push(Test::Attribute("id".to_owned(), Operator::Equals, id));
            } else if self.is_next(".") {
                tests.push(Test::Class(self.name()?.to_owned()));
            } else if self.is_next("[") {
                tests.push(self.attribute()?);
            } else if self.is_next(":") {
                tests.push(self.pseudo(depth)?);
            } else if tests.is_empty() && !is_any {
                return Err(self.unexpected());
            } else {
                return Ok(Compound(tests));
            }
        }
    }

    fn name(&mut self) -> Result<&'t str, String> {
        let end = self
            .rest
            .find(|character: char| !is_name_character(character))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.unexpected());
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(name)
    }

    fn attribute(&mut self) -> Result<Test, String> {
        self.skip_blanks();
        let name = self.name()?.to_ascii_lowercase();
        self.skip_blanks();
        if self.is_next("]") {
            return Ok(Test::HasAttribute(name));
        }
        let operators = [
            ("~=", Operator::Word),
            ("|=", Operator::Dash),
            ("^=", Operator::Begins),
            ("$=", Operator::Ends),
            ("*=", Operator::Contains),
            ("=", Operator::Equals),
        ];
        let found = operators
            .iter()
            .find(|(text, _)| self.rest.starts_with(text));
        let Some((text, operator)) = found else {
            return Err(self.unexpected());
        };
        self.rest = &self.rest[text.len()..];
        self.skip_blanks();
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (value, rest) = self.rest[1..].split_once(quote).ok_or("an open quote")?;
                self.rest = rest;
                value
            }
            _ => self.name()?,
        };
        self.skip_blanks();
        self.expect(']')?;
        Ok(Test::Attribute(name, *operator, value.to_owned()))
    }

    fn pseudo(&mut self, depth: usize) -> Result<Test, String> {
        let name = self.name()?.to_ascii_lowercase();
        let nth = |offset, from_last, of_type| {
            Ok(Test::Nth {
                step: 0,
                offset,
                from_last,
                of_type,
            })
        };
        match name.as_str() {
            "root" => Ok(Test::Root),
            "empty" => Ok(Test::Empty),
            "first-child" => nth(1, false, false),
            "last-child" => nth(1, true, false),
            "first-of-type" => nth(1, false, true),
            "last-of-type" => nth(1, true, true),
            "only-child" => Ok(Test::Only { of_type: false }),
            "only-of-type" => Ok(Test::Only { of_type: true }),
            "nth-child" | "nth-last-child" | "nth-of-type" | "nth-last-of-type" => {
                self.expect('(')?;
                let (argument, rest) = self.rest.split_once(')').ok_or("an open parenthesis")?;
                self.rest = rest;
                let (step, offset) =
                    formula(argument).ok_or_else(|| format!("{argument:?} instead of an+b"))?;
                Ok(Test::Nth {
                    step,
                    offset,
                    from_last: name.contains("last"),
                    of_type: name.contains("of-type"),
                })
            }
            "not" if depth < DEPTH_MAX => {
                self.expect('(')?;
                self.skip_blanks();
                let compound = self.compound(depth + 1)?;
                self.skip_blanks();
                self.expect(')')?;
                Ok(Test::Not(compound))
            }
            _ => Err(format!("the pseudo-class :{name}")),
        }
    }
}

/// Reads `odd`, `even`, `b`, `an` and `an+b`.
fn formula(text: &str) -> Option<(i64, i64)> {
    let text: String = text
        .split_whitespace()
        .collect::<String>()
        .to_ascii_lowercase();
    let number = |text: &str| text.strip_prefix('+').unwrap_or(text).parse::<i32>().ok();
    let (step, offset) = match text.as_str() {
        "odd" => (2, 1),
        "even" => (2, 0),
        _ => match text.split_once('n') {
            None => (0, number(&text)?),
            Some((step, offset)) => {
                let step = match step {
                    "" | "+" => 1,
                    "-" => -1,
                    step => number(step)?,
                };
                let offset = if offset.is_empty() {
                    0
                } else {
                    number(offset)?
                };
                (step, offset)
            }
        },
    };
    Some((i64::from(step), i64::from(offset)))
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn is_name_character(character: char) -> bool {
    is_name_start(character) || character.is_ascii_digit() || character == '-'
}
