//! The levels that a walk has gone down: what `&`, `$`, `#` and `@` refer to.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

/// A key that matched, with what its stars stood for.
#[derive(Clone, Debug)]
pub(crate) struct Matched<'a> {
    whole: Cow<'a, str>,
    stars: Vec<String>,
}

impl<'a> Matched<'a> {
    pub(crate) fn new(whole: Cow<'a, str>) -> Self {
        Self {
            whole,
            stars: Vec::new(),
        }
    }

    pub(crate) fn with_stars(whole: Cow<'a, str>, stars: Vec<String>) -> Self {
        Self { whole, stars }
    }

    /// Returns the whole key (0), or what a star stood for (1 is the first).
    pub(crate) fn part(&self, number: usize) -> Option<&str> {
        match number.checked_sub(1) {
            None => Some(&self.whole),
            Some(star) => self.stars.get(star).map(String::as_str),
        }
    }
}

/// One level of a walk.
#[derive(Debug)]
pub(crate) struct Level<'a> {
    pub(crate) matched: Matched<'a>,
    /// How many children have matched so far.
    pub(crate) count: Cell<usize>,
}

impl<'a> Level<'a> {
    pub(crate) fn new(matched: Matched<'a>) -> Self {
        Self {
            matched,
            count: Cell::new(0),
        }
    }
}

/// What paths with references are evaluated against; level 0 is the deepest one.
pub(crate) trait Walked {
    /// Returns the value at a level.
    fn tree(&self, up: usize) -> Option<&Value>;

    /// Returns the level itself.
    fn level(&self, up: usize) -> Option<&Level<'_>>;
}
