//! What an expression may ask of its surroundings: variables, time and randomness.
//!
//! A scope answers whole paths (`request`, `headers`, `X`, `0`) instead of handing out maps, so that
//! `#request.headers['X'][0]` costs one header lookup.

use http::HeaderName;

use crate::value::{Text, Value};

/// One step of a path below a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// `.name` or `['name']`.
    Key(Key),
    /// `[3]`.
    Index(i64),
}

/// A path step by name, with the header name it spells where it spells one.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    text: Text,
    header: Option<HeaderName>,
}

impl Key {
    /// Prepares a name for lookups.
    #[must_use]
    pub fn new(text: Text) -> Self {
        let header = HeaderName::from_bytes(text.as_bytes()).ok();
        Self { text, header }
    }

    /// Returns the name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name parsed as a header name, if it is one.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }
}

impl Segment {
    /// Returns the name if this step is by name.
    #[must_use]
    pub fn as_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key.as_str()),
            Self::Index(_) => None,
        }
    }

    /// Returns the position if this step is by position.
    #[must_use]
    pub fn as_index(&self) -> Option<i64> {
        match self {
            Self::Key(_) => None,
            Self::Index(index) => Some(*index),
        }
    }
}

/// Answer to [`Scope::lookup`].
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// The value after the first `used` segments; the evaluator takes the remaining ones itself.
    Found {
        /// The value found.
        value: Value,
        /// How many segments it accounts for.
        used: usize,
    },
    /// The scope has no such variable; it evaluates to null.
    Undefined,
    /// The variable exists, but the segment at this position names nothing it has.
    NoProperty(usize),
}

impl Lookup {
    /// A value that accounts for `used` segments.
    #[must_use]
    pub fn found(value: impl Into<Value>, used: usize) -> Self {
        Self::Found {
            value: value.into(),
            used,
        }
    }
}

/// Time and randomness, so that evaluation itself stays pure and a simulation can steer it.
pub trait Ambient: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;

    /// Nanoseconds of a clock that only moves forward.
    fn nanos(&self) -> u64;

    /// Sixty-four random bits, good enough for UUIDs.
    fn random(&self) -> u64;
}

/// The variables an expression sees.
pub trait Scope {
    /// Resolves `#variable` followed by `path` as far as the scope can.
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup;

    /// Returns the source of time and randomness.
    fn ambient(&self) -> &dyn Ambient;
}
