//! Runs a program, bounded in steps and sizes.

use std::sync::Arc;

use super::Program;
use super::node::{Kind, Node, PathSource, Pattern, Step, Steps};
use super::operators::{apply, negate};
use crate::error::{EvalError, EvalErrorKind};
use crate::json_path::JsonPath;
use crate::limits::{STEPS_MAX, TEXT_BYTES_MAX};
use crate::methods::{Function, entries, matches_whole};
use crate::scope::{Ambient, Key, Lookup, Scope, Segment};
use crate::syntax::{BinaryOp, Which};
use crate::value::{Text, Value, ValueMap};

/// Evaluates programs against one scope, with one budget for all of them.
pub(crate) struct Machine<'s> {
    scope: &'s dyn Scope,
    steps_left: u32,
    elements: Vec<Value>,
}

/// Steps that compiling a pattern while evaluating costs.
const PATTERN_STEPS: u32 = 1000;

type Evaluated = Result<Value, EvalError>;

impl<'s> Machine<'s> {
    pub(crate) fn new(scope: &'s dyn Scope) -> Self {
        Self {
            scope,
            steps_left: STEPS_MAX,
            elements: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, program: &Program) -> Evaluated {
        self.elements.clear();
        self.eval(&program.root)
    }

    pub(super) fn eval(&mut self, node: &Node) -> Evaluated {
        self.spend(node.at, 1)?;
        let at = node.at;
        match &node.kind {
            Kind::Constant(value) => Ok(value.clone()),
            Kind::Path { variable, steps } => self.path(at, variable, steps),
            Kind::This => Ok(self.elements.last().cloned().unwrap_or_default()),
            Kind::Property {
                target,
                key,
                is_safe,
            } => match self.eval(target)? {
                Value::Null if *is_safe => Ok(Value::Null),
                target => property(&target, key).map_err(place(at)),
            },
            Kind::Index { target, index } => {
                let target = self.eval(target)?;
                let index = self.eval(index)?;
                element(&target, &index).map_err(place(at))
            }
            Kind::Call {
                target,
                method,
                arguments,
                is_safe,
            } => {
                let target = self.eval(target)?;
                if target.is_null() && *is_safe {
                    return Ok(Value::Null);
                }
                if target.is_null() {
                    return Err(place(at)(of_null(format!("method '{}'", method.name()))));
                }
                let arguments = self.all(arguments)?;
                self.spend(at, cost(&target))?;
                if method.compiles_pattern(&arguments) {
                    self.spend(at, PATTERN_STEPS)?;
                }
                method.call(&target, &arguments).map_err(place(at))
            }
            Kind::Static {
                function,
                arguments,
            } => match function {
                Function::Pure(run) => run(&self.all(arguments)?).map_err(place(at)),
                Function::Ambient(run) => Ok(run(self.scope.ambient())),
            },
            Kind::Matches { left, pattern } => self.matches(at, left, pattern),
            Kind::Binary { op, left, right } => self.binary(at, *op, left, right),
            Kind::Select {
                target,
                which,
                predicate,
            } => self.select(at, target, *which, predicate),
            Kind::Project { target, body } => self.project(at, target, body),
            _ => self.eval_rest(node),
        }
    }

    /// The kinds that need little; apart to keep the frames of the recursion small.
    fn eval_rest(&mut self, node: &Node) -> Evaluated {
        let at = node.at;
        match &node.kind {
            Kind::JsonPath { document, path } => self.json_path(at, document, path),
            Kind::XmlEscape(text) => {
                let text = self.eval(text)?.to_text();
                text.map_or(Ok(Value::Null), |text| xml_escape(&text).map_err(place(at)))
            }
            Kind::Not(operand) => Ok((!self.boolean(operand)?).into()),
            Kind::Negate(operand) => negate(&self.eval(operand)?).map_err(place(at)),
            Kind::Plus(operand) => match self.eval(operand)? {
                value @ (Value::Integer(_) | Value::Float(_)) => Ok(value),
                other => Err(place(at)(wrong_type("operator '+'", &other))),
            },
            Kind::InstanceOf { operand, class } => {
                Ok(is_instance(&self.eval(operand)?, class).into())
            }
            Kind::Ternary {
                condition,
                then,
                otherwise,
            } => {
                if self.boolean(condition)? {
                    self.eval(then)
                } else {
                    self.eval(otherwise)
                }
            }
            Kind::Elvis { value, otherwise } => match self.eval(value)? {
                Value::Null => self.eval(otherwise),
                Value::Text(text) if text.is_empty() => self.eval(otherwise),
                value => Ok(value),
            },
            Kind::List(items) => Ok(self.all(items)?.into()),
            Kind::Map(entries) => {
                let mut map = ValueMap::new();
                for (key, value) in entries {
                    map.insert(key.clone(), self.eval(value)?);
                }
                Ok(map.into())
            }
            _ => Ok(Value::Null),
        }
    }

    fn binary(&mut self, at: usize, op: BinaryOp, left: &Node, right: &Node) -> Evaluated {
        match op {
            BinaryOp::And => Ok((self.boolean(left)? && self.boolean(right)?).into()),
            BinaryOp::Or => Ok((self.boolean(left)? || self.boolean(right)?).into()),
            _ => {
                let left = self.eval(left)?;
                let right = self.eval(right)?;
                self.spend(at, cost(&left))?;
                apply(op, &left, &right).map_err(place(at))
            }
        }
    }

    fn path(&mut self, at: usize, variable: &str, steps: &Steps) -> Evaluated {
        let computed;
        let segments: &[Segment] = match steps {
            Steps::Known(segments) => segments,
            Steps::Computed(steps) => {
                computed = self.segments(at, steps)?;
                &computed
            }
        };
        let (mut value, used) = match self.scope.lookup(variable, segments) {
            Lookup::Found { value, used } => (value, used),
            Lookup::Undefined => (Value::Null, 0),
            Lookup::NoProperty(index) => {
                let name = match segments.get(index) {
                    Some(Segment::Key(key)) => key.as_str().to_owned(),
                    Some(Segment::Index(index)) => index.to_string(),
                    None => String::new(),
                };
                let target = format!("#{variable}");
                return Err(place(at)(EvalErrorKind::NoProperty { name, target }));
            }
        };
        for segment in segments.get(used..).unwrap_or_default() {
            value = match segment {
                Segment::Key(key) => property(&value, key),
                Segment::Index(index) => element(&value, &Value::Integer(*index)),
            }
            .map_err(place(at))?;
        }
        Ok(value)
    }

    fn segments(&mut self, at: usize, steps: &[Step]) -> Result<Vec<Segment>, EvalError> {
        let mut segments = Vec::with_capacity(steps.len());
        for step in steps {
            segments.push(match step {
                Step::Known(segment) => segment.clone(),
                Step::Computed(node) => match self.eval(node)? {
                    Value::Integer(index) => Segment::Index(index),
                    Value::Null => return Err(place(at)(of_null("an index".to_owned()))),
                    other => Segment::Key(Key::new(other.to_text().unwrap_or_default())),
                },
            });
        }
        Ok(segments)
    }

    fn matches(&mut self, at: usize, left: &Node, pattern: &Pattern) -> Evaluated {
        let value = self.eval(left)?;
        let Some(text) = value.to_text() else {
            return Err(place(at)(of_null("operator 'matches'".to_owned())));
        };
        self.spend(at, cost(&value))?;
        match pattern {
            Pattern::Known(regex) => Ok(regex.is_match(&text).into()),
            Pattern::Computed(pattern) => {
                let pattern = self.eval(pattern)?.to_text().unwrap_or_default();
                self.spend(at, PATTERN_STEPS)?;
                let regex = matches_whole(&pattern).map_err(place(at))?;
                Ok(regex.is_match(&text).into())
            }
        }
    }

    fn json_path(&mut self, at: usize, document: &Node, path: &PathSource) -> Evaluated {
        let document = self.eval(document)?;
        self.spend(at, cost(&document))?;
        let computed;
        let path = match path {
            PathSource::Known(path) => path,
            PathSource::Computed(node) => {
                let source = self.eval(node)?.to_text().unwrap_or_default();
                self.spend(at, PATTERN_STEPS)?;
                computed = JsonPath::compile(&source).map_err(place(at))?;
                &computed
            }
        };
        path.read(&document).map_err(place(at))
    }

    fn select(&mut self, at: usize, target: &Node, which: Which, predicate: &Node) -> Evaluated {
        let target = self.eval(target)?;
        let is_map = matches!(target, Value::Map(_));
        let elements = elements_of(&target, "selection").map_err(place(at))?;
        let mut selected = Vec::new();
        for element in elements.iter() {
            self.elements.push(element.clone());
            let is_selected = self.boolean(predicate);
            self.elements.pop();
            if is_selected? {
                selected.push(element.clone());
                if which == Which::First {
                    break;
                }
            }
        }
        if which == Which::Last {
            selected.drain(..selected.len().saturating_sub(1));
        }
        if is_map {
            return Ok(map_of(&selected).into());
        }
        Ok(match which {
            Which::All => selected.into(),
            Which::First | Which::Last => selected.pop().unwrap_or_default(),
        })
    }

    fn project(&mut self, at: usize, target: &Node, body: &Node) -> Evaluated {
        let target = self.eval(target)?;
        let elements = elements_of(&target, "projection").map_err(place(at))?;
        let mut projected = Vec::with_capacity(elements.len());
        for element in elements.iter() {
            self.elements.push(element.clone());
            let value = self.eval(body);
            self.elements.pop();
            projected.push(value?);
        }
        Ok(projected.into())
    }

    /// Evaluates an operand that must be a boolean or text that spells one.
    fn boolean(&mut self, node: &Node) -> Result<bool, EvalError> {
        let value = self.eval(node)?;
        match &value {
            Value::Bool(value) => Some(*value),
            Value::Text(_) => value.to_bool(),
            _ => None,
        }
        .ok_or_else(|| place(node.at)(wrong_type("a condition", &value)))
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Value>, EvalError> {
        nodes.iter().map(|node| self.eval(node)).collect()
    }

    fn spend(&mut self, at: usize, steps: u32) -> Result<(), EvalError> {
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(place(at)(EvalErrorKind::Limit("evaluation steps"))),
        }
    }
}

/// Steps that work on a value costs: one per 4 KiB of text or 64 elements.
fn cost(value: &Value) -> u32 {
    let units = match value {
        Value::Text(text) => text.len() / 4096,
        Value::List(items) => items.len() / 64,
        Value::Map(map) => map.len() / 64,
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Object(_) => 0,
    };
    u32::try_from(units).unwrap_or(u32::MAX)
}

fn place(position: usize) -> impl Fn(EvalErrorKind) -> EvalError {
    move |kind| EvalError { position, kind }
}

fn of_null(what: String) -> EvalErrorKind {
    EvalErrorKind::NullTarget { what }
}

fn wrong_type(operation: &str, found: &Value) -> EvalErrorKind {
    EvalErrorKind::WrongType {
        operation: operation.to_owned(),
        found: found.type_name().to_owned(),
    }
}

/// Reads a property: an entry of a map, or one of the few that texts, lists and objects have.
fn property(target: &Value, key: &Key) -> Result<Value, EvalErrorKind> {
    let name = key.as_str();
    let no_property = || EvalErrorKind::NoProperty {
        name: name.to_owned(),
        target: target.type_name().to_owned(),
    };
    match target {
        Value::Null => Err(of_null(format!("property '{name}'"))),
        Value::Map(map) => Ok(map.get(name).cloned().into()),
        Value::Text(text) => match name {
            "empty" => Ok(text.is_empty().into()),
            "blank" => Ok(text.trim().is_empty().into()),
            _ => Err(no_property()),
        },
        Value::List(items) => match name {
            "empty" => Ok(items.is_empty().into()),
            "length" => Ok(items.len().into()),
            _ => match name.parse() {
                Ok(index) => crate::methods::item(items, index),
                Err(_) => Err(no_property()),
            },
        },
        Value::Object(object) => object.property(name).ok_or_else(no_property),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Err(no_property()),
    }
}

/// Reads an element by position or key.
fn element(target: &Value, index: &Value) -> Result<Value, EvalErrorKind> {
    match (target, index) {
        (Value::Null, _) => Err(of_null("an element".to_owned())),
        (Value::List(items), Value::Integer(index)) => crate::methods::item(items, *index),
        (Value::Text(text), Value::Integer(index)) => crate::methods::char_at(text, *index),
        (Value::Map(_), Value::Null) => Ok(Value::Null),
        (_, index) => match index.to_text() {
            Some(name) => property(target, &Key::new(name)),
            None => Err(wrong_type("an index", index)),
        },
    }
}

/// Returns what a selection or projection walks over: elements, or entries of a map.
fn elements_of(target: &Value, operation: &str) -> Result<Arc<[Value]>, EvalErrorKind> {
    match target {
        Value::List(items) => Ok(Arc::clone(items)),
        Value::Map(map) => match entries(map) {
            Value::List(items) => Ok(items),
            _ => Ok(Arc::new([])),
        },
        Value::Null => Err(of_null(operation.to_owned())),
        other => Err(wrong_type(operation, other)),
    }
}

/// Makes a map of the selected entries again.
fn map_of(selected: &[Value]) -> ValueMap {
    let mut map = ValueMap::new();
    for entry in selected {
        if let Value::Map(entry) = entry
            && let Some(key) = entry.get("key").and_then(Value::to_text)
        {
            map.insert(key, entry.get("value").cloned());
        }
    }
    map
}

fn is_instance(value: &Value, class: &str) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => matches!(class, "Boolean" | "Object"),
        Value::Integer(value) => match class {
            "Integer" => i32::try_from(*value).is_ok(),
            "Long" | "Number" | "Object" => true,
            _ => false,
        },
        Value::Float(_) => matches!(class, "Double" | "Float" | "Number" | "Object"),
        Value::Text(_) => matches!(class, "String" | "CharSequence" | "Object"),
        Value::List(_) => matches!(class, "List" | "Collection" | "Object"),
        Value::Map(_) => matches!(class, "Map" | "Object"),
        Value::Object(_) => class == "Object",
    }
}

fn xml_escape(text: &str) -> Result<Value, EvalErrorKind> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    if out.len() > TEXT_BYTES_MAX {
        return Err(EvalErrorKind::Limit("length of text"));
    }
    Ok(Value::Text(Text::from(out)))
}

/// The scope of constant folding: it has nothing, and constants ask for nothing.
pub(super) struct NoScope;

#[derive(Debug)]
struct NoAmbient;

impl Scope for NoScope {
    fn lookup(&self, _variable: &str, _path: &[Segment]) -> Lookup {
        Lookup::Undefined
    }

    fn ambient(&self) -> &dyn Ambient {
        &NoAmbient
    }
}

impl Ambient for NoAmbient {
    fn now_ms(&self) -> u64 {
        0
    }

    fn nanos(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }
}
