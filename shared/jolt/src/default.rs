//! `default`: adds what is missing or null.

use serde_json::{Map, Value};

use crate::error::{CompileError, TransformError};
use crate::key::alternatives;
use crate::limits::{Budget, INDEX_MAX};
use crate::path::unescaped;
use crate::transformation::kind;

/// A compiled `default`.
#[derive(Debug)]
pub(crate) struct Default(Container);

/// What a container gets. An array is marked by `[]` behind its key.
#[derive(Debug)]
struct Container {
    is_array: bool,
    /// Literal names first, then alternatives, then the star.
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    keys: Keys,
    filling: Filling,
}

#[derive(Debug)]
enum Keys {
    Literal(String),
    /// Those of the names that exist.
    Existing(Vec<String>),
    /// Every one that exists.
    Star,
}

#[derive(Debug)]
enum Filling {
    Value(Value),
    Container(Container),
}

impl Default {
    pub(crate) fn compile(spec: &Value, path: &str) -> Result<Self, CompileError> {
        let has_positions = spec.as_object().is_some_and(|members| {
            !members.is_empty() && members.keys().all(|key| key == "*" || is_position(key))
        });
        let children = compile_children(spec, has_positions, path)?;
        Ok(Self(Container {
            is_array: has_positions,
            children,
        }))
    }

    pub(crate) fn apply(
        &self,
        document: Value,
        budget: &mut Budget,
    ) -> Result<Value, TransformError> {
        let mut document = match document {
            Value::Null => Value::Object(Map::new()),
            Value::Array(_) if !self.0.is_array => return Err(TransformError::DefaultOfArray),
            document => document,
        };
        fill(&mut document, &self.0, budget)?;
        Ok(document)
    }
}

fn is_position(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

fn compile_children(spec: &Value, is_array: bool, path: &str) -> Result<Vec<Child>, CompileError> {
    let Value::Object(members) = spec else {
        return Err(CompileError::new(path, kind(spec), "an object"));
    };
    let mut children = Vec::with_capacity(members.len());
    for (text, value) in members {
        let path = format!("{path}.{text}");
        let (text, fills_array) = match text.strip_suffix("[]") {
            Some(text) => (text, true),
            None => (text.as_str(), false),
        };
        let names: Vec<String> = alternatives(text).into_iter().map(unescaped).collect();
        for name in &names {
            let position = name.parse::<usize>();
            if is_array && name != "*" && !position.is_ok_and(|index| index <= INDEX_MAX) {
                let expected = format!("a position up to {INDEX_MAX}, or '*'");
                return Err(CompileError::new(path, format!("{name:?}"), expected));
            }
        }
        let keys = match names.as_slice() {
            [star] if star == "*" => Keys::Star,
            [name] => Keys::Literal(name.clone()),
            _ => Keys::Existing(names),
        };
        let filling = match value {
            Value::Object(_) => Filling::Container(Container {
                is_array: fills_array,
                children: compile_children(value, fills_array, &path)?,
            }),
            value => Filling::Value(value.clone()),
        };
        children.push(Child { keys, filling });
    }
    children.sort_by_key(|child| match child.keys {
        Keys::Literal(_) => 0,
        Keys::Existing(_) => 1,
        Keys::Star => 2,
    });
    Ok(children)
}

fn fill(
    value: &mut Value,
    container: &Container,
    budget: &mut Budget,
) -> Result<(), TransformError> {
    match value {
        Value::Object(members) if !container.is_array => {
            for child in &container.children {
                let keys: Vec<String> = match &child.keys {
                    Keys::Literal(name) => vec![name.clone()],
                    Keys::Existing(names) => {
                        let existing = names.iter().filter(|name| members.contains_key(*name));
                        existing.cloned().collect()
                    }
                    Keys::Star => members.keys().cloned().collect(),
                };
                for key in keys {
                    budget.step(key.len())?;
                    let member = members.entry(key).or_insert(Value::Null);
                    fill_child(member, &child.filling, budget)?;
                }
            }
            Ok(())
        }
        Value::Array(items) if container.is_array => fill_array(items, container, budget),
        // The document wins where it has another kind of container.
        _ => Ok(()),
    }
}

fn fill_array(
    items: &mut Vec<Value>,
    container: &Container,
    budget: &mut Budget,
) -> Result<(), TransformError> {
    let positions = |keys: &Keys| -> Vec<usize> {
        let parsed = |name: &String| name.parse().ok();
        match keys {
            Keys::Literal(name) => parsed(name).into_iter().collect(),
            Keys::Existing(names) => names.iter().filter_map(parsed).collect(),
            Keys::Star => Vec::new(),
        }
    };
    let length = container.children.iter();
    let length = length.flat_map(|child| positions(&child.keys)).max();
    while items.len() < length.map_or(0, |last| last + 1) {
        budget.step(0)?;
        items.push(Value::Null);
    }
    for child in &container.children {
        let positions = match &child.keys {
            Keys::Star => (0..items.len()).collect(),
            keys => positions(keys),
        };
        for position in positions {
            budget.step(0)?;
            if let Some(item) = items.get_mut(position) {
                fill_child(item, &child.filling, budget)?;
            }
        }
    }
    Ok(())
}

fn fill_child(
    value: &mut Value,
    filling: &Filling,
    budget: &mut Budget,
) -> Result<(), TransformError> {
    match filling {
        Filling::Value(default) => {
            if value.is_null() {
                *value = budget.copy(default)?;
            }
            Ok(())
        }
        Filling::Container(container) => {
            if value.is_null() {
                *value = if container.is_array {
                    Value::Array(Vec::new())
                } else {
                    Value::Object(Map::new())
                };
            }
            fill(value, container, budget)
        }
    }
}
