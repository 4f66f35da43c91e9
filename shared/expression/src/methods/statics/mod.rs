//! Static members of Java classes that expressions may use through `T(class)`.

mod codecs;
mod math;
mod numbers;

use std::ops::RangeInclusive;

use super::Outcome;
use super::arguments::{any, bounded, text};
use crate::scope::Ambient;
use crate::value::{Text, Value};

/// A static method or constant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function {
    /// Depends on its arguments alone.
    Pure(fn(&[Value]) -> Outcome),
    /// Reads time or randomness.
    Ambient(fn(&dyn Ambient) -> Value),
}

/// A static member of a class.
pub(crate) struct Static {
    class: &'static str,
    member: &'static str,
    /// Argument counts, or `None` for a constant.
    arguments: Option<RangeInclusive<usize>>,
    function: Function,
}

const fn pure(
    class: &'static str,
    member: &'static str,
    arguments: RangeInclusive<usize>,
    run: fn(&[Value]) -> Outcome,
) -> Static {
    Static {
        class,
        member,
        arguments: Some(arguments),
        function: Function::Pure(run),
    }
}

const fn constant(
    class: &'static str,
    member: &'static str,
    run: fn(&[Value]) -> Outcome,
) -> Static {
    Static {
        class,
        member,
        arguments: None,
        function: Function::Pure(run),
    }
}

const fn ambient(
    class: &'static str,
    member: &'static str,
    run: fn(&dyn Ambient) -> Value,
) -> Static {
    Static {
        class,
        member,
        arguments: Some(0..=0),
        function: Function::Ambient(run),
    }
}

/// Packages of the classes; those of `java.lang` may be named without.
const CLASSES: &[(&str, &str)] = &[
    ("java.lang.", "Boolean"),
    ("java.lang.", "Double"),
    ("java.lang.", "Float"),
    ("java.lang.", "Integer"),
    ("java.lang.", "Long"),
    ("java.lang.", "Math"),
    ("java.lang.", "Short"),
    ("java.lang.", "String"),
    ("java.lang.", "System"),
    ("java.net.", "URLDecoder"),
    ("java.net.", "URLEncoder"),
    ("java.util.", "Base64"),
    ("java.util.", "List"),
    ("java.util.", "Map"),
    ("java.util.", "UUID"),
    ("java.lang.", "Number"),
    ("java.lang.", "Object"),
    ("java.lang.", "CharSequence"),
    ("java.util.", "Collection"),
];

/// Returns the simple name of a class that expressions may name.
pub(crate) fn known_class(name: &str) -> Option<&'static str> {
    CLASSES.iter().find_map(|(package, class)| {
        let is_short = name == *class && *package == "java.lang.";
        (is_short || name.strip_prefix(package) == Some(class)).then_some(*class)
    })
}

/// Finds a static member; `arguments` is `None` for a constant.
pub(crate) fn find_static(class: &str, member: &str, arguments: Option<usize>) -> Option<Function> {
    [OTHERS, math::STATICS, numbers::STATICS, codecs::STATICS]
        .into_iter()
        .flatten()
        .find(|known| {
            known.class == class
                && known.member == member
                && match (&known.arguments, arguments) {
                    (None, None) => true,
                    (Some(range), Some(count)) => range.contains(&count),
                    _ => false,
                }
        })
        .map(|known| known.function)
}

const OTHERS: &[Static] = &[
    pure("String", "valueOf", 1..=1, |args| {
        Ok(any(args, 0)
            .to_text()
            .unwrap_or(Text::constant("null"))
            .into())
    }),
    pure("String", "join", 2..=255, join),
    pure("Boolean", "parseBoolean", 1..=1, parse_boolean),
    pure("Boolean", "valueOf", 1..=1, parse_boolean),
    constant("Boolean", "TRUE", |_args| Ok(true.into())),
    constant("Boolean", "FALSE", |_args| Ok(false.into())),
    ambient("System", "currentTimeMillis", |ambient| {
        ambient.now_ms().into()
    }),
    ambient("System", "nanoTime", |ambient| ambient.nanos().into()),
    ambient("UUID", "randomUUID", random_uuid),
];

fn parse_boolean(args: &[Value]) -> Outcome {
    let text = any(args, 0).to_text().unwrap_or_default();
    Ok(text.eq_ignore_ascii_case("true").into())
}

/// `join(separator, list)` or `join(separator, a, b, …)`
fn join(args: &[Value]) -> Outcome {
    let separator = text(args, 0)?;
    let parts: Vec<Text> = match args.get(1) {
        Some(Value::List(items)) if args.len() == 2 => items.iter().map(or_null).collect(),
        _ => args[1..].iter().map(or_null).collect(),
    };
    bounded(parts.join(separator.as_str()))
}

fn or_null(value: &Value) -> Text {
    value.to_text().unwrap_or(Text::constant("null"))
}

/// Formats 122 random bits as a version 4 UUID (RFC 9562 §5.4).
fn random_uuid(ambient: &dyn Ambient) -> Value {
    let (high, low) = (ambient.random(), ambient.random());
    let high = (high & !0xF000) | 0x4000;
    let low = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
    Value::from(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    ))
}
