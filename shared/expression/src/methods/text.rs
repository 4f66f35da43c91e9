//! Methods of text: those of `java.lang.String`. Positions count Unicode characters.

use regex::{Captures, Regex};

use super::arguments::{
    any, bounded, bounded_list, compile_regex, integer, matches_whole, pattern, position, text,
};
use super::{Entry, Outcome, entry, object};
use crate::error::EvalErrorKind;
use crate::limits::TEXT_BYTES_MAX;
use crate::value::{ByteArray, Text, Value};

pub(super) const METHODS: &[Entry<Text>] = &[
    entry("charAt", 1..=1, |this, args| {
        char_at(this, integer(args, 0)?)
    }),
    entry("compareTo", 1..=1, |this, args| {
        Ok(order(this.as_str().cmp(text(args, 0)?.as_str())))
    }),
    entry("compareToIgnoreCase", 1..=1, |this, args| {
        Ok(order(
            this.to_lowercase().cmp(&text(args, 0)?.to_lowercase()),
        ))
    }),
    entry("concat", 1..=1, |this, args| {
        bounded(format!("{this}{}", text(args, 0)?))
    }),
    entry("contains", 1..=1, |this, args| {
        Ok(this.contains(text(args, 0)?.as_str()).into())
    }),
    entry("contentEquals", 1..=1, |this, args| {
        Ok((this.as_str() == text(args, 0)?.as_str()).into())
    }),
    entry("endsWith", 1..=1, |this, args| {
        Ok(this.ends_with(text(args, 0)?.as_str()).into())
    }),
    entry("equals", 1..=1, |this, args| {
        Ok((Value::Text(this.clone()) == any(args, 0)).into())
    }),
    entry("equalsIgnoreCase", 1..=1, |this, args| {
        Ok(any(args, 0)
            .as_text()
            .is_some_and(|other| this.to_lowercase() == other.to_lowercase())
            .into())
    }),
    entry("getBytes", 0..=1, |this, _args| {
        Ok(object(ByteArray(this.as_bytes().to_vec())))
    }),
    entry("hashCode", 0..=0, |this, _args| Ok(hash_code(this).into())),
    entry("indexOf", 1..=2, |this, args| {
        let from = if args.len() > 1 { integer(args, 1)? } else { 0 };
        let skipped = byte_offset(this, usize::try_from(from).unwrap_or(0)).unwrap_or(this.len());
        let found = this[skipped..].find(text(args, 0)?.as_str());
        Ok(character_index(this, found.map(|offset| skipped + offset)))
    }),
    entry("isBlank", 0..=0, |this, _args| {
        Ok(this.trim().is_empty().into())
    }),
    entry("isEmpty", 0..=0, |this, _args| Ok(this.is_empty().into())),
    entry("lastIndexOf", 1..=1, |this, args| {
        Ok(character_index(this, this.rfind(text(args, 0)?.as_str())))
    }),
    entry("length", 0..=0, |this, _args| Ok(length(this).into())),
    entry("lines", 0..=0, |this, _args| {
        bounded_list(this.lines().map(Value::from).collect())
    }),
    entry("matches", 1..=1, |this, args| {
        Ok(pattern(args, 0, matches_whole)?.is_match(this).into())
    }),
    entry("repeat", 1..=1, |this, args| {
        let count = position(integer(args, 0)?, TEXT_BYTES_MAX)?;
        if this.len().saturating_mul(count) > TEXT_BYTES_MAX {
            return Err(EvalErrorKind::Limit("length of text"));
        }
        Ok(this.repeat(count).into())
    }),
    entry("replace", 2..=2, |this, args| {
        let (from, to) = (text(args, 0)?, text(args, 1)?);
        let growth = this.len().saturating_add(1).saturating_mul(to.len());
        if from.is_empty() && growth > TEXT_BYTES_MAX {
            return Err(EvalErrorKind::Limit("length of text"));
        }
        let count = this.matches(from.as_str()).count();
        if count.saturating_mul(to.len()) > TEXT_BYTES_MAX {
            return Err(EvalErrorKind::Limit("length of text"));
        }
        bounded(this.replace(from.as_str(), &to))
    }),
    entry("replaceAll", 2..=2, |this, args| {
        replace(
            this,
            pattern(args, 0, compile_regex)?.as_ref(),
            &text(args, 1)?,
            usize::MAX,
        )
    }),
    entry("replaceFirst", 2..=2, |this, args| {
        replace(
            this,
            pattern(args, 0, compile_regex)?.as_ref(),
            &text(args, 1)?,
            1,
        )
    }),
    entry("split", 1..=2, |this, args| {
        let limit = if args.len() > 1 { integer(args, 1)? } else { 0 };
        split(this, pattern(args, 0, compile_regex)?.as_ref(), limit)
    }),
    entry("startsWith", 1..=2, |this, args| {
        let from = if args.len() > 1 { integer(args, 1)? } else { 0 };
        let rest = usize::try_from(from)
            .ok()
            .and_then(|from| byte_offset(this, from))
            .map(|offset| &this[offset..]);
        let prefix = text(args, 0)?;
        Ok(rest
            .is_some_and(|rest| rest.starts_with(prefix.as_str()))
            .into())
    }),
    entry("strip", 0..=0, |this, _args| Ok(this.trim().into())),
    entry("stripLeading", 0..=0, |this, _args| {
        Ok(this.trim_start().into())
    }),
    entry("stripTrailing", 0..=0, |this, _args| {
        Ok(this.trim_end().into())
    }),
    entry("subSequence", 2..=2, |this, args| {
        substring(this, integer(args, 0)?, Some(integer(args, 1)?))
    }),
    entry("substring", 1..=2, |this, args| {
        let end = if args.len() > 1 {
            Some(integer(args, 1)?)
        } else {
            None
        };
        substring(this, integer(args, 0)?, end)
    }),
    entry("toLowerCase", 0..=1, |this, _args| {
        bounded(this.to_lowercase())
    }),
    entry("toString", 0..=0, |this, _args| Ok(this.clone().into())),
    entry("toUpperCase", 0..=1, |this, _args| {
        bounded(this.to_uppercase())
    }),
    entry("trim", 0..=0, |this, _args| {
        // Java's trim takes away everything up to and including the blank.
        Ok(this.trim_matches(|c: char| c <= ' ').into())
    }),
];

