//! Dictionaries: named values of an environment that expressions read.

use std::collections::BTreeMap;

use super::{ENTRIES_BYTES_MAX, Feed};
use crate::{
    limits,
    read::{At, Label},
};

/// Values that expressions of every API read: `#dictionaries['key']['entry']`.
#[derive(Clone, PartialEq)]
pub struct Dictionary {
    /// Unique in the environment; empty while the document has none.
    pub id: String,
    /// What expressions call it; empty for its id.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Text for people.
    pub description: String,
    /// Where its entries come from.
    pub source: DictionarySource,
}

/// Where the entries of a dictionary come from.
#[derive(Clone, PartialEq)]
pub enum DictionarySource {
    /// They stand in the document.
    Manual(BTreeMap<String, String>),
    /// They are fetched again and again while the dictionary is started.
    Dynamic(Box<Feed>),
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Dictionary")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for DictionarySource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Manual(_) => "Manual(..)",
            Self::Dynamic(_) => "Dynamic(..)",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manual,
    Dynamic,
}

impl Label for Kind {
    const LABELS: &'static [(&'static str, Self)] =
        &[("manual", Self::Manual), ("dynamic", Self::Dynamic)];
}

impl Dictionary {
    pub(super) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let default = if at.member("provider").is_some() {
            Kind::Dynamic
        } else {
            Kind::Manual
        };
        let source = match at.label("type", default) {
            Kind::Manual => DictionarySource::Manual(entries(at)),
            Kind::Dynamic => DictionarySource::Dynamic(Box::new(Feed::of_dictionary(at)?)),
        };
        Some(Self {
            id: super::identifier(at, "id"),
            key: super::identifier(at, "key"),
            name: at.required_text("name", limits::NAME),
            description: at
                .text("description", limits::LONG_TEXT)
                .unwrap_or_default(),
            source,
        })
    }

    /// What expressions call it.
    #[must_use]
    pub fn key(&self) -> &str {
        if self.key.is_empty() {
            &self.id
        } else {
            &self.key
        }
    }
}

fn entries(at: &At<'_>) -> BTreeMap<String, String> {
    let Some(properties) = at.member("properties") else {
        return BTreeMap::new();
    };
    let found = properties.entries();
    if found.len() > limits::PROPERTIES {
        properties.fail(format!("at most {} entries", limits::PROPERTIES));
        return BTreeMap::new();
    }
    let mut bytes = 0;
    let mut entries = BTreeMap::new();
    for (key, value) in found {
        if key.is_empty() || key.chars().count() > limits::NAME {
            value.fail(format!("a key of 1 to {} characters", limits::NAME));
            continue;
        }
        if let Some(text) = value.as_text(limits::LONG_TEXT) {
            bytes += key.len() + text.len();
            entries.insert(key.to_owned(), text);
        }
    }
    if bytes > ENTRIES_BYTES_MAX {
        properties.fail(format!("at most {ENTRIES_BYTES_MAX} bytes in all"));
    }
    entries
}
