//! `sort`: members in the order of their names, those that begin with `~` first.

use serde_json::{Map, Value};

pub(crate) fn sort(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(left, _), (right, _)| {
                let rank = |key: &str| !key.starts_with('~');
                (rank(left), left).cmp(&(rank(right), right))
            });
            let sorted = members.into_iter().map(|(key, value)| (key, sort(value)));
            Value::Object(sorted.collect::<Map<_, _>>())
        }
        scalar => scalar,
    }
}
