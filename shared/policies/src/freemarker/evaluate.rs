//! Evaluating expressions: members of the exchange, variables of the template, operators.

use std::cmp::Ordering;

use tidegate_expression::limits::{ITEMS_MAX, TEXT_BYTES_MAX};
use tidegate_expression::{Key, Lookup, Scope, Segment, Text, Value, ValueMap};

use super::tree::{Expression, Operator};
use super::{RenderError, STEPS_MAX};

/// What a template works with while it is rendered.
pub(super) struct Machine<'s> {
    scope: &'s dyn Scope,
    steps: u32,
    variables: Vec<(Text, Value)>,
    pub(super) loops: Vec<Loop>,
}

/// A list being walked, by the name of its element.
pub(super) struct Loop {
    pub(super) item: (Text, Value),
    pub(super) value: Option<(Text, Value)>,
    pub(super) index: usize,
    pub(super) has_next: bool,
}

impl<'s> Machine<'s> {
    pub(super) fn new(scope: &'s dyn Scope) -> Self {
        Self {
            scope,
            steps: STEPS_MAX,
            variables: Vec::new(),
            loops: Vec::new(),
        }
    }

    /// Takes the work of a step that handles `bytes`.
    pub(super) fn step(&mut self, bytes: usize) -> Result<(), RenderError> {
        if bytes > TEXT_BYTES_MAX {
            return Err(RenderError::Limit);
        }
        let work = u32::try_from(1 + bytes / 256).unwrap_or(u32::MAX);
        self.steps = self.steps.checked_sub(work).ok_or(RenderError::Limit)?;
        Ok(())
    }

