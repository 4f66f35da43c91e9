//! `modify-…-beta`: computes values in place.

mod argument;
mod functions;
mod lists;
mod numbers;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::{CompileError, TransformError};
use crate::key::{Key, alternatives};
use crate::limits::{Budget, INDEX_MAX};
use crate::path::Step;
use crate::transformation::kind;
use crate::walk::{Level, Matched, Walked};

use argument::Expression;

/// Which values are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All.
    Overwrite,
    /// Those that are missing or null.
    Default,
    /// Those that are missing.
    Define,
}

/// A compiled `modify`.
#[derive(Debug)]
pub(crate) struct Modify(Children);

#[derive(Debug)]
struct Children {
    container: ContainerKind,
    literal: Vec<(Step, Node)>,
    patterns: Vec<(Key, Node)>,
}

/// What a missing value becomes that has children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContainerKind {
    Object,
    Array,
    /// Only stars: what is missing stays missing.
    Any,
}

#[derive(Debug)]
struct Node {
    mode: Mode,
    /// Whether a missing value stays missing (`?` before the key).
    only_existing: bool,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The first one that gives a value counts.
    Expressions(Vec<Expression>),
    Children(Children),
}

impl Modify {
    pub(crate) fn compile(spec: &Value, mode: Mode, path: &str) -> Result<Self, CompileError> {
        compile_children(spec, mode, path).map(Self)
    }

    pub(crate) fn apply(
        &self,
        document: Value,
        budget: &mut Budget,
    ) -> Result<Value, TransformError> {
        let root = || Level::new(Matched::new(Cow::Borrowed("root")));
        let mut walk = Walk {
            document,
            steps: Vec::new(),
            levels: vec![(0, root()), (0, root())],
            budget,
        };
        walk.children(&self.0)?;
        Ok(walk.document)
    }
}

fn compile_children(spec: &Value, mode: Mode, path: &str) -> Result<Children, CompileError> {
    let Value::Object(members) = spec else {
        return Err(CompileError::new(path, kind(spec), "an object"));
    };
    let mut children = Children {
        container: ContainerKind::Any,
        literal: Vec::new(),
        patterns: Vec::new(),
    };
    for (text, value) in members {
        let path = format!("{path}.{text}");
        let (text, mode, only_existing) = directives(text, mode);
        for text in alternatives(text) {
            let body = match value {
                Value::Object(_) => Body::Children(compile_children(value, mode, &path)?),
                value => Body::Expressions(compile_expressions(value, &path)?),
            };
            let node = Node {
                mode,
                only_existing,
                body,
            };
            let refused = |expected: &str| CompileError::new(&path, format!("{text:?}"), expected);
            if let Some(position) = text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'))
            {
                children.container = ContainerKind::Array;
                if position == "*" {
                    let key = Key::parse("*").map_err(|error| refused(&error))?;
                    children.patterns.push((key, node));
                    continue;
                }
                let index = position.parse().ok().filter(|index| *index <= INDEX_MAX);
                let index = index.ok_or_else(|| refused("a position in brackets"))?;
                children.literal.push((Step::Index(index), node));
                continue;
            }
            match Key::parse(text).map_err(|error| refused(&error))? {
                Key::Literal(name) => {
                    if children.container == ContainerKind::Any {
                        children.container = ContainerKind::Object;
                    }
                    children.literal.push((Step::Key(name), node));
                }
                key @ (Key::Stars(_) | Key::Computed(_)) => children.patterns.push((key, node)),
                _ => return Err(refused("a name, with stars or not, or a position")),
            }
        }
    }
    children.patterns.sort_by_key(|(key, _)| key.rank());
    Ok(children)
}

/// Takes the marks before a key: its own mode (`+`, `~`, `_`), and `?` for existing values alone.
fn directives(mut text: &str, mut mode: Mode) -> (&str, Mode, bool) {
    let mut only_existing = false;
    while text.len() > 1 {
        match text.as_bytes()[0] {
            b'+' => mode = Mode::Overwrite,
            b'~' => mode = Mode::Default,
            b'_' => mode = Mode::Define,
            b'?' => only_existing = true,
            _ => break,
        }
        text = &text[1..];
    }
    (text, mode, only_existing)
}

fn compile_expressions(value: &Value, path: &str) -> Result<Vec<Expression>, CompileError> {
    let parse = |value: &Value| {
        Expression::parse(value)
            .map_err(|expected| CompileError::new(path, value.to_string(), expected))
    };
    match value {
        Value::Array(values) => values.iter().map(parse).collect(),
        value => Ok(vec![parse(value)?]),
    }
}

/// A walk through a document that changes: levels are known by how many steps lead to them.
struct Walk<'b> {
    document: Value,
    steps: Vec<Step>,
    levels: Vec<(usize, Level<'static>)>,
    budget: &'b mut Budget,
}

