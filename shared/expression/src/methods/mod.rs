//! The Java methods that expressions may call: everything else is refused when compiling.
//!
//! One table per receiver type. A name is resolved once; which entry runs is decided by the value met.

mod arguments;
mod list;
mod map;
mod scalar;
mod statics;
mod text;

use crate::error::EvalErrorKind;
use crate::value::{Object, Text, Value, ValueMap};

pub(crate) use arguments::{compile_regex, matches_whole};
pub(crate) use list::item;
pub(crate) use map::entries;
pub(crate) use statics::{Function, find_static, known_class};
pub(crate) use text::char_at;

/// What a method or operator gives; the evaluator adds the place to a failure.
pub(crate) type Outcome = Result<Value, EvalErrorKind>;

/// A method of one receiver type.
#[derive(Debug)]
pub(crate) struct Entry<R: ?Sized> {
    name: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    run: fn(&R, &[Value]) -> Outcome,
}

const fn entry<R: ?Sized>(
    name: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    run: fn(&R, &[Value]) -> Outcome,
) -> Entry<R> {
    Entry {
        name,
        arguments,
        run,
    }
}

/// The entries that a method name and argument count stand for.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    name: Box<str>,
    text: Option<&'static Entry<Text>>,
    list: Option<&'static Entry<[Value]>>,
    map: Option<&'static Entry<ValueMap>>,
    scalar: Option<&'static Entry<Value>>,
}

/// Why a method name cannot be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// No type has a method of this name.
    Name,
    /// No method of this name takes so many arguments.
    ArgumentCount,
}

/// Methods that only objects have: encoders and decoders, and stores of secrets with a path and a key.
const OBJECT_METHODS: &[(&str, usize)] = &[
    ("get", 2),
    ("encodeToString", 1),
    ("encode", 1),
    ("decode", 1),
    ("withoutPadding", 0),
];

impl Method {
    /// Resolves a name for a number of arguments.
    pub(crate) fn resolve(name: &str, arguments: usize) -> Result<Self, Unresolved> {
        let method = Self {
            name: name.into(),
            text: pick(text::METHODS, name, arguments),
            list: pick(list::METHODS, name, arguments),
            map: pick(map::METHODS, name, arguments),
            scalar: pick(scalar::METHODS, name, arguments),
        };
        let of_object = OBJECT_METHODS.iter().find(|(known, _)| *known == name);
        let is_resolved = method.text.is_some()
            || method.list.is_some()
            || method.map.is_some()
            || method.scalar.is_some()
            || of_object.is_some_and(|(_, count)| *count == arguments);
        if is_resolved {
            return Ok(method);
        }
        let is_known = of_object.is_some()
            || text::METHODS.iter().any(|entry| entry.name == name)
            || list::METHODS.iter().any(|entry| entry.name == name)
            || map::METHODS.iter().any(|entry| entry.name == name)
            || scalar::METHODS.iter().any(|entry| entry.name == name);
        Err(if is_known {
            Unresolved::ArgumentCount
        } else {
            Unresolved::Name
        })
    }

    /// Tells whether the first argument is a regular expression, unless it was compiled before.
    pub(crate) fn compiles_pattern(&self, arguments: &[Value]) -> bool {
        self.takes_pattern() && matches!(arguments.first(), Some(Value::Text(_)))
    }

    /// Compiles a pattern argument that is known before evaluation.
    pub(crate) fn compile_pattern(&self, source: &str) -> Option<Outcome> {
        let compile = if *self.name == *"matches" {
            matches_whole
        } else {
            compile_regex
        };
        self.takes_pattern()
            .then(|| Ok(object(arguments::CompiledPattern(compile(source)?))))
    }

    fn takes_pattern(&self) -> bool {
        matches!(
            &*self.name,
            "matches" | "replaceAll" | "replaceFirst" | "split"
        )
    }

    /// Calls the method on a value that is not null.
    pub(crate) fn call(&self, target: &Value, arguments: &[Value]) -> Outcome {
        let result = match target {
            Value::Text(text) => self.text.map(|entry| (entry.run)(text, arguments)),
            Value::List(list) => self.list.map(|entry| (entry.run)(list, arguments)),
            Value::Map(map) => self.map.map(|entry| (entry.run)(map, arguments)),
            Value::Object(object) => object
                .call(&self.name, arguments)
                .map(|result| result.map_err(EvalErrorKind::Method)),
            Value::Null => None,
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                self.scalar.map(|entry| (entry.run)(target, arguments))
            }
        };
        result.unwrap_or_else(|| {
            Err(EvalErrorKind::WrongType {
                operation: format!("method '{}'", self.name),
                found: target.type_name().to_owned(),
            })
        })
    }

    /// Returns the name as written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn pick<R: ?Sized>(
    table: &'static [Entry<R>],
    name: &str,
    arguments: usize,
) -> Option<&'static Entry<R>> {
    table
        .iter()
        .find(|entry| entry.name == name && entry.arguments.contains(&arguments))
}

/// Wraps an object of the language.
fn object(object: impl Object + 'static) -> Value {
    Value::Object(std::sync::Arc::new(object))
}
