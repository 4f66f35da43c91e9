//! Simple types: texts with a meaning, and the facets that narrow them.

use regex::Regex;

use crate::builtin::{Builtin, Ordered, WhiteSpace};
use crate::schema::{Schema, TypeId};

/// A simple type.
#[derive(Debug)]
pub(crate) struct Simple {
    /// The type it narrows; none for types of the specification.
    pub(crate) base: Option<TypeId>,
    pub(crate) variety: Variety,
    pub(crate) facets: Facets,
}

/// What a text of the type is.
#[derive(Clone, Debug)]
pub(crate) enum Variety {
    Atomic(Builtin),
    /// Items, separated by blanks.
    List(TypeId),
    /// One of several.
    Union(Box<[TypeId]>),
}

/// What one step of derivation adds.
#[derive(Debug, Default)]
pub(crate) struct Facets {
    pub(crate) white_space: Option<WhiteSpace>,
    pub(crate) length: Option<usize>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    /// One of them must match.
    pub(crate) patterns: Vec<Regex>,
    /// One of them must be the value.
    pub(crate) enumeration: Vec<String>,
    pub(crate) bounds: Vec<(Bound, Ordered, String)>,
    pub(crate) total_digits: Option<usize>,
    pub(crate) fraction_digits: Option<usize>,
}

/// A limit of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    MinInclusive,
    MinExclusive,
    MaxInclusive,
    MaxExclusive,
}

impl Bound {
    pub(crate) fn parse(facet: &str) -> Option<Self> {
        match facet {
            "minInclusive" => Some(Self::MinInclusive),
            "minExclusive" => Some(Self::MinExclusive),
            "maxInclusive" => Some(Self::MaxInclusive),
            "maxExclusive" => Some(Self::MaxExclusive),
            _ => None,
        }
    }

    /// Values that have no order with the limit, such as NaN, are not within it.
    fn holds(self, value: &Ordered, limit: &Ordered) -> bool {
        match self {
            Self::MinInclusive => value >= limit,
            Self::MinExclusive => value > limit,
            Self::MaxInclusive => value <= limit,
            Self::MaxExclusive => value < limit,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::MinInclusive => "at least",
            Self::MinExclusive => "more than",
            Self::MaxInclusive => "at most",
            Self::MaxExclusive => "less than",
        }
    }
}

/// A name in a value that the whole document has to agree with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Must be the only one.
    Id(String),
    /// Must be one of them.
    IdRef(String),
}

/// A checked value.
#[derive(Debug)]
pub(crate) struct Value {
    /// The text, its white space handled.
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
}

/// Most of a value that a message shows, in characters.
const SHOWN_MAX: usize = 40;

impl Schema {
    /// Checks a text; the error says what was expected.
    pub(crate) fn check_value(&self, id: TypeId, text: &str) -> Result<Value, String> {
        let simple = self.simple(id);
        let text = normalized(text, self.white_space(id));
        let mut marks = Vec::new();
        let mut items = None;
        match &simple.variety {
            Variety::Atomic(builtin) => {
                if !builtin.accepts(&text) {
                    return Err(format!("{} is no {}", shown(&text), self.type_name(id)));
                }
                match builtin {
                    Builtin::Id => marks.push(Mark::Id(text.clone())),
                    Builtin::IdRef => marks.push(Mark::IdRef(text.clone())),
                    _ => {}
                }
            }
            Variety::List(item) => {
                let mut count = 0;
                for part in text.split(' ').filter(|part| !part.is_empty()) {
                    marks.extend(self.check_value(*item, part)?.marks);
                    count += 1;
                }
                items = Some(count);
            }
            Variety::Union(members) => {
                let mut found = members
                    .iter()
                    .map(|member| self.check_value(*member, &text));
                let Some(value) = found.find_map(Result::ok) else {
                    return Err(format!("{} is no {}", shown(&text), self.type_name(id)));
                };
                marks = value.marks;
            }
        }
        let mut step = Some(id);
        while let Some(id) = step {
            let simple = self.simple(id);
            self.check_facets(id, &text, items)?;
            step = simple.base;
        }
        Ok(Value { text, marks })
    }

