//! Functions of lists.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use super::functions::many;

type Arguments<'a> = [Cow<'a, Value>];

/// Returns the elements of a list given alone, or the arguments given.
fn elements<'a>(arguments: &'a Arguments<'_>) -> Option<Vec<&'a Value>> {
    match arguments {
        [] => None,
        [one] if !one.is_array() => None,
        _ => Some(many(arguments)),
    }
}

pub(super) fn first(arguments: &Arguments<'_>) -> Option<Value> {
    elements(arguments)?.first().map(|value| (*value).clone())
}

pub(super) fn last(arguments: &Arguments<'_>) -> Option<Value> {
    elements(arguments)?.last().map(|value| (*value).clone())
}

/// `elementAt(index, list)`, or `elementAt(list, index)` as it is written as well.
pub(super) fn element_at(arguments: &Arguments<'_>) -> Option<Value> {
    let (index, list) = match arguments {
        [index, list] if index.is_u64() && list.is_array() => (index, list),
        [list, index] if index.is_u64() && list.is_array() => (index, list),
        [index, rest @ ..] => {
            let index = usize::try_from(index.as_u64()?).ok()?;
            return rest.get(index).map(|value| value.clone().into_owned());
        }
        [] => return None,
    };
    let index = usize::try_from(index.as_u64()?).ok()?;
    list.as_array()?.get(index).cloned()
}

pub(super) fn to_list(arguments: &Arguments<'_>) -> Option<Value> {
    match arguments {
        [] => None,
        arguments => Some(many(arguments).into_iter().cloned().collect()),
    }
}

/// Sorts numbers by amount and texts by their characters; a mixed list stays as it is.
pub(super) fn sort(arguments: &Arguments<'_>) -> Option<Value> {
    let mut values: Vec<Value> = elements(arguments)?.into_iter().cloned().collect();
    let are_numbers = values.iter().all(Value::is_number);
    if !are_numbers && !values.iter().all(Value::is_string) {
        return None;
    }
    values.sort_by(|left, right| match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ => {
            let order = left.as_f64().partial_cmp(&right.as_f64());
            order.unwrap_or(Ordering::Equal)
        }
    });
    Some(Value::Array(values))
}

/// Keeps the first of equal elements.
pub(super) fn squash_duplicates(arguments: &Arguments<'_>) -> Option<Value> {
    let [one] = arguments else {
        return None;
    };
    let mut seen = HashSet::new();
    let items = one.as_array()?.iter();
    Some(
        items
            .filter(|item| seen.insert((*item).clone()))
            .cloned()
            .collect(),
    )
}
