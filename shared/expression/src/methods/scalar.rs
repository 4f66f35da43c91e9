//! Methods of numbers and booleans: those of `java.lang.Number`, its kinds, and `Boolean`.

use std::cmp::Ordering;

use super::arguments::any;
use super::{Entry, Outcome, entry};
use crate::error::EvalErrorKind;
use crate::program::compare;
use crate::value::Value;

pub(super) const METHODS: &[Entry<Value>] = &[
    entry("booleanValue", 0..=0, |this, _args| match this {
        Value::Bool(value) => Ok((*value).into()),
        other => Err(wrong("booleanValue", other)),
    }),
    entry("compareTo", 1..=1, |this, args| {
        Ok(match compare(this, &any(args, 0))? {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
        .into())
    }),
    entry("doubleValue", 0..=0, |this, _args| float(this)),
    entry("equals", 1..=1, |this, args| {
        Ok((*this == any(args, 0)).into())
    }),
    entry("floatValue", 0..=0, |this, _args| float(this)),
    entry("hashCode", 0..=0, |this, _args| match this {
        Value::Bool(value) => Ok(if *value { 1231 } else { 1237 }.into()),
        Value::Integer(value) => Ok((value ^ (value >> 32)).into()),
        other => Err(wrong("hashCode", other)),
    }),
    entry("intValue", 0..=0, |this, _args| whole(this)),
    entry("isInfinite", 0..=0, |this, _args| {
        Ok(this.to_f64().is_some_and(f64::is_infinite).into())
    }),
    entry("isNaN", 0..=0, |this, _args| {
        Ok(this.to_f64().is_some_and(f64::is_nan).into())
    }),
    entry("longValue", 0..=0, |this, _args| whole(this)),
    entry("toString", 0..=0, |this, _args| Ok(this.to_text().into())),
];

/// Cuts the fraction off, as a Java cast does; values outside of 64 bits saturate.
fn whole(this: &Value) -> Outcome {
    match this {
        Value::Integer(value) => Ok((*value).into()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a Java narrowing conversion"
        )]
        Value::Float(value) => Ok((*value as i64).into()),
        other => Err(wrong("longValue", other)),
    }
}

fn float(this: &Value) -> Outcome {
    match this {
        Value::Integer(_) | Value::Float(_) => Ok(this.to_f64().into()),
        other => Err(wrong("doubleValue", other)),
    }
}

fn wrong(method: &str, found: &Value) -> EvalErrorKind {
    EvalErrorKind::WrongType {
        operation: format!("method '{method}'"),
        found: found.type_name().to_owned(),
    }
}
