//! Walks JSON text without building anything of it.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use thiserror::Error as ThisError;

/// How the parser says that its own limit of depth was passed.
const RECURSION: &str = "recursion limit exceeded";

/// What JSON text may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) array_size: usize,
    pub(super) depth: usize,
    pub(super) name_length: usize,
    pub(super) value_length: usize,
    pub(super) unique_names: bool,
}

/// What JSON text is that it may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub(super) enum Threat {
    #[error("no JSON")]
    Malformed,
    #[error("an object names a member twice")]
    Duplicate,
    #[error("nested too deep")]
    Depth,
    #[error("an object has too many members")]
    Entries,
    #[error("an array has too many elements")]
    ArraySize,
    #[error("the name of a member is too long")]
    NameLength,
    #[error("a text is too long")]
    ValueLength,
}

impl Threat {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Malformed | Self::Duplicate => "JSON_THREAT_DETECTED",
            Self::Depth => "JSON_THREAT_MAX_DEPTH",
            Self::Entries => "JSON_THREAT_MAX_ENTRIES",
            Self::ArraySize => "JSON_MAX_ARRAY_SIZE",
            Self::NameLength => "JSON_THREAT_MAX_NAME_LENGTH",
            Self::ValueLength => "JSON_THREAT_MAX_VALUE_LENGTH",
        }
    }
}

impl Limits {
    /// Checks one JSON text; blank text is fine.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), Threat> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let found = Cell::new(None);
        let walk = Walk {
            limits: self,
            found: &found,
            depth: 0,
        };
        let mut parser = serde_json::Deserializer::from_slice(text);
        let result = walk.deserialize(&mut parser).and_then(|()| parser.end());
        result.map_err(|error| {
            found.get().unwrap_or_else(|| {
                if error.to_string().starts_with(RECURSION) {
                    Threat::Depth
                } else {
                    Threat::Malformed
                }
            })
        })
    }
}

/// One value at a depth.
#[derive(Clone, Copy)]
struct Walk<'w> {
    limits: &'w Limits,
    found: &'w Cell<Option<Threat>>,
    depth: usize,
}

impl Walk<'_> {
    fn expect<E: Error>(self, holds: bool, threat: Threat) -> Result<(), E> {
        if holds {
            return Ok(());
        }
        self.found.set(Some(threat));
        Err(E::custom(threat))
    }

    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        self.expect(depth <= self.limits.depth, Threat::Depth)?;
        Ok(Self { depth, ..self })
    }
}

/// Length as the reference engine counts it.
fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.expect(
            length(text) <= self.limits.value_length,
            Threat::ValueLength,
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.below()?;
        let mut count = 0;
        while elements.next_element_seed(inner)?.is_some() {
            count += 1;
            self.expect(count <= self.limits.array_size, Threat::ArraySize)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.below()?;
        let mut names: HashSet<String> = HashSet::new();
        let mut count = 0;
        while let Some(name) = members.next_key::<String>()? {
            self.expect(length(&name) <= self.limits.name_length, Threat::NameLength)?;
            count += 1;
            self.expect(count <= self.limits.entries, Threat::Entries)?;
            if self.limits.unique_names {
                self.expect(names.insert(name), Threat::Duplicate)?;
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}
