//! Methods of lists: the read-only ones of `java.util.List`.

use super::arguments::{any, bounded, integer, position};
use super::{Entry, Outcome, entry};
use crate::error::EvalErrorKind;
use crate::value::Value;

pub(super) const METHODS: &[Entry<[Value]>] = &[
    entry("contains", 1..=1, |this, args| {
        Ok(this.contains(&any(args, 0)).into())
    }),
    entry("containsAll", 1..=1, |this, args| match any(args, 0) {
        Value::List(wanted) => Ok(wanted.iter().all(|value| this.contains(value)).into()),
        other => Err(EvalErrorKind::WrongType {
            operation: "method 'containsAll'".to_owned(),
            found: other.type_name().to_owned(),
        }),
    }),
    entry("equals", 1..=1, |this, args| {
        Ok(matches!(any(args, 0), Value::List(other) if *other == *this).into())
    }),
    entry("get", 1..=1, |this, args| item(this, integer(args, 0)?)),
    entry("getFirst", 0..=0, |this, _args| item(this, 0)),
    entry("getLast", 0..=0, |this, _args| {
        this.last().cloned().map_or_else(|| item(this, 0), Ok)
    }),
    entry("indexOf", 1..=1, |this, args| {
        let wanted = any(args, 0);
        Ok(index(this.iter().position(|value| *value == wanted)))
    }),
    entry("isEmpty", 0..=0, |this, _args| Ok(this.is_empty().into())),
    entry("lastIndexOf", 1..=1, |this, args| {
        let wanted = any(args, 0);
        Ok(index(this.iter().rposition(|value| *value == wanted)))
    }),
    entry("size", 0..=0, |this, _args| Ok(this.len().into())),
    entry("subList", 2..=2, |this, args| {
        let start = position(integer(args, 0)?, this.len())?;
        let end = position(integer(args, 1)?, this.len())?;
        let part = this.get(start..end).ok_or(EvalErrorKind::OutOfRange {
            index: integer(args, 0)?,
            length: end,
        })?;
        Ok(part.to_vec().into())
    }),
    entry("toString", 0..=0, |this, _args| {
        let mut out = String::from("[");
        for (index, value) in this.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            value.write_text(&mut out);
        }
        out.push(']');
        bounded(out)
    }),
];

/// Returns the element at a position.
pub(crate) fn item(this: &[Value], index: i64) -> Outcome {
    usize::try_from(index)
        .ok()
        .and_then(|position| this.get(position))
        .cloned()
        .ok_or(EvalErrorKind::OutOfRange {
            index,
            length: this.len(),
        })
}

fn index(position: Option<usize>) -> Value {
    position.map_or(Value::Integer(-1), Value::from)
}
