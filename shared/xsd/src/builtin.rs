//! The types that every schema has (XML Schema Part 2 §3), and what their texts mean.

use crate::decimal::Decimal;
use crate::instant::{self, Instant};
use crate::name::{is_name_character, is_name_start, is_ncname};

/// A type of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    AnySimple,
    String,
    NormalizedString,
    Token,
    Language,
    NmToken,
    Name,
    NcName,
    Id,
    IdRef,
    Boolean,
    Decimal,
    /// Whole numbers with their least and most.
    Integer(&'static str, &'static str),
    Float,
    Double,
    Duration,
    DateTime,
    Time,
    Date,
    YearMonth,
    Year,
    MonthDay,
    Day,
    Month,
    HexBinary,
    Base64Binary,
    AnyUri,
    QName,
}

/// How white space is handled before a text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WhiteSpace {
    Preserve,
    Replace,
    Collapse,
}

/// A value that can be compared.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Ordered {
    Decimal(Decimal),
    Float(f64),
    Instant(Instant),
}

/// Names of the atomic types and of those that they narrow, which come before them.
pub(crate) const BUILTINS: [(&str, &str, Builtin); 40] = [
    ("anySimpleType", "anySimpleType", Builtin::AnySimple),
    ("string", "anySimpleType", Builtin::String),
    ("normalizedString", "string", Builtin::NormalizedString),
    ("token", "normalizedString", Builtin::Token),
    ("language", "token", Builtin::Language),
    ("NMTOKEN", "token", Builtin::NmToken),
    ("Name", "token", Builtin::Name),
    ("NCName", "Name", Builtin::NcName),
    ("ID", "NCName", Builtin::Id),
    ("IDREF", "NCName", Builtin::IdRef),
    ("boolean", "anySimpleType", Builtin::Boolean),
    ("decimal", "anySimpleType", Builtin::Decimal),
    ("integer", "decimal", Builtin::Integer("", "")),
    ("nonPositiveInteger", "integer", Builtin::Integer("", "0")),
    (
        "negativeInteger",
        "nonPositiveInteger",
        Builtin::Integer("", "-1"),
    ),
    (
        "long",
        "integer",
        Builtin::Integer("-9223372036854775808", "9223372036854775807"),
    ),
    ("int", "long", Builtin::Integer("-2147483648", "2147483647")),
    ("short", "int", Builtin::Integer("-32768", "32767")),
    ("byte", "short", Builtin::Integer("-128", "127")),
    ("nonNegativeInteger", "integer", Builtin::Integer("0", "")),
    (
        "unsignedLong",
        "nonNegativeInteger",
        Builtin::Integer("0", "18446744073709551615"),
    ),
    (
        "unsignedInt",
        "unsignedLong",
        Builtin::Integer("0", "4294967295"),
    ),
    (
        "unsignedShort",
        "unsignedInt",
        Builtin::Integer("0", "65535"),
    ),
    (
        "unsignedByte",
        "unsignedShort",
        Builtin::Integer("0", "255"),
    ),
    (
        "positiveInteger",
        "nonNegativeInteger",
        Builtin::Integer("1", ""),
    ),
    ("float", "anySimpleType", Builtin::Float),
    ("double", "anySimpleType", Builtin::Double),
    ("duration", "anySimpleType", Builtin::Duration),
    ("dateTime", "anySimpleType", Builtin::DateTime),
    ("time", "anySimpleType", Builtin::Time),
    ("date", "anySimpleType", Builtin::Date),
    ("gYearMonth", "anySimpleType", Builtin::YearMonth),
    ("gYear", "anySimpleType", Builtin::Year),
    ("gMonthDay", "anySimpleType", Builtin::MonthDay),
    ("gDay", "anySimpleType", Builtin::Day),
    ("gMonth", "anySimpleType", Builtin::Month),
    ("hexBinary", "anySimpleType", Builtin::HexBinary),
    ("base64Binary", "anySimpleType", Builtin::Base64Binary),
    ("anyURI", "anySimpleType", Builtin::AnyUri),
    ("QName", "anySimpleType", Builtin::QName),
];

/// Lists of the specification, by the type of their items.
pub(crate) const BUILTIN_LISTS: [(&str, &str); 2] = [("NMTOKENS", "NMTOKEN"), ("IDREFS", "IDREF")];

impl Builtin {
    pub(crate) fn white_space(self) -> WhiteSpace {
        match self {
            Self::AnySimple | Self::String => WhiteSpace::Preserve,
            Self::NormalizedString => WhiteSpace::Replace,
            _ => WhiteSpace::Collapse,
        }
    }

