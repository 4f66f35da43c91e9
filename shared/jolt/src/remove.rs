//! `remove`: takes members and elements out.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::{CompileError, TransformError};
use crate::key::{Key, alternatives};
use crate::limits::Budget;
use crate::transformation::kind;
use crate::walk::{Level, Walked};

/// A compiled `remove`.
#[derive(Debug)]
pub(crate) struct Remove(Vec<Node>);

#[derive(Debug)]
struct Node {
    keys: Vec<Key>,
    /// What is removed below; none means the whole.
    children: Option<Vec<Node>>,
}

impl Remove {
    pub(crate) fn compile(spec: &Value, path: &str) -> Result<Self, CompileError> {
        compile_nodes(spec, path).map(Self)
    }

    pub(crate) fn apply(
        &self,
        mut document: Value,
        budget: &mut Budget,
    ) -> Result<Value, TransformError> {
        remove(&mut document, &self.0, budget)?;
        Ok(document)
    }
}

fn compile_nodes(spec: &Value, path: &str) -> Result<Vec<Node>, CompileError> {
    let Value::Object(members) = spec else {
        return Err(CompileError::new(path, kind(spec), "an object"));
    };
    let mut nodes = Vec::with_capacity(members.len());
    for (text, value) in members {
        let path = format!("{path}.{text}");
        let keys = alternatives(text)
            .into_iter()
            .map(|text| match Key::parse(text) {
                Ok(key @ (Key::Literal(_) | Key::Stars(_))) => Ok(key),
                Ok(_) => Err("a name, with stars or not".to_owned()),
                Err(expected) => Err(expected),
            });
        let keys = keys.collect::<Result<_, _>>();
        let keys =
            keys.map_err(|expected| CompileError::new(&path, format!("{text:?}"), expected))?;
        let children = match value {
            Value::Object(_) => Some(compile_nodes(value, &path)?),
            Value::String(text) if text.is_empty() => None,
            other => {
                let expected = "an object, or \"\" for what is removed";
                return Err(CompileError::new(path, kind(other), expected));
            }
        };
        nodes.push(Node { keys, children });
    }
    Ok(nodes)
}

/// Names and stars refer to nothing.
struct Nowhere;

impl Walked for Nowhere {
    fn tree(&self, _up: usize) -> Option<&Value> {
        None
    }

    fn level(&self, _up: usize) -> Option<&Level<'_>> {
        None
    }
}

impl Node {
    fn matches(&self, key: &str) -> bool {
        let key = Cow::Borrowed(key);
        self.keys
            .iter()
            .any(|known| known.matched(&key, &Nowhere).is_some())
    }

    /// Tells whether a child stays; takes out of it what is removed below.
    fn keeps(
        &self,
        key: &str,
        value: &mut Value,
        budget: &mut Budget,
    ) -> Result<bool, TransformError> {
        budget.step(key.len())?;
        if !self.matches(key) {
            return Ok(true);
        }
        match &self.children {
            None => Ok(false),
            Some(children) => {
                remove(value, children, budget)?;
                Ok(true)
            }
        }
    }
}

fn remove(value: &mut Value, nodes: &[Node], budget: &mut Budget) -> Result<(), TransformError> {
    let mut result = Ok(());
    let mut keeps = |key: &str, child: &mut Value| {
        nodes
            .iter()
            .all(|node| match node.keeps(key, child, budget) {
                Ok(keeps) => keeps,
                Err(error) => {
                    result = Err(error);
                    true
                }
            })
    };
    match value {
        Value::Object(members) => members.retain(|key, member| keeps(key, member)),
        Value::Array(items) => {
            let mut index = 0;
            items.retain_mut(|item| {
                index += 1;
                keeps(&(index - 1).to_string(), item)
            });
        }
        _ => {}
    }
    result
}
