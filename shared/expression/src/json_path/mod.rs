//! JSONPath in the dialect of the reference engine (Jayway).
//!
//! A definite path gives the value, null if only its last member is missing; an indefinite one
//! (wildcard, slice, union, descent, filter) gives a list of all values it finds.

mod filter;
mod parser;
#[cfg(test)]
mod tests;

use crate::error::{EvalErrorKind, shorten};
use crate::limits::ITEMS_MAX;
use crate::value::{Text, Value, parse_json};

use filter::Filter;

/// Longest path text in bytes.
const SOURCE_BYTES_MAX: usize = 4096;

/// A compiled path.
#[derive(Clone, Debug)]
pub(crate) struct JsonPath {
    source: Text,
    steps: Box<[Step]>,
    is_definite: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Member(Text),
    Index(i64),
    Members(Vec<Text>),
    Indexes(Vec<i64>),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Wildcard,
    /// All values below, themselves included; the next step picks among them.
    Descend,
    Filter(Filter),
    Length,
}

impl JsonPath {
    /// Compiles a path.
    pub(crate) fn compile(source: &str) -> Result<Self, EvalErrorKind> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(EvalErrorKind::Limit("length of JSON path"));
        }
        let steps = parser::parse(source)?;
        let is_definite = steps
            .iter()
            .all(|step| matches!(step, Step::Member(_) | Step::Index(_) | Step::Length));
        Ok(Self {
            source: source.into(),
            steps: steps.into(),
            is_definite,
        })
    }

    /// Reads from JSON text, or from a value that already is a list or map.
    pub(crate) fn read(&self, document: &Value) -> Result<Value, EvalErrorKind> {
        let parsed;
        let root = match document {
            Value::Text(text) => {
                parsed =
                    parse_json(text.as_bytes()).map_err(|error| EvalErrorKind::Unparsable {
                        text: shorten(text.as_str().to_owned()),
                        expected: format!("JSON ({error})"),
                    })?;
                &parsed
            }
            Value::Null => {
                return Err(EvalErrorKind::NullTarget {
                    what: "JSON path".to_owned(),
                });
            }
            other => other,
        };
        if self.is_definite {
            self.definite(root)
        } else {
            let found = walk(&self.steps, root)?;
            Ok(Value::list(found))
        }
    }

    fn definite(&self, root: &Value) -> Result<Value, EvalErrorKind> {
        let mut value = root.clone();
        for (index, step) in self.steps.iter().enumerate() {
            match picked(step, &value) {
                Some(next) => value = next,
                None if index + 1 == self.steps.len() && matches!(value, Value::Map(_)) => {
                    return Ok(Value::Null);
                }
                None => {
                    return Err(EvalErrorKind::NoProperty {
                        name: self.source.as_str().to_owned(),
                        target: "JSON document".to_owned(),
                    });
                }
            }
        }
        Ok(value)
    }
}

/// Takes a step that leads to at most one value.
fn picked(step: &Step, value: &Value) -> Option<Value> {
    match (step, value) {
        (Step::Member(name), Value::Map(map)) => map.get(name).cloned(),
        (Step::Index(index), Value::List(items)) => at(items, *index).cloned(),
        (Step::Length, Value::List(items)) => Some(items.len().into()),
        (Step::Length, Value::Map(map)) => Some(map.len().into()),
        (Step::Length, Value::Text(text)) => Some(text.chars().count().into()),
        _ => None,
    }
}

/// Returns an element by position; a negative one counts from the end.
fn at(items: &[Value], index: i64) -> Option<&Value> {
    let length = i64::try_from(items.len()).ok()?;
    let position = if index < 0 { index + length } else { index };
    items.get(usize::try_from(position).ok()?)
}

/// Follows the steps from `root` and returns all values found, in document order.
fn walk(steps: &[Step], root: &Value) -> Result<Vec<Value>, EvalErrorKind> {
    let mut found = vec![root.clone()];
    for step in steps {
        let mut next = Vec::new();
        for value in &found {
            take(step, value, root, &mut next)?;
            if next.len() > ITEMS_MAX {
                return Err(EvalErrorKind::Limit("values found by JSON path"));
            }
        }
        found = next;
    }
    Ok(found)
}

fn take(
    step: &Step,
    value: &Value,
    root: &Value,
    out: &mut Vec<Value>,
) -> Result<(), EvalErrorKind> {
    match (step, value) {
        (Step::Members(names), Value::Map(map)) => {
            out.extend(names.iter().filter_map(|name| map.get(name).cloned()));
        }
        (Step::Indexes(indexes), Value::List(items)) => {
            out.extend(
                indexes
                    .iter()
                    .filter_map(|index| at(items, *index).cloned()),
            );
        }
        (Step::Slice { start, end, step }, Value::List(items)) => {
            slice(items, *start, *end, *step, out);
        }
        (Step::Wildcard, _) => out.extend(children(value)),
        (Step::Descend, _) => descend(value, out)?,
        (Step::Filter(filter), Value::List(items)) => {
            for item in items.iter() {
                if filter.holds(item, root)? {
                    out.push(item.clone());
                }
            }
        }
        (Step::Filter(filter), Value::Map(_)) if filter.holds(value, root)? => {
            out.push(value.clone());
        }
        (step, value) => out.extend(picked(step, value)),
    }
    Ok(())
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.to_vec(),
        Value::Map(map) => map.iter().map(|(_, value)| value.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Collects a value and all below it; depth is bounded by the JSON parser.
fn descend(value: &Value, out: &mut Vec<Value>) -> Result<(), EvalErrorKind> {
    if out.len() > ITEMS_MAX {
        return Err(EvalErrorKind::Limit("values found by JSON path"));
    }
    out.push(value.clone());
    for child in children(value) {
        descend(&child, out)?;
    }
    Ok(())
}

fn slice(items: &[Value], start: Option<i64>, end: Option<i64>, step: i64, out: &mut Vec<Value>) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let bound = |index: i64| {
        let index = if index < 0 {
            index.saturating_add(length)
        } else {
            index
        };
        usize::try_from(index.clamp(0, length)).unwrap_or(0)
    };
    let (start, end) = (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)));
    let step = usize::try_from(step).unwrap_or(1).max(1);
    if start < end {
        out.extend(items[start..end].iter().step_by(step).cloned());
    }
}
