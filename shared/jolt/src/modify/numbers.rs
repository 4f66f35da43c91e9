//! Functions of numbers. Texts that spell numbers are numbers to them.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::functions::{many, numeric};

type Arguments<'a> = [Cow<'a, Value>];

/// Most digits that a division is rounded to.
const DIGITS_MAX: u64 = 15;

fn double(value: &Value) -> Option<f64> {
    numeric(value)?.as_f64()
}

/// Cuts the fraction off, as Java's `intValue` does.
fn whole(value: &Value) -> Option<i64> {
    let number = numeric(value)?;
    number.as_i64().or_else(|| {
        let number = number.as_f64()?;
        // Casting saturates; a number that does not fit is none.
        let fits = number.abs() < 9.2e18;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked above"
        )]
        fits.then_some(number.trunc() as i64)
    })
}

fn from_double(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

pub(super) fn to_whole(value: &Value) -> Option<Value> {
    whole(value).map(Value::from)
}

pub(super) fn to_double(value: &Value) -> Option<Value> {
    double(value).and_then(from_double)
}

pub(super) fn abs(value: &Value) -> Option<Value> {
    let number = numeric(value)?;
    match number.as_i64() {
        Some(whole) => whole.checked_abs().map(Value::from),
        None => from_double(number.as_f64()?.abs()),
    }
}

fn ordered(arguments: &Arguments<'_>, wanted: Ordering) -> Option<Value> {
    let numbers = many(arguments).into_iter().filter_map(numeric);
    let best = numbers.reduce(|best, number| {
        let order = number.as_f64().partial_cmp(&best.as_f64());
        if order == Some(wanted) { number } else { best }
    });
    best.map(Value::Number)
}

pub(super) fn min(arguments: &Arguments<'_>) -> Option<Value> {
    ordered(arguments, Ordering::Less)
}

pub(super) fn max(arguments: &Arguments<'_>) -> Option<Value> {
    ordered(arguments, Ordering::Greater)
}

pub(super) fn average(arguments: &Arguments<'_>) -> Option<Value> {
    let numbers: Vec<f64> = many(arguments).into_iter().filter_map(double).collect();
    #[expect(clippy::cast_precision_loss, reason = "no list has 2^53 elements")]
    let count = numbers.len() as f64;
    from_double(numbers.iter().sum::<f64>() / count)
}

pub(super) fn whole_sum(arguments: &Arguments<'_>) -> Option<Value> {
    let mut numbers = many(arguments).into_iter().filter_map(whole);
    let sum = numbers.try_fold(0_i64, i64::checked_add);
    sum.map(Value::from)
}

pub(super) fn double_sum(arguments: &Arguments<'_>) -> Option<Value> {
    from_double(many(arguments).into_iter().filter_map(double).sum())
}

/// Takes the two numbers of a subtraction or division, from a list of two as well.
fn two<'a>(arguments: &'a Arguments<'_>) -> Option<(&'a Value, &'a Value)> {
    match many(arguments).as_slice() {
        [left, right] => Some((left, right)),
        _ => None,
    }
}

pub(super) fn whole_subtract(arguments: &Arguments<'_>) -> Option<Value> {
    let (left, right) = two(arguments)?;
    whole(left)?.checked_sub(whole(right)?).map(Value::from)
}

pub(super) fn double_subtract(arguments: &Arguments<'_>) -> Option<Value> {
    let (left, right) = two(arguments)?;
    from_double(double(left)? - double(right)?)
}

pub(super) fn divide(arguments: &Arguments<'_>) -> Option<Value> {
    let (left, right) = two(arguments)?;
    from_double(double(left)? / double(right)?)
}

/// `divideAndRound(digits, left, right)`; halves are rounded away from zero.
pub(super) fn divide_and_round(arguments: &Arguments<'_>) -> Option<Value> {
    let (digits, numbers) = arguments.split_first()?;
    let digits = digits.as_u64().filter(|digits| *digits <= DIGITS_MAX)?;
    let (left, right) = two(numbers)?;
    let digits = u32::try_from(digits).ok()?;
    let scale = 10_f64.powi(i32::try_from(digits).ok()?);
    from_double((double(left)? / double(right)? * scale).round() / scale)
}