    /// Whether a text, its white space handled, is one of this type.
    pub(crate) fn accepts(self, text: &str) -> bool {
        match self {
            Self::AnySimple | Self::String | Self::NormalizedString | Self::Token => true,
            Self::Language => is_language(text),
            Self::NmToken => !text.is_empty() && text.chars().all(is_colon_name),
            Self::Name => {
                text.starts_with(|first| first == ':' || is_name_start(first))
                    && text.chars().all(is_colon_name)
            }
            Self::NcName | Self::Id | Self::IdRef => is_ncname(text),
            Self::Boolean => matches!(text, "true" | "false" | "1" | "0"),
            Self::HexBinary => {
                text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Base64Binary => base64_bytes(text).is_some(),
            Self::AnyUri => !text.contains([' ', '<', '>', '"', '{', '}', '|', '\\', '^', '`']),
            Self::QName => {
                let (prefix, local) = text.split_once(':').unwrap_or(("x", text));
                is_ncname(prefix) && is_ncname(local)
            }
            Self::Duration => instant::is_duration(text),
            Self::Integer(least, most) => {
                let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
                !digits.is_empty()
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && Decimal::parse(text).is_some_and(|value| {
                        let within = |limit: &str, is_least: bool| {
                            Decimal::parse(limit).is_none_or(|limit| {
                                if is_least {
                                    limit <= value
                                } else {
                                    value <= limit
                                }
                            })
                        };
                        within(least, true) && within(most, false)
                    })
            }
            _ => self.ordered(text).is_some(),
        }
    }

    /// The value of a text, for types whose values have an order.
    pub(crate) fn ordered(self, text: &str) -> Option<Ordered> {
        match self {
            Self::Decimal | Self::Integer(..) => Decimal::parse(text).map(Ordered::Decimal),
            Self::Float | Self::Double => float(text).map(Ordered::Float),
            Self::DateTime => instant::date_time(text).map(Ordered::Instant),
            Self::Date => instant::date(text).map(Ordered::Instant),
            Self::Time => instant::time(text).map(Ordered::Instant),
            Self::YearMonth => instant::year_month(text).map(Ordered::Instant),
            Self::Year => instant::year(text).map(Ordered::Instant),
            Self::MonthDay => instant::month_day(text).map(Ordered::Instant),
            Self::Day => instant::day(text).map(Ordered::Instant),
            Self::Month => instant::month(text).map(Ordered::Instant),
            _ => None,
        }
    }

    /// Whether the values of the type have an order.
    pub(crate) fn has_order(self) -> bool {
        matches!(
            self,
            Self::Decimal
                | Self::Integer(..)
                | Self::Float
                | Self::Double
                | Self::DateTime
                | Self::Date
                | Self::Time
                | Self::YearMonth
                | Self::Year
                | Self::MonthDay
                | Self::Day
                | Self::Month
        )
    }

    /// The length that length facets speak of; `None` where there is none.
    pub(crate) fn length(self, text: &str) -> Option<usize> {
        match self {
            Self::HexBinary => Some(text.len() / 2),
            Self::Base64Binary => base64_bytes(text),
            Self::QName => None,
            other if other.has_order() => None,
            Self::Boolean | Self::Duration => None,
            _ => Some(text.chars().count()),
        }
    }

    /// Whether two texts of this type are the same value.
    pub(crate) fn are_equal(self, one: &str, other: &str) -> bool {
        if one == other {
            return true;
        }
        match self {
            Self::Boolean => {
                let truth = |text: &str| matches!(text, "true" | "1");
                truth(one) == truth(other)
            }
            Self::HexBinary => one.eq_ignore_ascii_case(other),
            ordered if ordered.has_order() => {
                let (one, other) = (self.ordered(one), self.ordered(other));
                one.is_some() && one == other
            }
            _ => false,
        }
    }
}

fn is_colon_name(character: char) -> bool {
    character == ':' || is_name_character(character)
}

/// `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*`.
fn is_language(text: &str) -> bool {
    text.split('-').enumerate().all(|(index, part)| {
        (1..=8).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || index > 0 && byte.is_ascii_digit())
    })
}

fn float(text: &str) -> Option<f64> {
    match text {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        number
            if number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) =>
        {
            number.parse().ok()
        }
        _ => None,
    }
}

/// The length of what a Base64 text stands for.
fn base64_bytes(text: &str) -> Option<usize> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let padding = digits
        .iter()
        .rev()
        .take_while(|byte| **byte == b'=')
        .count();
    let letters = &digits[..digits.len() - padding];
    let is_well_formed = digits.len().is_multiple_of(4)
        && padding <= 2
        && letters
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    is_well_formed.then(|| digits.len() / 4 * 3 - padding)
}
