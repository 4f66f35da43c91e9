//! Numbers as text: plain, by a pattern (`format-number`, XSLT 1.0 §12.3), and as numbering (§7.7).

/// Most digits that a pattern may ask for.
const DIGITS_MAX: usize = 100;
/// Largest number written in Roman numerals.
const ROMAN_MAX: u64 = 4_999;

/// The text of a number without exponent.
pub(crate) fn plain(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        number.to_string()
    }
}

/// The signs of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    pub(crate) decimal: char,
    pub(crate) grouping: char,
    pub(crate) percent: char,
    pub(crate) per_mille: char,
    pub(crate) zero: char,
    pub(crate) digit: char,
    pub(crate) separator: char,
    pub(crate) minus: char,
    pub(crate) infinity: String,
    pub(crate) nan: String,
}

impl Default for Signs {
    fn default() -> Self {
        Self {
            decimal: '.',
            grouping: ',',
            percent: '%',
            per_mille: '\u{2030}',
            zero: '0',
            digit: '#',
            separator: ';',
            minus: '-',
            infinity: "Infinity".to_owned(),
            nan: "NaN".to_owned(),
        }
    }
}

/// One half of a pattern, taken apart.
#[derive(Default)]
struct Picture {
    prefix: String,
    suffix: String,
    integers_min: usize,
    fractions_min: usize,
    fractions_max: usize,
    /// Digits of a group; 0 for no groups.
    group: usize,
    factor: f64,
}

/// Writes a number by a pattern.
///
/// # Errors
/// Says what is wrong with the pattern.
pub(crate) fn format(number: f64, pattern: &str, signs: &Signs) -> Result<String, String> {
    if number.is_nan() {
        return Ok(signs.nan.clone());
    }
    let (positive, negative) = match pattern.split_once(signs.separator) {
        Some((positive, negative)) => (positive, Some(negative)),
        None => (pattern, None),
    };
    let mut picture = picture(positive, signs)?;
    if number < 0.0 {
        match negative {
            Some(negative) => {
                let negative = self::picture(negative, signs)?;
                (picture.prefix, picture.suffix) = (negative.prefix, negative.suffix);
            }
            None => picture.prefix.insert(0, signs.minus),
        }
    }
    let magnitude = number.abs() * picture.factor;
    let digits = if magnitude.is_infinite() {
        signs.infinity.clone()
    } else {
        digits(magnitude, &picture, signs)
    };
    Ok(format!("{}{digits}{}", picture.prefix, picture.suffix))
}

fn picture(pattern: &str, signs: &Signs) -> Result<Picture, String> {
    let mut picture = Picture {
        factor: 1.0,
        ..Picture::default()
    };
    let (mut has_digits, mut is_fraction, mut is_suffix) = (false, false, false);
    let mut since_group = None;
    for character in pattern.chars() {
        let is_digit = character == signs.zero || character == signs.digit;
        let is_active = is_digit || character == signs.decimal || character == signs.grouping;
        if is_active && is_suffix {
            return Err(format!("{pattern:?} has digits behind other text"));
        }
        if is_digit {
            has_digits = true;
            if is_fraction {
                picture.fractions_max += 1;
                picture.fractions_min += usize::from(character == signs.zero);
            } else {
                picture.integers_min += usize::from(character == signs.zero);
                since_group = since_group.map(|count: usize| count + 1);
            }
        } else if character == signs.decimal {
            if std::mem::replace(&mut is_fraction, true) {
                return Err(format!("{pattern:?} has two decimal points"));
            }
        } else if character == signs.grouping {
            since_group = Some(0);
        } else {
            if character == signs.percent {
                picture.factor = 100.0;
            } else if character == signs.per_mille {
                picture.factor = 1000.0;
            }
            if has_digits || is_fraction {
                is_suffix = true;
                picture.suffix.push(character);
            } else {
                picture.prefix.push(character);
            }
        }
    }
    if !has_digits {
        return Err(format!("{pattern:?} has no digits"));
    }
    if picture.integers_min > DIGITS_MAX || picture.fractions_max > DIGITS_MAX {
        return Err(format!("more than {DIGITS_MAX} digits"));
    }
    picture.group = since_group.unwrap_or(0);
    Ok(picture)
}

