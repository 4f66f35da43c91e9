//! `cardinality`: one value or a list of them.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::{CompileError, TransformError};
use crate::key::{Key, alternatives};
use crate::limits::Budget;
use crate::transformation::kind;
use crate::walk::{Level, Matched, Walked};

/// A compiled `cardinality`.
#[derive(Debug)]
pub(crate) struct Cardinality(Children);

#[derive(Debug)]
struct Children {
    /// What becomes of the value that the children stand in.
    own: Option<Count>,
    /// Names first, then the more specific patterns.
    nodes: Vec<(Key, Node)>,
}

#[derive(Debug)]
enum Node {
    Count(Count),
    Children(Children),
}

#[derive(Clone, Copy, Debug)]
enum Count {
    One,
    Many,
}

impl Cardinality {
    pub(crate) fn compile(spec: &Value, path: &str) -> Result<Self, CompileError> {
        compile_children(spec, path).map(Self)
    }

    pub(crate) fn apply(
        &self,
        mut document: Value,
        budget: &mut Budget,
    ) -> Result<Value, TransformError> {
        let mut walk = Walk {
            levels: vec![Level::new(Matched::new(Cow::Borrowed("root")))],
        };
        walk.children(&mut document, &self.0, budget)?;
        Ok(document)
    }
}

fn compile_children(spec: &Value, path: &str) -> Result<Children, CompileError> {
    let Value::Object(members) = spec else {
        return Err(CompileError::new(path, kind(spec), "an object"));
    };
    let mut children = Children {
        own: None,
        nodes: Vec::with_capacity(members.len()),
    };
    for (text, value) in members {
        let path = format!("{path}.{text}");
        if text == "@" {
            children.own = Some(compile_count(value, &path)?);
            continue;
        }
        for text in alternatives(text) {
            let key = match Key::parse(text) {
                Ok(key @ (Key::Literal(_) | Key::Stars(_) | Key::Computed(_))) => key,
                Ok(_) => {
                    let expected = "a name, with stars or not, or '@'";
                    return Err(CompileError::new(path, format!("{text:?}"), expected));
                }
                Err(expected) => {
                    return Err(CompileError::new(path, format!("{text:?}"), expected));
                }
            };
            let node = match value {
                Value::Object(_) => Node::Children(compile_children(value, &path)?),
                value => Node::Count(compile_count(value, &path)?),
            };
            children.nodes.push((key, node));
        }
    }
    let is_pattern = |key: &Key| !matches!(key, Key::Literal(_));
    children
        .nodes
        .sort_by_key(|(key, _)| (is_pattern(key), is_pattern(key).then(|| key.rank())));
    Ok(children)
}

fn compile_count(value: &Value, path: &str) -> Result<Count, CompileError> {
    match value.as_str() {
        Some("ONE") => Ok(Count::One),
        Some("MANY") => Ok(Count::Many),
        _ => Err(CompileError::new(path, value.to_string(), "ONE or MANY")),
    }
}

struct Walk {
    levels: Vec<Level<'static>>,
}

impl Walked for Walk {
    fn tree(&self, _up: usize) -> Option<&Value> {
        None
    }

    fn level(&self, up: usize) -> Option<&Level<'_>> {
        let at = self.levels.len().checked_sub(up.checked_add(1)?)?;
        self.levels.get(at)
    }
}

impl Walk {
    fn children(
        &mut self,
        value: &mut Value,
        children: &Children,
        budget: &mut Budget,
    ) -> Result<(), TransformError> {
        if let Some(count) = children.own {
            count.apply(value);
        }
        match value {
            Value::Object(members) => members
                .iter_mut()
                .try_for_each(|(key, member)| self.child(key, member, children, budget)),
            Value::Array(items) => items.iter_mut().enumerate().try_for_each(|(index, item)| {
                self.child(&index.to_string(), item, children, budget)
            }),
            _ => Ok(()),
        }
    }

    fn child(
        &mut self,
        key: &str,
        value: &mut Value,
        children: &Children,
        budget: &mut Budget,
    ) -> Result<(), TransformError> {
        let text: Cow<'static, str> = Cow::Owned(key.to_owned());
        for (key, node) in &children.nodes {
            budget.step(text.len())?;
            let Some(matched) = key.matched(&text, self) else {
                continue;
            };
            return match node {
                Node::Count(count) => {
                    count.apply(value);
                    Ok(())
                }
                Node::Children(children) => {
                    self.levels.push(Level::new(matched));
                    let result = self.children(value, children, budget);
                    self.levels.pop();
                    result
                }
            };
        }
        Ok(())
    }
}

impl Count {
    fn apply(self, value: &mut Value) {
        let taken = value.take();
        *value = match (self, taken) {
            (Self::One, Value::Array(items)) => items.into_iter().next().unwrap_or_default(),
            (Self::Many, Value::Null) => Value::Array(Vec::new()),
            (Self::Many, one) if !one.is_array() => Value::Array(vec![one]),
            (_, same) => same,
        };
    }
}
