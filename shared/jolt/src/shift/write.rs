//! Writing into the output: what is missing is made, what is occupied becomes a list.

use serde_json::{Map, Value};

use crate::error::TransformError;
use crate::limits::{Budget, INDEX_MAX};
use crate::path::Step;

/// Writes `value` at a path; a path through a value of another kind writes nothing.
pub(super) fn write(
    output: &mut Value,
    steps: &[Step],
    value: Value,
    budget: &mut Budget,
) -> Result<(), TransformError> {
    let mut place = output;
    for step in steps {
        budget.step(0)?;
        if place.is_null() {
            *place = match step {
                Step::Key(_) => Value::Object(Map::new()),
                Step::Index(_) | Step::Append => Value::Array(Vec::new()),
            };
        }
        place = match (step, place) {
            (Step::Key(key), Value::Object(members)) => {
                budget.step(key.len())?;
                members.entry(key.as_str()).or_insert(Value::Null)
            }
            (Step::Append, Value::Array(items)) => {
                items.push(Value::Null);
                let last = items.len() - 1;
                &mut items[last]
            }
            (Step::Index(index), Value::Array(items)) => {
                if *index > INDEX_MAX {
                    return Err(TransformError::Index);
                }
                while items.len() <= *index {
                    budget.step(0)?;
                    items.push(Value::Null);
                }
                &mut items[*index]
            }
            _ => return Ok(()),
        };
    }
    match place {
        Value::Null => *place = value,
        Value::Array(items) => items.push(value),
        occupied => {
            let first = occupied.take();
            *occupied = Value::Array(vec![first, value]);
        }
    }
    Ok(())
}
