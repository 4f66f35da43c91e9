//! Conversions between value types, as the reference engine does them (`toString` forms of Java).

use super::{Text, Value};
use crate::limits::TEXT_BYTES_MAX;

impl Value {
    /// Renders the value as text; `Null` gives `None`.
    #[must_use]
    pub fn to_text(&self) -> Option<Text> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Text::constant("true")),
            Self::Bool(false) => Some(Text::constant("false")),
            Self::Text(text) => Some(text.clone()),
            Self::Object(object) => Some(object.to_text()),
            Self::Integer(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => {
                let mut out = String::new();
                self.write_text(&mut out);
                Some(out.into())
            }
        }
    }

    /// Appends the text form; `Null` inside a list or map prints as `null`.
    ///
    /// Stops once `out` has passed the longest text allowed, so that a list of many references to
    /// one long text cannot fill the memory.
    pub(crate) fn write_text(&self, out: &mut String) {
        if out.len() > TEXT_BYTES_MAX {
            return;
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Float(value) => write_float(*value, out),
            Self::Text(text) => out.push_str(text),
            Self::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write_text(out);
                }
            }
            Self::Map(map) => {
                out.push('{');
                for (index, (key, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(key);
                    out.push('=');
                    value.write_text(out);
                }
                out.push('}');
            }
            Self::Object(object) => out.push_str(&object.to_text()),
        }
    }

    /// Converts to a boolean: `true on yes 1` and `false off no 0` in any case, trimmed.
    #[must_use]
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Integer(value) => Some(*value != 0),
            Self::Text(text) => bool_from_text(text),
            _ => None,
        }
    }

    /// Converts to a whole number; text is trimmed and parsed, a fraction is refused.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(value) => whole(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Converts to a number with a fraction; text is trimmed and parsed.
    #[must_use]
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "numeric promotion of the language is a Java long to double conversion"
            )]
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

fn bool_from_text(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || is("on") || is("yes") || is("1") {
        Some(true)
    } else if is("false") || is("off") || is("no") || is("0") {
        Some(false)
    } else {
        None
    }
}

/// Returns the whole number that `value` stands for, if it is one and fits.
fn whole(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || !(-LIMIT..LIMIT).contains(&value) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "range and fraction were checked"
    )]
    Some(value as i64)
}

/// Writes a float as `Double.toString` does: `1.0`, `0.001`, `1.0E7`, `NaN`.
fn write_float(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        out.push_str(&format!("{value:?}"));
    } else {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        out.push_str(mantissa);
        if !mantissa.contains('.') {
            out.push_str(".0");
        }
        out.push('E');
        out.push_str(exponent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_java_prints_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (-1.5e300, "-1.5E300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (0.0, "0.0"),
        ] {
            assert_eq!(Value::Float(value).to_text().as_deref(), Some(expected));
        }
    }

    #[test]
    fn text_becomes_boolean_by_trimming_and_known_words() {
        for (text, expected) in [
            (" TRUE ", Some(true)),
            ("on", Some(true)),
            ("1", Some(true)),
            ("no", Some(false)),
            ("0 ", Some(false)),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(Value::from(text).to_bool(), expected, "{text:?}");
        }
    }

    #[test]
    fn whole_floats_convert_to_integers_and_others_do_not() {
        assert_eq!(Value::Float(3.0).to_i64(), Some(3));
        assert_eq!(Value::Float(3.5).to_i64(), None);
        assert_eq!(Value::Float(1e30).to_i64(), None);
        assert_eq!(Value::from(" 42 ").to_i64(), Some(42));
    }

    #[test]
    fn lists_join_with_commas_and_maps_print_entries() {
        let list = Value::list([Value::from(1), Value::from("a"), Value::Null]);
        assert_eq!(list.to_text().as_deref(), Some("1,a,null"));
        let map: super::super::ValueMap = [("a", 1), ("b", 2)].into_iter().collect();
        assert_eq!(Value::from(map).to_text().as_deref(), Some("{a=1, b=2}"));
    }
}
