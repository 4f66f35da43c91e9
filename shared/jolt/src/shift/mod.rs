//! `shift`: copies values of the document to where the specification says.

mod write;

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value;

use crate::error::{CompileError, TransformError};
use crate::key::{Key, alternatives};
use crate::limits::Budget;
use crate::path::{Element, Transpose, parse_path, scalar};
use crate::transformation::kind;
use crate::walk::{Level, Matched, Walked};

const NULL: &Value = &Value::Null;

/// A compiled `shift`.
#[derive(Debug)]
pub(crate) struct Shift(Children);

#[derive(Debug, Default)]
struct Children {
    /// `$`, `@` and `#`: work on the value they stand in, and keep nothing else from matching.
    special: Vec<Node>,
    literal: IndexMap<String, Node>,
    computed: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    key: Key,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Paths(Vec<Vec<Element>>),
    Children(Children),
}

impl Shift {
    pub(crate) fn compile(spec: &Value, path: &str) -> Result<Self, CompileError> {
        compile_children(spec, path).map(Self)
    }

    pub(crate) fn apply(
        &self,
        document: &Value,
        budget: &mut Budget,
    ) -> Result<Value, TransformError> {
        let mut walk = Walk {
            levels: Levels(Vec::new()),
            output: Value::Null,
            budget,
        };
        // Two levels stand for the document, as in the reference engine: references count them.
        walk.push(document, Matched::new(Cow::Borrowed("root")));
        walk.push(document, Matched::new(Cow::Borrowed("root")));
        let key = Cow::Borrowed("root");
        walk.special(&self.0, &key, document)?;
        walk.children(&self.0, document)?;
        Ok(walk.output)
    }
}

fn compile_children(spec: &Value, path: &str) -> Result<Children, CompileError> {
    let Value::Object(members) = spec else {
        return Err(CompileError::new(path, kind(spec), "an object"));
    };
    let mut children = Children::default();
    for (text, value) in members {
        let path = format!("{path}.{text}");
        for text in alternatives(text) {
            let key = Key::parse(text)
                .map_err(|expected| CompileError::new(&path, format!("{text:?}"), expected))?;
            let body = compile_body(value, &path)?;
            match key {
                Key::Literal(name) => {
                    let key = Key::Literal(name.clone());
                    children.literal.insert(name, Node { key, body });
                }
                Key::Computed(_) | Key::Stars(_) => children.computed.push(Node { key, body }),
                Key::Dollar(_) | Key::Constant(_) | Key::At | Key::Transpose(_) => {
                    children.special.push(Node { key, body });
                }
            }
        }
    }
    children.computed.sort_by_key(|node| node.key.rank());
    Ok(children)
}

fn compile_body(value: &Value, path: &str) -> Result<Body, CompileError> {
    let paths = match value {
        Value::Object(_) => return compile_children(value, path).map(Body::Children),
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.as_str()],
        Value::Array(texts) => {
            let texts = texts.iter().map(|text| {
                let expected = "a path as text";
                text.as_str()
                    .ok_or_else(|| CompileError::new(path, kind(text), expected))
            });
            texts.collect::<Result<_, _>>()?
        }
        other => {
            let expected = "a path, a list of paths, null or an object";
            return Err(CompileError::new(path, kind(other), expected));
        }
    };
    let paths = paths.into_iter().map(|text| match text.trim() {
        // The whole output.
        "" => Ok(Vec::new()),
        text => parse_path(text)
            .map_err(|expected| CompileError::new(path, format!("{text:?}"), expected)),
    });
    paths.collect::<Result<_, _>>().map(Body::Paths)
}

struct Walk<'a, 'b> {
    levels: Levels<'a>,
    output: Value,
    budget: &'b mut Budget,
}

/// The levels gone down, with their values in the document.
struct Levels<'a>(Vec<(&'a Value, Level<'a>)>);

impl<'a> Levels<'a> {
    fn at(&self, up: usize) -> Option<&(&'a Value, Level<'a>)> {
        let at = self.0.len().checked_sub(up.checked_add(1)?)?;
        self.0.get(at)
    }

