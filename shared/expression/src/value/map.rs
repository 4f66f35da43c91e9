//! Maps with text keys in insertion order; header-like maps ignore the case of their keys.

use indexmap::IndexMap;

use super::{Text, Value};

/// A map with text keys in insertion order.
#[derive(Clone, Debug, Default)]
pub struct ValueMap {
    entries: IndexMap<Text, Value>,
    ignores_case: bool,
}

impl ValueMap {
    /// Makes an empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty map whose lookups ignore the case of ASCII letters, as header maps do.
    #[must_use]
    pub fn ignoring_case() -> Self {
        Self {
            entries: IndexMap::new(),
            ignores_case: true,
        }
    }

    /// Sets `key`; an existing key keeps its place.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) {
        let key = key.into();
        let key = if self.ignores_case && key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Text::from(key.to_ascii_lowercase())
        } else {
            key
        };
        self.entries.insert(key, value.into());
    }

    /// Returns the value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        if self.ignores_case && key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.entries.get(key.to_ascii_lowercase().as_str());
        }
        self.entries.get(key)
    }

    /// Tells how many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether the map has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Walks the entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.entries.iter()
    }
}

/// Equal entries make equal maps, whatever their order.
impl PartialEq for ValueMap {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for ValueMap {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}