impl Walked for Walk<'_> {
    fn tree(&self, up: usize) -> Option<&Value> {
        let at = self.levels.len().checked_sub(up.checked_add(1)?)?;
        let (steps, _) = self.levels.get(at)?;
        self.value_at(*steps)
    }

    fn level(&self, up: usize) -> Option<&Level<'_>> {
        let at = self.levels.len().checked_sub(up.checked_add(1)?)?;
        self.levels.get(at).map(|(_, level)| level)
    }
}

impl Walk<'_> {
    fn value_at(&self, steps: usize) -> Option<&Value> {
        let mut value = &self.document;
        for step in self.steps.get(..steps)? {
            value = match step {
                Step::Key(key) => value.as_object()?.get(key)?,
                Step::Index(index) => value.as_array()?.get(*index)?,
                Step::Append => return None,
            };
        }
        Some(value)
    }

    /// Returns the place that all steps lead to, made if it is missing.
    fn place(&mut self) -> Result<Option<&mut Value>, TransformError> {
        let mut value = &mut self.document;
        for step in &self.steps {
            value = match (step, value) {
                (Step::Key(key), Value::Object(members)) => {
                    members.entry(key.as_str()).or_insert(Value::Null)
                }
                (Step::Index(index), Value::Array(items)) => {
                    while items.len() <= *index {
                        self.budget.step(0)?;
                        items.push(Value::Null);
                    }
                    &mut items[*index]
                }
                _ => return Ok(None),
            };
        }
        Ok(Some(value))
    }

    /// Applies the children to the value that the steps lead to.
    fn children(&mut self, children: &Children) -> Result<(), TransformError> {
        let existing: Vec<Step> = match self.value_at(self.steps.len()) {
            Some(Value::Object(members)) if children.container != ContainerKind::Array => {
                members.keys().cloned().map(Step::Key).collect()
            }
            Some(Value::Array(items)) if children.container != ContainerKind::Object => {
                (0..items.len()).map(Step::Index).collect()
            }
            _ => return Ok(()),
        };
        for (step, node) in &children.literal {
            let matched = Matched::new(Cow::Owned(name(step)));
            self.node(step.clone(), matched, node)?;
        }
        if children.patterns.is_empty() {
            return Ok(());
        }
        for step in existing {
            self.budget.step(0)?;
            if children.literal.iter().any(|(known, _)| *known == step) {
                continue;
            }
            let key = Cow::Owned(name(&step));
            let found = children
                .patterns
                .iter()
                .find_map(|(pattern, node)| Some((pattern.matched(&key, self)?, node)));
            if let Some((matched, node)) = found {
                self.node(step, matched, node)?;
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        step: Step,
        matched: Matched<'static>,
        node: &Node,
    ) -> Result<(), TransformError> {
        self.budget.step(0)?;
        self.steps.push(step);
        self.levels.push((self.steps.len(), Level::new(matched)));
        let result = match &node.body {
            Body::Children(children) => self.container(node, children),
            Body::Expressions(expressions) => self.leaf(node, expressions),
        };
        self.steps.pop();
        self.levels.pop();
        result
    }

    fn container(&mut self, node: &Node, children: &Children) -> Result<(), TransformError> {
        let current = self.value_at(self.steps.len());
        if current.is_none_or(Value::is_null) {
            let empty = match children.container {
                ContainerKind::Object => Value::Object(Map::new()),
                ContainerKind::Array => Value::Array(Vec::new()),
                ContainerKind::Any => return Ok(()),
            };
            if !node.applies(current) {
                return Ok(());
            }
            if let Some(place) = self.place()? {
                *place = empty;
            }
        }
        self.children(children)
    }

    fn leaf(&mut self, node: &Node, expressions: &[Expression]) -> Result<(), TransformError> {
        if !node.applies(self.value_at(self.steps.len())) {
            return Ok(());
        }
        for expression in expressions {
            // Evaluating borrows the walk, so the budget is taken out of it meanwhile.
            let mut work = std::mem::replace(self.budget, Budget::new());
            let value = expression.evaluate(self, &mut work);
            *self.budget = work;
            if let Some(value) = value? {
                if let Some(place) = self.place()? {
                    *place = value;
                }
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Node {
    fn applies(&self, current: Option<&Value>) -> bool {
        match (self.mode, current) {
            (_, None) => !self.only_existing,
            (Mode::Overwrite, Some(_)) | (Mode::Default, Some(Value::Null)) => true,
            (Mode::Default | Mode::Define, Some(_)) => false,
        }
    }
}

fn name(step: &Step) -> String {
    match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
        Step::Append => String::new(),
    }
}
