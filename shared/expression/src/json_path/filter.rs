//! Filters: `[?(@.price < 10 && @.tags)]`.

use regex::Regex;

use super::{Step, walk};
use crate::error::EvalErrorKind;
use crate::program::compare;
use crate::value::Value;

#[derive(Clone, Debug)]
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Regex),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// `@…`
    Element(Vec<Step>),
    /// `$…`
    Root(Vec<Step>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

impl Filter {
    /// Tells whether an element passes.
    pub(super) fn holds(&self, element: &Value, root: &Value) -> Result<bool, EvalErrorKind> {
        Ok(match self {
            Self::Any(filters) => {
                for filter in filters {
                    if filter.holds(element, root)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::All(filters) => {
                for filter in filters {
                    if !filter.holds(element, root)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Not(filter) => !filter.holds(element, root)?,
            Self::Exists(operand) => operand.value(element, root)?.is_some(),
            Self::Compare(left, comparison, right) => {
                let left = left.value(element, root)?;
                let right = right.value(element, root)?;
                passes(left.as_ref(), *comparison, right.as_ref())
            }
            Self::Matches(operand, regex) => operand
                .value(element, root)?
                .and_then(|value| value.to_text())
                .is_some_and(|text| regex.is_match(&text)),
        })
    }
}

impl Operand {
    /// Returns the first value the operand stands for.
    fn value(&self, element: &Value, root: &Value) -> Result<Option<Value>, EvalErrorKind> {
        Ok(match self {
            Self::Element(steps) => walk(steps, element)?.into_iter().next(),
            Self::Root(steps) => walk(steps, root)?.into_iter().next(),
            Self::Literal(value) => Some(value.clone()),
        })
    }
}

/// Compares; what is missing equals nothing, and values of different types have no order.
fn passes(left: Option<&Value>, comparison: Comparison, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return matches!(comparison, Comparison::NotEqual | Comparison::NotIn);
    };
    let is_in = || matches!(right, Value::List(items) if items.contains(left));
    let ordering = || {
        (!left.is_null() && !right.is_null())
            .then(|| compare(left, right).ok())
            .flatten()
    };
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => ordering().is_some_and(|found| found.is_lt()),
        Comparison::LessOrEqual => ordering().is_some_and(|found| found.is_le()),
        Comparison::Greater => ordering().is_some_and(|found| found.is_gt()),
        Comparison::GreaterOrEqual => ordering().is_some_and(|found| found.is_ge()),
        Comparison::In => is_in(),
        Comparison::NotIn => !is_in(),
    }
}
