//! Arithmetic, comparison and equality.

use std::cmp::Ordering;

use crate::error::EvalErrorKind;
use crate::limits::TEXT_BYTES_MAX;
use crate::methods::Outcome;
use crate::syntax::BinaryOp;
use crate::value::Value;

/// Applies an operator that evaluates both sides.
pub(super) fn apply(op: BinaryOp, left: &Value, right: &Value) -> Outcome {
    let ordering = |accepts: fn(Ordering) -> bool| Ok(accepts(compare(left, right)?).into());
    match op {
        BinaryOp::Equal => Ok((left == right).into()),
        BinaryOp::NotEqual => Ok((left != right).into()),
        BinaryOp::Less => ordering(Ordering::is_lt),
        BinaryOp::Greater => ordering(Ordering::is_gt),
        BinaryOp::LessOrEqual => ordering(Ordering::is_le),
        BinaryOp::GreaterOrEqual => ordering(Ordering::is_ge),
        BinaryOp::Between => between(left, right),
        BinaryOp::Add => add(left, right),
        BinaryOp::Subtract => number(op, left, right, i64::checked_sub, |a, b| a - b),
        BinaryOp::Multiply => number(op, left, right, i64::checked_mul, |a, b| a * b),
        BinaryOp::Divide => {
            divisor(left, right)?;
            number(op, left, right, i64::checked_div, |a, b| a / b)
        }
        BinaryOp::Remainder => {
            divisor(left, right)?;
            number(op, left, right, i64::checked_rem, |a, b| a % b)
        }
        BinaryOp::Power => power(left, right),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Matches => Err(wrong(op, left, right)),
    }
}

/// Compares two numbers, two texts or two booleans; null is below everything else.
pub(crate) fn compare(left: &Value, right: &Value) -> Result<Ordering, EvalErrorKind> {
    let wrong = || EvalErrorKind::WrongType {
        operation: "comparison".to_owned(),
        found: format!("{} and {}", left.type_name(), right.type_name()),
    };
    match (left, right) {
        (Value::Null, Value::Null) => Ok(Ordering::Equal),
        (Value::Null, _) => Ok(Ordering::Less),
        (_, Value::Null) => Ok(Ordering::Greater),
        (Value::Integer(left), Value::Integer(right)) => Ok(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => left
            .to_f64()
            .zip(right.to_f64())
            .map(|(left, right)| left.total_cmp(&right))
            .ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// Changes the sign of a number.
pub(super) fn negate(value: &Value) -> Outcome {
    match value {
        Value::Integer(value) => value.checked_neg().map(Value::from).ok_or(OVERFLOW),
        Value::Float(value) => Ok((-value).into()),
        other => Err(EvalErrorKind::WrongType {
            operation: "operator '-'".to_owned(),
            found: other.type_name().to_owned(),
        }),
    }
}

const OVERFLOW: EvalErrorKind = EvalErrorKind::Arithmetic("result outside of 64 bits");

/// Adds numbers; concatenates as soon as one side is text.
fn add(left: &Value, right: &Value) -> Outcome {
    if !matches!(left, Value::Text(_)) && !matches!(right, Value::Text(_)) {
        return number(BinaryOp::Add, left, right, i64::checked_add, |a, b| a + b);
    }
    let mut text = String::new();
    left.write_text(&mut text);
    right.write_text(&mut text);
    if text.len() > TEXT_BYTES_MAX {
        return Err(EvalErrorKind::Limit("length of text"));
    }
    Ok(text.into())
}

fn number(
    op: BinaryOp,
    left: &Value,
    right: &Value,
    integers: fn(i64, i64) -> Option<i64>,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => {
            integers(*left, *right).map(Value::from).ok_or(OVERFLOW)
        }
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => left
            .to_f64()
            .zip(right.to_f64())
            .map(|(left, right)| floats(left, right).into())
            .ok_or_else(|| wrong(op, left, right)),
        _ => Err(wrong(op, left, right)),
    }
}

/// Refuses zero as a whole divisor of a whole number; floats follow IEEE 754.
fn divisor(left: &Value, right: &Value) -> Result<(), EvalErrorKind> {
    match (left, right) {
        (Value::Integer(_), Value::Integer(0)) => {
            Err(EvalErrorKind::Arithmetic("division by zero"))
        }
        _ => Ok(()),
    }
}

fn power(left: &Value, right: &Value) -> Outcome {
    if let (Value::Integer(base), Value::Integer(exponent)) = (left, right)
        && let Ok(exponent) = u32::try_from(*exponent)
    {
        return base.checked_pow(exponent).map(Value::from).ok_or(OVERFLOW);
    }
    number(BinaryOp::Power, left, right, |_, _| None, f64::powf).or_else(|error| {
        match (left, right) {
            (Value::Integer(_), Value::Integer(_)) => {
                let (base, exponent) = left.to_f64().zip(right.to_f64()).ok_or(error)?;
                Ok(base.powf(exponent).into())
            }
            _ => Err(error),
        }
    })
}

/// `value between {low, high}`, both included.
fn between(value: &Value, range: &Value) -> Outcome {
    let Value::List(bounds) = range else {
        return Err(wrong(BinaryOp::Between, value, range));
    };
    let [low, high] = &bounds[..] else {
        return Err(EvalErrorKind::Method(
            "'between' takes a list of two values".to_owned(),
        ));
    };
    let is_inside = compare(value, low)?.is_ge() && compare(value, high)?.is_le();
    Ok(is_inside.into())
}

fn wrong(op: BinaryOp, left: &Value, right: &Value) -> EvalErrorKind {
    EvalErrorKind::WrongType {
        operation: format!("operator '{}'", op.symbol()),
        found: format!("{} and {}", left.type_name(), right.type_name()),
    }
}
