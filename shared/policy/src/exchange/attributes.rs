//! Attributes set by policies.
//!
//! The platform's own attributes carry a prefix. A lookup tries the name as given, then the name with
//! the prefix; internal readers see only prefixed ones, so that a policy changes routing on purpose only.

use tidegate_expression::{Text, Value};

/// Prefix of the platform's own attributes.
const PREFIX: &str = "gravitee.attribute.";

/// Most attributes of one exchange: far above any real chain, far below harm.
const ATTRIBUTES_MAX: usize = 1024;

/// Attributes of an exchange, few enough to scan.
#[derive(Debug, Default)]
pub struct Attributes {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    is_platform: bool,
    /// Name without the prefix.
    name: Text,
    value: Value,
}

impl Attributes {
    /// Sets an attribute under the name as given; null removes it.
    ///
    /// Returns `false` if the exchange already has the most attributes allowed.
    pub fn set(&mut self, name: &Text, value: Value) -> bool {
        match name.strip_prefix(PREFIX) {
            Some(short) => self.put(true, &Text::from(short), value),
            None => self.put(false, name, value),
        }
    }

    /// Sets a platform attribute; `name` comes without the prefix.
    pub fn set_platform(&mut self, name: &'static str, value: impl Into<Value>) -> bool {
        self.put(true, &Text::constant(name), value.into())
    }

    /// Returns an attribute by the name as given, else by the name with the prefix.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match name.strip_prefix(PREFIX) {
            Some(short) => self.find(true, short),
            None => self.find(false, name).or_else(|| self.find(true, name)),
        }
    }

    /// Returns a platform attribute; `name` comes without the prefix.
    #[must_use]
    pub fn get_platform(&self, name: &str) -> Option<&Value> {
        self.find(true, name)
    }

    /// Walks the attributes in the order they were set, platform names with their prefix.
    pub fn iter(&self) -> impl Iterator<Item = (Text, &Value)> {
        self.entries.iter().map(|entry| {
            let name = if entry.is_platform {
                Text::from(format!("{PREFIX}{}", entry.name))
            } else {
                entry.name.clone()
            };
            (name, &entry.value)
        })
    }

    fn find(&self, is_platform: bool, name: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|entry| entry.is_platform == is_platform && entry.name.as_str() == name)
            .map(|entry| &entry.value)
    }

    fn put(&mut self, is_platform: bool, name: &Text, value: Value) -> bool {
        let position = self
            .entries
            .iter()
            .position(|entry| entry.is_platform == is_platform && entry.name == *name);
        match (position, value) {
            (Some(position), Value::Null) => {
                self.entries.remove(position);
            }
            (Some(position), value) => self.entries[position].value = value,
            (None, Value::Null) => {}
            (None, _) if self.entries.len() >= ATTRIBUTES_MAX => return false,
            (None, value) => self.entries.push(Entry {
                is_platform,
                name: name.clone(),
                value,
            }),
        }
        true
    }
}

/// Strips the platform prefix.
pub(super) fn without_prefix(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}