    pub(super) fn assign(&mut self, name: &Text, value: Value) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.variables.push((name.clone(), value)),
        }
    }

    /// Evaluates an expression that must have a value.
    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value, RenderError> {
        self.optional(expression)?
            .ok_or_else(|| RenderError::Missing(spelled(expression)))
    }

    /// Evaluates an expression whose last step may be missing; in parentheses every step may.
    fn optional(&mut self, expression: &Expression) -> Result<Option<Value>, RenderError> {
        self.step(0)?;
        match expression {
            Expression::Variable(_) | Expression::Member(..) | Expression::Index(..) => {
                self.path(expression)
            }
            Expression::Group(inner) => self.optional(inner),
            Expression::Default(inner, default) => match (self.tolerant(inner)?, default) {
                (Some(value), _) => Ok(Some(value)),
                (None, Some(default)) => self.optional(default),
                (None, None) => Ok(Some(Value::from(""))),
            },
            Expression::Exists(inner) => Ok(Some(self.tolerant(inner)?.is_some().into())),
            Expression::Builtin(base, builtin, arguments) => {
                self.builtin(base, *builtin, arguments)
            }
            other => self.computed(other).map(Some),
        }
    }

    /// Evaluates what a default or a question is about.
    fn tolerant(&mut self, expression: &Expression) -> Result<Option<Value>, RenderError> {
        match (self.optional(expression), expression) {
            (Err(RenderError::Missing(_)), Expression::Group(_)) => Ok(None),
            (result, _) => result,
        }
    }

    fn computed(&mut self, expression: &Expression) -> Result<Value, RenderError> {
        Ok(match expression {
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Integer(number) => Value::Integer(*number),
            Expression::Float(number) => Value::Float(*number),
            Expression::Bool(flag) => Value::Bool(*flag),
            Expression::Pieces(parts) => {
                let mut out = String::new();
                for part in parts {
                    let value = self.value(part)?;
                    out.push_str(&printed(&value)?);
                    self.step(out.len())?;
                }
                out.into()
            }
            Expression::Sequence(items) => {
                let items = items.iter().map(|item| self.value(item));
                Value::from(items.collect::<Result<Vec<_>, _>>()?)
            }
            Expression::Hash(members) => {
                let mut map = ValueMap::new();
                for (key, value) in members {
                    let key = self.value(key)?;
                    map.insert(printed(&key)?, self.value(value)?);
                }
                map.into()
            }
            Expression::Range(first, last) => self.range(first, last)?,
            Expression::Not(inner) => (!self.condition(inner)?).into(),
            Expression::Negative(inner) => match self.value(inner)? {
                Value::Integer(number) => number.checked_neg().ok_or_else(overflow)?.into(),
                Value::Float(number) => (-number).into(),
                other => return Err(type_error("-", &other)),
            },
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            // The rest may be missing and is evaluated where that counts.
            other => return self.value(other),
        })
    }

    /// Evaluates a condition, which must be a boolean.
    pub(super) fn condition(&mut self, expression: &Expression) -> Result<bool, RenderError> {
        match self.value(expression)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(type_error("a condition", &other)),
        }
    }

    fn builtin(
        &mut self,
        base: &Expression,
        builtin: super::builtins::Builtin,
        arguments: &[Expression],
    ) -> Result<Option<Value>, RenderError> {
        if let Some(value) = self.loop_builtin(base, builtin.name) {
            return Ok(Some(value));
        }
        let value = match builtin.name {
            // Asks, as `??` does.
            "has_content" => match self.tolerant(base)? {
                Some(value) => value,
                None => return Ok(Some(false.into())),
            },
            _ => self.value(base)?,
        };
        let arguments = arguments.iter().map(|argument| self.value(argument));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        self.step(size(&value))?;
        let result = builtin.apply(&value, &arguments)?;
        self.step(size(&result))?;
        Ok(Some(result).filter(|value| !value.is_null()))
    }

    /// `?index` and the like, of the element of a list being walked.
    fn loop_builtin(&self, base: &Expression, name: &str) -> Option<Value> {
        let Expression::Variable(variable) = base else {
            return None;
        };
        let found = self
            .loops
            .iter()
            .rev()
            .find(|state| state.item.0 == *variable)?;
        Some(match name {
            "index" => found.index.into(),
            "counter" => (found.index + 1).into(),
            "has_next" => found.has_next.into(),
            "is_first" => (found.index == 0).into(),
            "is_last" => (!found.has_next).into(),
            _ => return None,
        })
    }

    fn local(&self, name: &str) -> Option<Value> {
        for state in self.loops.iter().rev() {
            if state.item.0.as_str() == name {
                return Some(state.item.1.clone());
            }
            if let Some((known, value)) = &state.value
                && known.as_str() == name
            {
                return Some(value.clone());
            }
            // The names that old templates use.
            match name.strip_prefix(state.item.0.as_str()) {
                Some("_index") => return Some(state.index.into()),
                Some("_has_next") => return Some(state.has_next.into()),
                _ => {}
            }
        }
        let found = self
            .variables
            .iter()
            .find(|(known, _)| known.as_str() == name);
        found.map(|(_, value)| value.clone())
    }

    /// Follows a variable with members and indexes; every step but the last must be there.
    fn path(&mut self, expression: &Expression) -> Result<Option<Value>, RenderError> {
        let mut steps = Vec::new();
        let mut base = expression;
        loop {
            base = match base {
                Expression::Member(inner, name) => {
                    steps.push(Segment::Key(Key::new(name.clone())));
                    inner
                }
                Expression::Index(inner, index) => {
                    let index = self.value(index)?;
                    steps.push(match index {
                        Value::Integer(index) => Segment::Index(index),
                        other => Segment::Key(Key::new(printed(&other)?.into())),
                    });
                    inner
                }
                _ => break,
            };
        }
        steps.reverse();
        let (mut value, used) = match base {
            Expression::Variable(name) => match self.local(name) {
                Some(value) => (value, 0),
                None => match self.scope.lookup(name, &steps) {
                    Lookup::Found { value, used } => (value, used.min(steps.len())),
                    Lookup::Undefined => (Value::Null, 0),
                    Lookup::NoProperty(at) => (Value::Null, (at + 1).min(steps.len())),
                },
            },
            other => (self.value(other)?, 0),
        };
        for step in &steps[used..] {
            self.step(0)?;
            value = match value {
                Value::Null => return Err(RenderError::Missing(spelled(expression))),
                value => member(&value, step)?,
            };
        }
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    fn range(&mut self, first: &Expression, last: &Expression) -> Result<Value, RenderError> {
        let (first, last) = (self.value(first)?, self.value(last)?);
        let (Value::Integer(first), Value::Integer(last)) = (&first, &last) else {
            return Err(RenderError::Type("a range needs whole numbers".to_owned()));
        };
        let length = first.abs_diff(*last);
        if length >= ITEMS_MAX as u64 {
            return Err(RenderError::Limit);
        }
        self.step(usize::try_from(length).unwrap_or(usize::MAX) * size_of::<Value>())?;
        Ok(if first <= last {
            Value::list((*first..=*last).map(Value::from))
        } else {
            Value::list((*last..=*first).rev().map(Value::from))
        })
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Value, RenderError> {
        match operator {
            Operator::And => return Ok((self.condition(left)? && self.condition(right)?).into()),
            Operator::Or => return Ok((self.condition(left)? || self.condition(right)?).into()),
            _ => {}
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        let compared = |wanted: fn(Ordering) -> bool| {
            let order = order(&left, &right)?;
            Ok(Value::from(wanted(order)))
        };
        match operator {
            Operator::Equal => equal(&left, &right).map(Value::from),
            Operator::NotEqual => equal(&left, &right).map(|equal| (!equal).into()),
            Operator::Less => compared(Ordering::is_lt),
            Operator::LessOrEqual => compared(Ordering::is_le),
            Operator::Greater => compared(Ordering::is_gt),
            Operator::GreaterOrEqual => compared(Ordering::is_ge),
            Operator::Plus => self.plus(&left, &right),
            operator => arithmetic(operator, &left, &right),
        }
    }

    /// Adds numbers, and puts texts, lists and maps together.
    fn plus(&mut self, left: &Value, right: &Value) -> Result<Value, RenderError> {
        self.step(size(left).saturating_add(size(right)))?;
        match (left, right) {
            (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
                arithmetic(Operator::Plus, left, right)
            }
            (Value::List(left), Value::List(right)) => {
                if left.len() + right.len() > ITEMS_MAX {
                    return Err(RenderError::Limit);
                }
                Ok(Value::list(left.iter().chain(right.iter()).cloned()))
            }
            (Value::Map(left), Value::Map(right)) => {
                let members = left.iter().chain(right.iter());
                let map: ValueMap = members
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                Ok(map.into())
            }
            (left, right) => Ok((printed(left)? + &printed(right)?).into()),
        }
    }
}

fn member(value: &Value, step: &Segment) -> Result<Value, RenderError> {
    match (value, step) {
        (Value::Map(map), Segment::Key(key)) => Ok(map.get(key.as_str()).cloned().into()),
        (Value::List(items), Segment::Index(index)) => {
            let index = usize::try_from(*index).ok();
            Ok(index.and_then(|index| items.get(index)).cloned().into())
        }
        (Value::Text(text), Segment::Index(index)) => {
            let index = usize::try_from(*index).ok();
            let char = index.and_then(|index| text.chars().nth(index));
            Ok(char.map(|char| char.to_string()).into())
        }
        (Value::Object(object), Segment::Key(key)) => Ok(object.property(key.as_str()).into()),
        (value, _) => Err(type_error("a member", value)),
    }
}

fn equal(left: &Value, right: &Value) -> Result<bool, RenderError> {
    match (left, right) {
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_))
        | (Value::Text(_), Value::Text(_))
        | (Value::Bool(_), Value::Bool(_)) => Ok(left == right),
        _ => Err(RenderError::Type(format!(
            "cannot compare {} with {}",
            left.type_name(),
            right.type_name()
        ))),
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering, RenderError> {
    let numbers = match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
            left.to_f64().partial_cmp(&right.to_f64())
        }
        _ => None,
    };
    numbers.ok_or_else(|| RenderError::Type("only numbers have an order".to_owned()))
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, RenderError> {
    if let (Value::Integer(left), Value::Integer(right)) = (left, right) {
        let whole = match operator {
            Operator::Plus => Some(left.checked_add(*right)),
            Operator::Minus => Some(left.checked_sub(*right)),
            Operator::Times => Some(left.checked_mul(*right)),
            Operator::Divide | Operator::Remainder if *right == 0 => Some(None),
            Operator::Divide if left % right == 0 => Some(left.checked_div(*right)),
            Operator::Remainder => Some(left.checked_rem(*right)),
            _ => None,
        };
        if let Some(whole) = whole {
            return whole.map(Value::from).ok_or_else(overflow);
        }
    }
    let number = |value: &Value| match value {
        Value::Integer(_) | Value::Float(_) => value.to_f64(),
        _ => None,
    };
    let (Some(first), Some(second)) = (number(left), number(right)) else {
        let other = if number(left).is_none() { left } else { right };
        return Err(type_error("arithmetic", other));
    };
    let result = match operator {
        Operator::Plus => first + second,
        Operator::Minus => first - second,
        Operator::Times => first * second,
        Operator::Remainder => first % second,
        _ => first / second,
    };
    if result.is_finite() {
        Ok(result.into())
    } else {
        Err(overflow())
    }
}

fn overflow() -> RenderError {
    RenderError::Type("a result that is no number".to_owned())
}

/// Returns the text of a value that can be printed: lists and maps cannot.
pub(super) fn printed(value: &Value) -> Result<String, RenderError> {
    match value {
        Value::List(_) | Value::Map(_) | Value::Null => Err(type_error("text", value)),
        value => Ok(value.to_text().unwrap_or_default().to_string()),
    }
}

pub(super) fn type_error(operation: impl std::fmt::Display, found: &Value) -> RenderError {
    RenderError::Type(format!(
        "{operation} cannot be had of a {}",
        found.type_name()
    ))
}

/// Returns about how many bytes a value takes, without looking deep into it.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len().saturating_mul(16),
        Value::Map(map) => map.len().saturating_mul(32),
        _ => 0,
    }
}

/// Spells a path for an error.
fn spelled(expression: &Expression) -> String {
    match expression {
        Expression::Variable(name) => name.to_string(),
        Expression::Member(base, name) => format!("{}.{name}", spelled(base)),
        Expression::Index(base, index) => match &**index {
            Expression::Text(text) => format!("{}['{text}']", spelled(base)),
            Expression::Integer(number) => format!("{}[{number}]", spelled(base)),
            _ => format!("{}[…]", spelled(base)),
        },
        Expression::Group(inner) => format!("({})", spelled(inner)),
        Expression::Builtin(base, builtin, _) => format!("{}?{}", spelled(base), builtin.name),
        _ => "a value".to_owned(),
    }
}