    fn check_facets(&self, id: TypeId, text: &str, items: Option<usize>) -> Result<(), String> {
        let simple = self.simple(id);
        let facets = &simple.facets;
        let wrong = |expected: String| Err(format!("{}: {expected}", shown(text)));
        let length = match (&simple.variety, items) {
            (_, Some(items)) => Some(items),
            (Variety::Atomic(builtin), None) => builtin.length(text),
            _ => None,
        };
        if let Some(length) = length {
            if let Some(exact) = facets.length.filter(|exact| *exact != length) {
                return wrong(format!("a length of {exact}"));
            }
            if let Some(least) = facets.min_length.filter(|least| length < *least) {
                return wrong(format!("a length of at least {least}"));
            }
            if let Some(most) = facets.max_length.filter(|most| length > *most) {
                return wrong(format!("a length of at most {most}"));
            }
        }
        if !facets.patterns.is_empty() && !facets.patterns.iter().any(|known| known.is_match(text))
        {
            return wrong(format!("the pattern of {}", self.type_name(id)));
        }
        if !facets.enumeration.is_empty()
            && !facets
                .enumeration
                .iter()
                .any(|known| self.are_equal(id, known, text))
        {
            return wrong(format!("one of the values of {}", self.type_name(id)));
        }
        let Variety::Atomic(builtin) = simple.variety else {
            return Ok(());
        };
        let value = builtin.ordered(text);
        for (bound, limit, spelled) in &facets.bounds {
            if !value
                .as_ref()
                .is_some_and(|value| bound.holds(value, limit))
            {
                return wrong(format!("{} {spelled}", bound.words()));
            }
        }
        if let Some(Ordered::Decimal(decimal)) = value {
            let (total, fraction) = decimal.digits();
            if let Some(most) = facets.total_digits.filter(|most| total > *most) {
                return wrong(format!("at most {most} digits"));
            }
            if let Some(most) = facets.fraction_digits.filter(|most| fraction > *most) {
                return wrong(format!("at most {most} digits of the fraction"));
            }
        }
        Ok(())
    }

    /// Whether two texts, their white space handled, are the same value of a type.
    pub(crate) fn are_equal(&self, id: TypeId, one: &str, other: &str) -> bool {
        if one == other {
            return true;
        }
        match &self.simple(id).variety {
            Variety::Atomic(builtin) => builtin.are_equal(one, other),
            Variety::List(item) => {
                let (ones, others) = (one.split(' '), other.split(' '));
                ones.clone().count() == others.clone().count()
                    && ones
                        .zip(others)
                        .all(|(one, other)| self.are_equal(*item, one, other))
            }
            Variety::Union(members) => members.iter().any(|member| {
                self.check_value(*member, one).is_ok()
                    && self.check_value(*member, other).is_ok()
                    && self.are_equal(*member, one, other)
            }),
        }
    }

    /// How white space is handled before a text of the type is looked at.
    pub(crate) fn white_space(&self, id: TypeId) -> WhiteSpace {
        let mut step = Some(id);
        while let Some(id) = step {
            let simple = self.simple(id);
            if let Some(white_space) = simple.facets.white_space {
                return white_space;
            }
            step = simple.base;
        }
        match self.simple(id).variety {
            Variety::Atomic(builtin) => builtin.white_space(),
            Variety::List(_) => WhiteSpace::Collapse,
            // Each member handles it.
            Variety::Union(_) => WhiteSpace::Preserve,
        }
    }
}

/// Handles white space as told (Part 2 §4.3.6).
pub(crate) fn normalized(text: &str, white_space: WhiteSpace) -> String {
    const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
    match white_space {
        WhiteSpace::Preserve => text.to_owned(),
        WhiteSpace::Replace => text.replace(BLANKS, " "),
        WhiteSpace::Collapse => {
            let words: Vec<&str> = text.split(BLANKS).filter(|word| !word.is_empty()).collect();
            words.join(" ")
        }
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
