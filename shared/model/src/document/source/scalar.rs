//! YAML scalars to JSON values, by the core schema of YAML 1.2 (§10.3.2): `yes`, `on` and `012` are no surprises.

use serde_json::{Number, Value};

/// The value of a plain scalar; the error says what a number must be.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::from(text));
    }
    let in_base =
        |digits: &str, base: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    const WHOLE: &str = "a whole number of 64 bits, or a text in quotes";
    if let Some(octal) = text.strip_prefix("0o").filter(|digits| in_base(digits, 8)) {
        return u64::from_str_radix(octal, 8)
            .map(Value::from)
            .ok()
            .ok_or(WHOLE);
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|digits| in_base(digits, 16)) {
        return u64::from_str_radix(hex, 16)
            .map(Value::from)
            .ok()
            .ok_or(WHOLE);
    }
    if in_base(digits, 10) {
        let signed = text.parse::<i64>().map(Value::from);
        return signed
            .or_else(|_| text.parse::<u64>().map(Value::from))
            .ok()
            .ok_or(WHOLE);
    }
    if is_float(digits) {
        let number = text.parse::<f64>().ok().and_then(Number::from_f64);
        return number
            .map(Value::Number)
            .ok_or("a finite number, or a text in quotes");
    }
    Ok(Value::from(text))
}

/// `1.5`, `.5`, `1.`, `1e3`: digits with at most one dot, then perhaps an exponent.
fn is_float(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(index) => (&digits[..index], Some(&digits[index + 1..])),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_fine = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    all_digits(whole)
        && all_digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent_is_fine
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::plain;

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("012", json!(12)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            (".", json!(".")),
            ("1.2.3", json!("1.2.3")),
            ("1_000", json!("1_000")),
            ("2024-01-02", json!("2024-01-02")),
            ("-", json!("-")),
            (".inf", json!(".inf")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), Ok(value), "{text:?}");
        }
        assert!(plain("18446744073709551616").is_err());
        assert!(plain("1e999").is_err());
    }
}
