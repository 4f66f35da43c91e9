//! Methods of maps: the read-only ones of `java.util.Map`, of map entries and of header maps.

use super::arguments::{any, bounded, text};
use super::{Entry, Outcome, entry};
use crate::error::EvalErrorKind;
use crate::value::{Value, ValueMap};

pub(super) const METHODS: &[Entry<ValueMap>] = &[
    entry("containsAllKeys", 1..=1, |this, args| match any(args, 0) {
        Value::List(keys) => Ok(keys.iter().all(|key| has(this, key)).into()),
        other => Err(EvalErrorKind::WrongType {
            operation: "method 'containsAllKeys'".to_owned(),
            found: other.type_name().to_owned(),
        }),
    }),
    entry("contains", 1..=1, |this, args| {
        Ok(has(this, &any(args, 0)).into())
    }),
    entry("containsKey", 1..=1, |this, args| {
        Ok(has(this, &any(args, 0)).into())
    }),
    entry("containsValue", 1..=1, |this, args| {
        let wanted = any(args, 0);
        Ok(this.iter().any(|(_, value)| *value == wanted).into())
    }),
    entry("entrySet", 0..=0, |this, _args| Ok(entries(this))),
    entry("equals", 1..=1, |this, args| {
        Ok(matches!(any(args, 0), Value::Map(other) if *other == *this).into())
    }),
    entry("get", 1..=1, get),
    entry("getAll", 1..=1, get),
    entry("getFirst", 1..=1, |this, args| {
        Ok(match get(this, args)? {
            Value::List(values) => values.first().cloned().unwrap_or_default(),
            other => other,
        })
    }),
    entry("getKey", 0..=0, |this, _args| {
        Ok(this.get("key").cloned().into())
    }),
    entry("getOrDefault", 2..=2, |this, args| {
        Ok(this
            .get(&text(args, 0)?)
            .cloned()
            .unwrap_or_else(|| any(args, 1)))
    }),
    entry("getValue", 0..=0, |this, _args| {
        Ok(this.get("value").cloned().into())
    }),
    entry("isEmpty", 0..=0, |this, _args| Ok(this.is_empty().into())),
    entry("keySet", 0..=0, |this, _args| {
        Ok(Value::list(this.iter().map(|(key, _)| key.clone().into())))
    }),
    entry("names", 0..=0, |this, _args| {
        Ok(Value::list(this.iter().map(|(key, _)| key.clone().into())))
    }),
    entry("size", 0..=0, |this, _args| Ok(this.len().into())),
    entry("toSingleValueMap", 0..=0, |this, _args| {
        let single = this.iter().map(|(key, value)| match value {
            Value::List(values) => (key.clone(), values.first().cloned().unwrap_or_default()),
            other => (key.clone(), other.clone()),
        });
        Ok(single.collect::<ValueMap>().into())
    }),
    entry("toString", 0..=0, |this, _args| {
        let mut out = String::new();
        Value::from(this.clone()).write_text(&mut out);
        bounded(out)
    }),
    entry("values", 0..=0, |this, _args| {
        Ok(Value::list(this.iter().map(|(_, value)| value.clone())))
    }),
];

/// Returns the entries as maps of `key` and `value`.
pub(crate) fn entries(this: &ValueMap) -> Value {
    Value::list(this.iter().map(|(key, value)| {
        let mut entry = ValueMap::new();
        entry.insert("key", key.clone());
        entry.insert("value", value.clone());
        entry.into()
    }))
}

fn get(this: &ValueMap, args: &[Value]) -> Outcome {
    Ok(this.get(&text(args, 0)?).cloned().into())
}

fn has(this: &ValueMap, key: &Value) -> bool {
    key.to_text().is_some_and(|key| this.get(&key).is_some())
}