    /// Finds a value of the document through a reference.
    fn transposed(&self, transpose: &Transpose) -> Option<&'a Value> {
        let (value, _) = self.at(transpose.up())?;
        transpose.descend(value, self)
    }
}

impl Walked for Levels<'_> {
    fn tree(&self, up: usize) -> Option<&Value> {
        self.at(up).map(|(value, _)| *value)
    }

    fn level(&self, up: usize) -> Option<&Level<'_>> {
        self.at(up).map(|(_, level)| level)
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "a key that is borrowed from the document is kept without a copy"
)]
impl<'a> Walk<'a, '_> {
    fn push(&mut self, value: &'a Value, matched: Matched<'a>) {
        self.levels.0.push((value, Level::new(matched)));
    }

    /// Counts a child of the deepest level that matched.
    fn count(&self) {
        if let Some((_, level)) = self.levels.0.last() {
            level.count.set(level.count.get() + 1);
        }
    }

    fn special(
        &mut self,
        children: &Children,
        key: &Cow<'a, str>,
        value: &'a Value,
    ) -> Result<(), TransformError> {
        for node in &children.special {
            self.apply(node, key, value)?;
        }
        Ok(())
    }

    fn children(&mut self, children: &Children, value: &'a Value) -> Result<(), TransformError> {
        match value {
            Value::Object(members) if children.computed.is_empty() => {
                for (name, node) in &children.literal {
                    if let Some((key, member)) = members.get_key_value(name) {
                        self.apply(node, &Cow::Borrowed(key.as_str()), member)?;
                    }
                }
                Ok(())
            }
            Value::Object(members) => members.iter().try_for_each(|(key, member)| {
                self.child(children, &Cow::Borrowed(key.as_str()), member)
            }),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.child(children, &Cow::Owned(index.to_string()), item)
            }),
            // The value of a scalar is matched like a key.
            scalar_value => match scalar(scalar_value) {
                Some(text) => self.child(children, &Cow::Owned(text), NULL),
                None => Ok(()),
            },
        }
    }

    /// Lets the most specific child that matches have the value.
    fn child(
        &mut self,
        children: &Children,
        key: &Cow<'a, str>,
        value: &'a Value,
    ) -> Result<(), TransformError> {
        if let Some(node) = children.literal.get(&**key) {
            self.apply(node, key, value)?;
            return Ok(());
        }
        for node in &children.computed {
            if self.apply(node, key, value)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells whether the node took the value for itself.
    fn apply(
        &mut self,
        node: &Node,
        key: &Cow<'a, str>,
        value: &'a Value,
    ) -> Result<bool, TransformError> {
        self.budget.step(key.len())?;
        let Some(matched) = node.key.matched(key, &self.levels) else {
            return Ok(false);
        };
        let value = match &node.key {
            Key::Transpose(transpose) => match self.levels.transposed(transpose) {
                Some(found) => found,
                None => return Ok(false),
            },
            _ => value,
        };
        match &node.body {
            Body::Children(children) => {
                self.push(value, matched);
                self.special(children, key, value)?;
                self.children(children, value)?;
                self.levels.0.pop();
                self.count();
                Ok(true)
            }
            Body::Paths(paths) => {
                let text = match node.key {
                    Key::Dollar(_) | Key::Constant(_) => {
                        matched.part(0).map(|text| Value::String(text.to_owned()))
                    }
                    _ => None,
                };
                self.push(value, matched);
                for path in paths {
                    self.write(path, text.as_ref().unwrap_or(value))?;
                }
                self.levels.0.pop();
                let is_own = matches!(node.key, Key::Literal(_) | Key::Computed(_) | Key::Stars(_));
                if is_own {
                    self.count();
                }
                Ok(is_own)
            }
        }
    }

    /// Writes a copy of the value, unless a part of the path is missing.
    fn write(&mut self, path: &[Element], value: &Value) -> Result<(), TransformError> {
        let steps = path.iter().map(|element| element.step(&self.levels));
        let Some(steps) = steps.collect::<Option<Vec<_>>>() else {
            return Ok(());
        };
        let value = self.budget.copy(value)?;
        write::write(&mut self.output, &steps, value, self.budget)
    }
}
