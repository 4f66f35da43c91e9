//! A buffered body with the forms expressions ask for, made at most once.

use std::cell::OnceCell;

use bytes::Bytes;
use tidegate_expression::{Text, Value, ValueMap, parse_json};

/// A body, if it was buffered.
#[derive(Debug, Default)]
pub struct Content {
    bytes: Option<Bytes>,
    text: OnceCell<Text>,
    json: OnceCell<Value>,
}

impl Content {
    /// Returns the body if it was buffered or set.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    /// Replaces the body.
    pub fn set(&mut self, bytes: Bytes) {
        *self = Self {
            bytes: Some(bytes),
            ..Self::default()
        };
    }

    /// Takes the body out, for sending.
    pub fn take(&mut self) -> Option<Bytes> {
        std::mem::take(self).bytes
    }

    /// Returns the body as text; invalid UTF-8 is replaced, a missing body is empty.
    pub(super) fn text(&self) -> Text {
        self.text
            .get_or_init(|| match &self.bytes {
                Some(bytes) => Text::from(String::from_utf8_lossy(bytes).as_ref()),
                None => Text::constant(""),
            })
            .clone()
    }

    /// Returns the body as JSON; an empty or invalid body is an empty map.
    pub(super) fn json(&self) -> Value {
        self.json
            .get_or_init(|| {
                self.bytes
                    .as_ref()
                    .and_then(|bytes| parse_json(bytes).ok())
                    .unwrap_or_else(|| ValueMap::new().into())
            })
            .clone()
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        let mut content = Self::default();
        content.set(bytes);
        content
    }
}
