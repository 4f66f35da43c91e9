//! Values of the expression language: cheap to clone, shareable between threads.
//!
//! Conversions follow the reference engine: text is trimmed before it becomes a number or a boolean,
//! lists become text by joining with commas, maps print as `{key=value}`.

mod convert;
mod json;
mod map;
mod text;

use std::fmt;
use std::sync::Arc;

pub use json::parse_json;
pub use map::ValueMap;
pub use text::Text;

/// One value of the expression language.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing: a missing key, an undefined variable.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Any whole number; Java's `int` and `long` are not told apart.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Text),
    /// An ordered list.
    List(Arc<[Value]>),
    /// A map with text keys in insertion order.
    Map(Arc<ValueMap>),
    /// A value that only some methods understand, such as a byte array.
    Object(Arc<dyn Object>),
}

/// A value whose inside the language does not know.
pub trait Object: fmt::Debug + Send + Sync {
    /// Names the type in error messages.
    fn type_name(&self) -> &'static str;

    /// Renders the value as text.
    fn to_text(&self) -> Text;

    /// Returns a property, or `None` if the object has no such property.
    fn property(&self, _name: &str) -> Option<Value> {
        None
    }

    /// Calls a method, or returns `None` if the object has no such method.
    ///
    /// The error text is a lower-case sentence fragment.
    fn call(&self, _method: &str, _arguments: &[Value]) -> Option<Result<Value, String>> {
        None
    }

    /// Returns the bytes if the value is a byte array.
    fn as_bytes(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the value itself if its own methods may look inside.
    fn as_any(&self) -> Option<&dyn std::any::Any> {
        None
    }
}

/// A byte array, as `String.getBytes` and Base64 decoding give it.
#[derive(Debug)]
pub(crate) struct ByteArray(pub(crate) Vec<u8>);

impl Object for ByteArray {
    fn type_name(&self) -> &'static str {
        "byte array"
    }

    fn to_text(&self) -> Text {
        Text::from(String::from_utf8_lossy(&self.0).into_owned())
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

impl Value {
    /// Names the type in error messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Tells whether this is [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the text if this is text; converts nothing.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Builds a list of the given values.
    #[must_use]
    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }
}

/// Numbers are equal by amount (`1 == 1.0`); other types are equal only to their own type.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Integer(left), Self::Integer(right)) => left == right,
            (Self::Integer(_) | Self::Float(_), Self::Integer(_) | Self::Float(_)) => {
                self.to_f64() == other.to_f64()
            }
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::List(left), Self::List(right)) => left == right,
            (Self::Map(left), Self::Map(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => {
                match (left.as_bytes(), right.as_bytes()) {
                    (Some(left), Some(right)) => left == right,
                    _ => Arc::ptr_eq(left, right),
                }
            }
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Integer(value.into())
    }
}

/// Amounts above `i64::MAX` saturate: they come from clocks and lengths, which never reach it.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Text::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Text::from(value))
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Self {
        Self::Text(value)
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(Text::from(value))
    }
}

impl From<Vec<Self>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::List(values.into())
    }
}

impl From<ValueMap> for Value {
    fn from(map: ValueMap) -> Self {
        Self::Map(Arc::new(map))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
