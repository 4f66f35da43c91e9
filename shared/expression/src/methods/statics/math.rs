//! `java.lang.Math`.

use std::f64::consts;

use super::super::Outcome;
use super::super::arguments::{any, float, integer};
use super::{Static, ambient, constant, pure};
use crate::error::EvalErrorKind;
use crate::scope::Ambient;
use crate::value::Value;

const OVERFLOW: EvalErrorKind = EvalErrorKind::Arithmetic("result outside of 64 bits");

pub(super) const STATICS: &[Static] = &[
    constant("Math", "PI", |_args| Ok(consts::PI.into())),
    constant("Math", "E", |_args| Ok(consts::E.into())),
    pure("Math", "abs", 1..=1, |args| match any(args, 0) {
        Value::Integer(value) => value.checked_abs().map(Value::from).ok_or(OVERFLOW),
        _ => Ok(float(args, 0)?.abs().into()),
    }),
    pure("Math", "max", 2..=2, |args| pick(args, i64::max, f64::max)),
    pure("Math", "min", 2..=2, |args| pick(args, i64::min, f64::min)),
    pure("Math", "floorDiv", 2..=2, |args| {
        let (left, right) = (integer(args, 0)?, divisor(args)?);
        let remainder = left.checked_rem(right).ok_or(OVERFLOW)?;
        let quotient = left.checked_div(right).ok_or(OVERFLOW)?;
        let is_rounded_up = remainder != 0 && (remainder < 0) != (right < 0);
        Ok((quotient - i64::from(is_rounded_up)).into())
    }),
    pure("Math", "floorMod", 2..=2, |args| {
        let (left, right) = (integer(args, 0)?, divisor(args)?);
        let remainder = left.checked_rem(right).ok_or(OVERFLOW)?;
        let is_shifted = remainder != 0 && (remainder < 0) != (right < 0);
        Ok(if is_shifted {
            remainder + right
        } else {
            remainder
        }
        .into())
    }),
    pure("Math", "round", 1..=1, |args| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Math.round saturates likewise"
        )]
        let rounded = (float(args, 0)? + 0.5).floor() as i64;
        Ok(rounded.into())
    }),
    pure("Math", "rint", 1..=1, |args| {
        Ok(float(args, 0)?.round_ties_even().into())
    }),
    pure("Math", "signum", 1..=1, |args| {
        let value = float(args, 0)?;
        Ok(if value == 0.0 { value } else { value.signum() }.into())
    }),
    pure("Math", "sqrt", 1..=1, |args| {
        Ok(float(args, 0)?.sqrt().into())
    }),
    pure("Math", "cbrt", 1..=1, |args| {
        Ok(float(args, 0)?.cbrt().into())
    }),
    pure("Math", "floor", 1..=1, |args| {
        Ok(float(args, 0)?.floor().into())
    }),
    pure("Math", "ceil", 1..=1, |args| {
        Ok(float(args, 0)?.ceil().into())
    }),
    pure("Math", "exp", 1..=1, |args| {
        Ok(float(args, 0)?.exp().into())
    }),
    pure("Math", "log", 1..=1, |args| Ok(float(args, 0)?.ln().into())),
    pure("Math", "log10", 1..=1, |args| {
        Ok(float(args, 0)?.log10().into())
    }),
    pure("Math", "sin", 1..=1, |args| {
        Ok(float(args, 0)?.sin().into())
    }),
    pure("Math", "cos", 1..=1, |args| {
        Ok(float(args, 0)?.cos().into())
    }),
    pure("Math", "tan", 1..=1, |args| {
        Ok(float(args, 0)?.tan().into())
    }),
    pure("Math", "pow", 2..=2, |args| {
        Ok(float(args, 0)?.powf(float(args, 1)?).into())
    }),
    pure("Math", "hypot", 2..=2, |args| {
        Ok(float(args, 0)?.hypot(float(args, 1)?).into())
    }),
    ambient("Math", "random", random),
];

fn divisor(args: &[Value]) -> Result<i64, EvalErrorKind> {
    match integer(args, 1)? {
        0 => Err(EvalErrorKind::Arithmetic("division by zero")),
        value => Ok(value),
    }
}

pub(super) fn pick(
    args: &[Value],
    integers: fn(i64, i64) -> i64,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    match (any(args, 0), any(args, 1)) {
        (Value::Integer(left), Value::Integer(right)) => Ok(integers(left, right).into()),
        _ => Ok(floats(float(args, 0)?, float(args, 1)?).into()),
    }
}

/// A number in `[0, 1)` from the 53 bits that a double can hold.
fn random(ambient: &dyn Ambient) -> Value {
    const STEPS: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let bits = (ambient.random() >> 11) as f64;
    Value::Float(bits / STEPS)
}