/// Returns the character at a position as text.
pub(crate) fn char_at(this: &str, index: i64) -> Outcome {
    let found = usize::try_from(index)
        .ok()
        .and_then(|position| this.chars().nth(position));
    found
        .map(|c| Value::from(c.to_string()))
        .ok_or_else(|| EvalErrorKind::OutOfRange {
            index,
            length: length(this),
        })
}

fn length(this: &str) -> usize {
    if this.is_ascii() {
        this.len()
    } else {
        this.chars().count()
    }
}

/// Returns the byte offset of a character position; the end is a position too.
fn byte_offset(this: &str, position: usize) -> Option<usize> {
    if this.is_ascii() {
        return (position <= this.len()).then_some(position);
    }
    this.char_indices()
        .map(|(offset, _)| offset)
        .chain([this.len()])
        .nth(position)
}

/// Converts a byte offset to a character position; not found is -1.
fn character_index(this: &str, offset: Option<usize>) -> Value {
    offset.map_or(Value::Integer(-1), |offset| length(&this[..offset]).into())
}

fn substring(this: &str, from: i64, to: Option<i64>) -> Outcome {
    let length = length(this);
    let start = position(from, length)?;
    let end = to.map_or(Ok(length), |to| position(to, length))?;
    if start > end {
        return Err(EvalErrorKind::OutOfRange {
            index: from,
            length: end,
        });
    }
    let offsets = byte_offset(this, start).zip(byte_offset(this, end));
    let (start, end) = offsets.unwrap_or((this.len(), this.len()));
    Ok(this[start..end].into())
}

fn order(ordering: std::cmp::Ordering) -> Value {
    Value::Integer(ordering as i64)
}

/// The hash of `String.hashCode`, which people use to spread keys.
fn hash_code(this: &str) -> i32 {
    this.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// Splits as Java does: a limit of zero drops empty texts at the end.
fn split(this: &str, regex: &Regex, limit: i64) -> Outcome {
    let mut parts: Vec<&str> = match usize::try_from(limit) {
        Ok(limit) if limit > 0 => regex.splitn(this, limit).collect(),
        _ => regex.split(this).collect(),
    };
    let begins_empty = regex.find(this).is_some_and(|found| found.end() == 0);
    if parts.len() > 1 && begins_empty && parts[0].is_empty() {
        parts.remove(0);
    }
    if limit == 0 && parts.len() > 1 {
        while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
    }
    bounded_list(parts.into_iter().map(Value::from).collect())
}

/// Replaces matches; `$n` in the replacement is a group and `\` makes the next character literal.
fn replace(this: &str, regex: &Regex, replacement: &str, count: usize) -> Outcome {
    let mut out = String::new();
    let mut rest_from = 0;
    for captures in regex.captures_iter(this).take(count) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        out.push_str(&this[rest_from..whole.start()]);
        expand(replacement, &captures, &mut out)?;
        if out.len() > TEXT_BYTES_MAX {
            return Err(EvalErrorKind::Limit("length of text"));
        }
        rest_from = whole.end();
    }
    out.push_str(&this[rest_from..]);
    bounded(out)
}

fn expand(
    replacement: &str,
    captures: &Captures<'_>,
    out: &mut String,
) -> Result<(), EvalErrorKind> {
    let mut characters = replacement.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            '$' => {
                let digit = characters.next().and_then(|c| c.to_digit(10));
                let group = digit
                    .and_then(|digit| usize::try_from(digit).ok())
                    .filter(|group| *group < captures.len())
                    .ok_or_else(|| {
                        EvalErrorKind::Method(
                            "replacement names a group that does not exist".to_owned(),
                        )
                    })?;
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(())
}