fn digits(magnitude: f64, picture: &Picture, signs: &Signs) -> String {
    let written = format!("{magnitude:.*}", picture.fractions_max);
    let (integers, fractions) = written.split_once('.').unwrap_or((&written, ""));
    let integers = integers.trim_start_matches('0');
    let padding = picture.integers_min.saturating_sub(integers.len());
    let integers = format!("{}{integers}", "0".repeat(padding));
    let kept = fractions
        .trim_end_matches('0')
        .len()
        .max(picture.fractions_min);
    let fractions = fractions.get(..kept).unwrap_or(fractions);
    let mut out = String::new();
    for (index, digit) in integers.chars().enumerate() {
        let left = integers.len() - index;
        if index > 0 && picture.group > 0 && left % picture.group == 0 {
            out.push(signs.grouping);
        }
        out.push(shifted(digit, signs));
    }
    if !fractions.is_empty() {
        out.push(signs.decimal);
        out.extend(fractions.chars().map(|digit| shifted(digit, signs)));
    }
    if out.is_empty() {
        out.push(signs.zero);
    }
    out
}

/// The digit in the script of the pattern's zero.
fn shifted(digit: char, signs: &Signs) -> char {
    let value = digit.to_digit(10).unwrap_or(0);
    char::from_u32(u32::from(signs.zero) + value).unwrap_or(digit)
}

/// Writes numbers by the format of `xsl:number`: its letters and digits are one number each, what stands between them
/// separates.
pub(crate) fn numbering(numbers: &[u64], format: &str) -> String {
    let mut tokens: Vec<(String, String)> = Vec::new();
    let mut text = String::new();
    let mut token = String::new();
    for character in format.chars() {
        if character.is_alphanumeric() {
            token.push(character);
        } else {
            if !token.is_empty() {
                tokens.push((std::mem::take(&mut text), std::mem::take(&mut token)));
            }
            text.push(character);
        }
    }
    if !token.is_empty() {
        tokens.push((std::mem::take(&mut text), token));
    }
    let default = (String::new(), "1".to_owned());
    let mut out = String::new();
    for (index, number) in numbers.iter().enumerate() {
        let (before, token) = tokens.get(index).or(tokens.last()).unwrap_or(&default);
        // More numbers than tokens: the last one is repeated, behind its separator or a point.
        match (index, before.as_str()) {
            (0, before) => out.push_str(before),
            (_, "") => out.push('.'),
            (index, before) if index < tokens.len() || tokens.len() > 1 => out.push_str(before),
            _ => out.push('.'),
        }
        out.push_str(&one(*number, token));
    }
    out.push_str(&text);
    out
}

fn one(number: u64, token: &str) -> String {
    match token {
        "a" | "A" if number > 0 => {
            let letters = letters(number);
            if token == "A" {
                letters
            } else {
                letters.to_lowercase()
            }
        }
        "i" | "I" if (1..=ROMAN_MAX).contains(&number) => {
            let numerals = roman(number);
            if token == "I" {
                numerals
            } else {
                numerals.to_lowercase()
            }
        }
        token => format!(
            "{number:0>width$}",
            width = token.chars().count().min(DIGITS_MAX)
        ),
    }
}

fn letters(mut number: u64) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        let letter = u8::try_from(number % 26).unwrap_or_default();
        letters.push(char::from(b'A' + letter));
        number /= 26;
    }
    letters.iter().rev().collect()
}

fn roman(mut number: u64) -> String {
    const NUMERALS: &[(u64, &str)] = &[
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut out = String::new();
    for (value, numeral) in NUMERALS {
        while number >= *value {
            out.push_str(numeral);
            number -= value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Signs, format, numbering, plain};

    #[test]
    fn numbers_are_written_by_their_pattern() {
        for (number, pattern, text) in [
            (1234.5, "#,##0.00", "1,234.50"),
            (0.5, "#", "0"),
            (0.25, "0%", "25%"),
            (-3.0, "0.0", "-3.0"),
            (-3.0, "0;(0)", "(3)"),
            (1_000_000.0, "#,###", "1,000,000"),
            (7.0, "000", "007"),
            (f64::NAN, "0", "NaN"),
            (f64::INFINITY, "0", "Infinity"),
            (0.126, "$0.##", "$0.13"),
        ] {
            assert_eq!(
                format(number, pattern, &Signs::default()).unwrap(),
                text,
                "{pattern}"
            );
        }
        for pattern in ["", "abc", "0.0.0", "0a0"] {
            assert!(
                format(1.0, pattern, &Signs::default()).is_err(),
                "{pattern}"
            );
        }
    }

    #[test]
    fn numberings_follow_their_format() {
        for (numbers, pattern, text) in [
            (&[3][..], "1", "3"),
            (&[3], "01. ", "03. "),
            (&[28], "A", "AB"),
            (&[4, 9], "I.i", "IV.ix"),
            (&[1, 2, 3], "1.1", "1.2.3"),
            (&[1, 2], "(a)", "(a.b)"),
            (&[0], "a", "0"),
        ] {
            assert_eq!(numbering(numbers, pattern), text, "{pattern}");
        }
        assert_eq!(plain(1e21), "1000000000000000000000");
        assert_eq!(plain(-0.0), "0");
    }
}
