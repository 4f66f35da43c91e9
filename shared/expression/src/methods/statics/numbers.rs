//! Parsing, printing and limits of `Integer`, `Long`, `Short`, `Double` and `Float`.

use super::super::Outcome;
use super::super::arguments::{any, float, integer, text};
use super::math::pick;
use super::{Static, constant, pure};
use crate::error::{EvalErrorKind, shorten};
use crate::program::compare;
use crate::value::Value;

pub(super) const STATICS: &[Static] = &[
    pure("Integer", "parseInt", 1..=2, |args| {
        parse(args, i32::MIN.into(), i32::MAX.into())
    }),
    pure("Integer", "valueOf", 1..=2, |args| {
        parse(args, i32::MIN.into(), i32::MAX.into())
    }),
    pure("Long", "parseLong", 1..=2, |args| {
        parse(args, i64::MIN, i64::MAX)
    }),
    pure("Long", "valueOf", 1..=2, |args| {
        parse(args, i64::MIN, i64::MAX)
    }),
    pure("Short", "parseShort", 1..=2, |args| {
        parse(args, i16::MIN.into(), i16::MAX.into())
    }),
    pure("Short", "valueOf", 1..=2, |args| {
        parse(args, i16::MIN.into(), i16::MAX.into())
    }),
    constant("Integer", "MAX_VALUE", |_args| Ok(i32::MAX.into())),
    constant("Integer", "MIN_VALUE", |_args| Ok(i32::MIN.into())),
    constant("Long", "MAX_VALUE", |_args| Ok(i64::MAX.into())),
    constant("Long", "MIN_VALUE", |_args| Ok(i64::MIN.into())),
    pure("Integer", "toString", 1..=1, |args| {
        Ok(integer(args, 0)?.to_string().into())
    }),
    pure("Long", "toString", 1..=1, |args| {
        Ok(integer(args, 0)?.to_string().into())
    }),
    pure("Integer", "toHexString", 1..=1, |args| {
        // Java prints the low 32 bits of a negative number.
        Ok(format!("{:x}", integer(args, 0)? & 0xFFFF_FFFF).into())
    }),
    pure("Long", "toHexString", 1..=1, |args| {
        Ok(format!("{:x}", integer(args, 0)?).into())
    }),
    pure("Integer", "toBinaryString", 1..=1, |args| {
        Ok(format!("{:b}", integer(args, 0)? & 0xFFFF_FFFF).into())
    }),
    pure("Long", "toBinaryString", 1..=1, |args| {
        Ok(format!("{:b}", integer(args, 0)?).into())
    }),
    pure("Integer", "compare", 2..=2, compare_two),
    pure("Long", "compare", 2..=2, compare_two),
    pure("Double", "compare", 2..=2, compare_two),
    pure("Integer", "max", 2..=2, |args| {
        pick(args, i64::max, f64::max)
    }),
    pure("Integer", "min", 2..=2, |args| {
        pick(args, i64::min, f64::min)
    }),
    pure("Long", "max", 2..=2, |args| pick(args, i64::max, f64::max)),
    pure("Long", "min", 2..=2, |args| pick(args, i64::min, f64::min)),
    pure("Double", "parseDouble", 1..=1, parse_double),
    pure("Double", "valueOf", 1..=1, parse_double),
    pure("Float", "parseFloat", 1..=1, parse_double),
    pure("Float", "valueOf", 1..=1, parse_double),
    pure("Double", "toString", 1..=1, |args| {
        Ok(Value::Float(float(args, 0)?).to_text().into())
    }),
    pure("Double", "isNaN", 1..=1, |args| {
        Ok(float(args, 0)?.is_nan().into())
    }),
    constant("Double", "MAX_VALUE", |_args| Ok(f64::MAX.into())),
    constant("Double", "MIN_VALUE", |_args| Ok(f64::from_bits(1).into())),
];

/// Parses a whole number in a radix from 2 to 36; Java does not trim here.
fn parse(args: &[Value], min: i64, max: i64) -> Outcome {
    if let Value::Integer(value) = any(args, 0)
        && (min..=max).contains(&value)
    {
        return Ok(value.into());
    }
    let source = text(args, 0)?;
    let radix = if args.len() > 1 {
        integer(args, 1)?
    } else {
        10
    };
    let radix = u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix));
    radix
        .and_then(|radix| i64::from_str_radix(&source, radix).ok())
        .filter(|value| (min..=max).contains(value))
        .map(Value::from)
        .ok_or_else(|| EvalErrorKind::Unparsable {
            text: shorten(source.as_str().to_owned()),
            expected: format!("a whole number from {min} to {max}"),
        })
}

fn parse_double(args: &[Value]) -> Outcome {
    let value = any(args, 0);
    value
        .to_f64()
        .map(Value::from)
        .ok_or_else(|| EvalErrorKind::Unparsable {
            text: shorten(value.to_text().unwrap_or_default().as_str().to_owned()),
            expected: "a number".to_owned(),
        })
}

fn compare_two(args: &[Value]) -> Outcome {
    Ok(Value::Integer(compare(&any(args, 0), &any(args, 1))? as i64))
}
