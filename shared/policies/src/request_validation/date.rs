//! Java date patterns (`java.text.SimpleDateFormat`) as formats of the `time` crate.

use time::error::{Parse, TryFromParsed};
use time::format_description::{OwnedFormatItem, parse_owned};
use time::{Date, Time};

/// Longest pattern in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// A date pattern ready to compare.
#[derive(Debug)]
pub(super) struct DatePattern(OwnedFormatItem);

impl DatePattern {
    /// Translates a pattern; the error says what could have stood there.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "a date pattern of at most {PATTERN_BYTES_MAX} bytes"
            ));
        }
        let mut format = String::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                rest = quoted(&rest[1..], &mut format)?;
                continue;
            }
            let end = rest.find(|other| other != first).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            if first.is_ascii_alphabetic() {
                format.push_str(component(first, run.len())?);
            } else {
                literal(run, &mut format);
            }
            rest = after;
        }
        parse_owned::<2>(&format)
            .map(Self)
            .map_err(|_error| "a date pattern".to_owned())
    }

    /// Tells whether a text is a date, or a time of day, of this form.
    pub(super) fn matches(&self, text: &str) -> bool {
        match Date::parse(text, &self.0) {
            Ok(_) => true,
            Err(Parse::TryFromParsed(TryFromParsed::InsufficientInformation)) => {
                Time::parse(text, &self.0).is_ok()
            }
            Err(_) => false,
        }
    }
}

/// Reads up to the closing quote; two quotes, inside or alone, are one that is meant.
fn quoted<'p>(mut rest: &'p str, format: &mut String) -> Result<&'p str, String> {
    if let Some(after) = rest.strip_prefix('\'') {
        literal("'", format);
        return Ok(after);
    }
    loop {
        let (text, after) = rest.split_once('\'').ok_or("a closing quote")?;
        literal(text, format);
        let Some(after_two) = after.strip_prefix('\'') else {
            return Ok(after);
        };
        literal("'", format);
        rest = after_two;
    }
}

fn literal(text: &str, format: &mut String) {
    for character in text.chars() {
        if matches!(character, '[' | ']' | '\\') {
            format.push('\\');
        }
        format.push(character);
    }
}

fn component(letter: char, count: usize) -> Result<&'static str, String> {
    Ok(match (letter, count) {
        ('y' | 'u', 4) => "[year]",
        ('y', 2) => "[year repr:last_two base:calendar]",
        ('M', 1) => "[month padding:none]",
        ('M', 2) => "[month]",
        ('M', 3) => "[month repr:short]",
        ('M', 4) => "[month repr:long]",
        ('d', 1) => "[day padding:none]",
        ('d', 2) => "[day]",
        ('D', 3) => "[ordinal]",
        ('E', 1..=3) => "[weekday repr:short]",
        ('E', 4) => "[weekday repr:long]",
        ('H', 1) => "[hour padding:none]",
        ('H', 2) => "[hour]",
        ('h', 1) => "[hour repr:12 padding:none]",
        ('h', 2) => "[hour repr:12]",
        ('a', 1) => "[period]",
        ('m', 2) => "[minute]",
        ('s', 2) => "[second]",
        ('S', 1) => "[subsecond digits:1]",
        ('S', 2) => "[subsecond digits:2]",
        ('S', 3) => "[subsecond digits:3]",
        ('Z', 1) | ('X', 2) => "[offset_hour sign:mandatory][offset_minute]",
        ('X', 3) => "[offset_hour sign:mandatory]:[offset_minute]",
        ('X', 1) => "[offset_hour sign:mandatory]",
        _ => return Err(format!("a date pattern without {letter:?} in this length")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_dates_and_times() {
        for (pattern, text, expected) in [
            ("yyyy-MM-dd", "2024-02-29", true),
            ("yyyy-MM-dd", "2023-02-29", false),
            ("yyyy-MM-dd", "2024-2-1", false),
            ("yyyy-MM-dd", "2024-02-01x", false),
            ("dd/MM/yyyy", "01/02/2024", true),
            ("d MMM yyyy", "1 Feb 2024", true),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "2024-02-01T10:20:30.123+01:00",
                true,
            ),
            ("yyyy-MM-dd'T'HH:mm:ssZ", "2024-02-01T10:20:30+0100", true),
            ("HH:mm", "23:59", true),
            ("HH:mm", "24:00", false),
            ("'it''s' yyyyMMdd", "it's 20240201", true),
        ] {
            let compiled = DatePattern::compile(pattern).unwrap();
            assert_eq!(compiled.matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_cannot_be_translated_is_refused() {
        for pattern in ["", "yyyy-QQ", "yyyy'x"] {
            assert!(DatePattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
