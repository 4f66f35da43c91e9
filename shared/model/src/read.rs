//! Reads typed values out of a JSON document and collects every violation on the way.
//!
//! A value that cannot be read is reported and replaced by a default, so that reading goes on and one pass finds all
//! that is wrong. Scalars are converted where the meaning is plain: `"5"` is a number, `"true"` a flag, `5` a text.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::violation::Violation;

/// The most violations reported for one document: more help nobody and cost memory.
pub(crate) const VIOLATIONS_MAX: usize = 200;
/// Parts of member names whose values are never shown.
const SECRET_NAMES: &[&str] = &[
    "password",
    "secret",
    "token",
    "jaas",
    "credential",
    "keycontent",
    "passphrase",
    "apikey",
    "authorization",
    "privatekey",
];

/// A closed set of names, read ignoring case and taking `-` and `_` as equal.
pub(crate) trait Label: Copy + PartialEq + 'static {
    /// Every member with its canonical name.
    const LABELS: &'static [(&'static str, Self)];

    /// The member with this name.
    fn from_label(text: &str) -> Option<Self> {
        Self::LABELS
            .iter()
            .find(|(name, _)| is_same_label(name, text))
            .map(|(_, label)| *label)
    }

    /// The canonical name.
    fn label(self) -> &'static str {
        Self::LABELS
            .iter()
            .find(|(_, label)| *label == self)
            .map_or("", |(name, _)| name)
    }

    /// The names for a message: `a, b or c`.
    fn names() -> String {
        let names: Vec<&str> = Self::LABELS.iter().map(|(name, _)| *name).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }
}

/// True if two labels are equal, ignoring case and taking `-` and `_` as equal.
pub(crate) fn is_same_label(a: &str, b: &str) -> bool {
    let fold = |byte: u8| {
        if byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// Collects violations, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Findings(RefCell<Vec<Violation>>);

impl Findings {
    /// Adds one, unless there are too many already.
    pub(crate) fn add(&self, violation: Violation) {
        let mut found = self.0.borrow_mut();
        if found.len() < VIOLATIONS_MAX {
            found.push(violation);
        }
    }

    /// Adds one unless the same was added before.
    pub(crate) fn add_once(&self, violation: Violation) {
        if !self.0.borrow().contains(&violation) {
            self.add(violation);
        }
    }

    /// Reports a value at a path.
    pub(crate) fn report(
        &self,
        path: impl Into<String>,
        value: &Value,
        expected: impl Into<String>,
    ) {
        let path = path.into();
        let shown = shown(&path, value);
        self.add(Violation::new(path, shown, expected));
    }

    /// Reports a text at a path.
    pub(crate) fn report_text(
        &self,
        path: impl Into<String>,
        text: &str,
        expected: impl Into<String>,
    ) {
        self.report(path, &Value::from(text), expected);
    }

    /// `value` if nothing was found, else the violations in the order of their discovery.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Violation>> {
        let found = self.0.into_inner();
        if found.is_empty() {
            Ok(value)
        } else {
            Err(found)
        }
    }
}

/// A value of a document with its path.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    value: &'a Value,
    path: String,
    findings: &'a Findings,
}

impl<'a> At<'a> {
    /// The document as a whole.
    pub(crate) fn root(value: &'a Value, findings: &'a Findings) -> Self {
        Self {
            value,
            path: String::new(),
            findings,
        }
    }

    /// A part of a document, known by its path.
    pub(crate) fn new(value: &'a Value, path: impl Into<String>, findings: &'a Findings) -> Self {
        Self {
            value,
            path: path.into(),
            findings,
        }
    }

    /// Another value in the same place, for a part that is absent.
    pub(crate) fn replaced_by<'b>(&self, value: &'b Value) -> At<'b>
    where
        'a: 'b,
    {
        At {
            value,
            path: self.path.clone(),
            findings: self.findings,
        }
    }

    /// The value.
    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// The path of a member of the value.
    pub(crate) fn path_of(&self, name: &str) -> String {
        member_path(&self.path, name)
    }

    /// Reports the value.
    pub(crate) fn fail(&self, expected: impl Into<String>) {
        self.findings
            .report(self.path.as_str(), self.value, expected);
    }

    /// Reports a missing member.
    pub(crate) fn missing(&self, name: &str, expected: &str) {
        self.findings
            .add(Violation::new(self.path_of(name), "nothing", expected));
    }

    /// The members; another kind of value is reported and has none.
    pub(crate) fn members(&self) -> Option<&'a Map<String, Value>> {
        let members = self.value.as_object();
        if members.is_none() {
            self.fail("an object");
        }
        members
    }

    /// The member called `name`; null is as good as absent.
    pub(crate) fn member(&self, name: &str) -> Option<At<'a>> {
        let value = self
            .value
            .as_object()?
            .get(name)
            .filter(|value| !value.is_null())?;
        Some(At {
            value,
            path: self.path_of(name),
            findings: self.findings,
        })
    }

    /// Every member in document order.
    pub(crate) fn entries(&self) -> Vec<(&'a str, At<'a>)> {
        let entry = |(name, value): (&'a String, &'a Value)| {
            let at = At {
                value,
                path: self.path_of(name),
                findings: self.findings,
            };
            (name.as_str(), at)
        };
        self.members().into_iter().flatten().map(entry).collect()
    }

    /// The items of a list of at most `max`.
    pub(crate) fn items(&self, max: usize) -> Vec<At<'a>> {
        let Some(items) = self.value.as_array() else {
            self.fail("a list");
            return Vec::new();
        };
        if items.len() > max {
            self.fail(format!("at most {max} items"));
        }
        let item = |(index, value)| At {
            value,
            path: format!("{}[{index}]", self.path),
            findings: self.findings,
        };
        items.iter().take(max).enumerate().map(item).collect()
    }

    /// The items of the list `name`; absent is empty.
    pub(crate) fn list(&self, name: &str, max: usize) -> Vec<At<'a>> {
        self.member(name)
            .map(|list| list.items(max))
            .unwrap_or_default()
    }

    /// The value as text of at most `max` characters.
    pub(crate) fn as_text(&self, max: usize) -> Option<String> {
        let text = match self.value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => {
                self.fail("a text (in quotes if it looks like a number)");
                return None;
            }
        };
        if text.chars().count() > max {
            self.fail(format!("at most {max} characters"));
            return None;
        }
        Some(text)
    }

    /// The text `name`, if there is one.
    pub(crate) fn text(&self, name: &str, max: usize) -> Option<String> {
        self.member(name)?.as_text(max)
    }

    /// The text `name`, which must be there and not blank.
    pub(crate) fn required_text(&self, name: &str, max: usize) -> String {
        let Some(member) = self.member(name) else {
            self.missing(name, "a text");
            return String::new();
        };
        let Some(text) = member.as_text(max) else {
            return String::new();
        };
        if text.trim().is_empty() {
            member.fail("a text that is not blank");
        }
        text
    }

    /// The list of texts `name`.
    pub(crate) fn texts(&self, name: &str, items_max: usize, text_max: usize) -> Vec<String> {
        self.list(name, items_max)
            .iter()
            .filter_map(|item| item.as_text(text_max))
            .collect()
    }

    /// The flag `name`.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        let Some(member) = self.member(name) else {
            return default;
        };
        match member.value {
            Value::Bool(flag) => *flag,
            Value::String(text) if text.eq_ignore_ascii_case("true") => true,
            Value::String(text) if text.eq_ignore_ascii_case("false") => false,
            _ => {
                member.fail("true or false");
                default
            }
        }
    }

    /// The integer `name` between `min` and `max`.
    pub(crate) fn integer(&self, name: &str, (min, max): (i64, i64), default: i64) -> i64 {
        let Some(member) = self.member(name) else {
            return default;
        };
        let number = match member.value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64())),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (min..=max).contains(&number) => number,
            _ => {
                member.fail(format!("a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// The natural number `name` between `min` and `max`.
    pub(crate) fn natural(&self, name: &str, (min, max): (u32, u32), default: u32) -> u32 {
        let number = self.integer(name, (min.into(), max.into()), default.into());
        u32::try_from(number).unwrap_or(default)
    }

    /// The label `name`.
    pub(crate) fn label<L: Label>(&self, name: &str, default: L) -> L {
        self.optional_label(name).unwrap_or(default)
    }

    /// The label `name`, if there is one.
    pub(crate) fn optional_label<L: Label>(&self, name: &str) -> Option<L> {
        let member = self.member(name)?;
        let label = member.value.as_str().and_then(L::from_label);
        if label.is_none() {
            member.fail(L::names());
        }
        label
    }

    /// The free object `name` that belongs to a plugin; absent is an empty object, JSON in a text is read.
    pub(crate) fn object(&self, name: &str) -> Value {
        let Some(member) = self.member(name) else {
            return Value::Object(Map::new());
        };
        match member.value {
            Value::Object(_) => member.value.clone(),
            Value::String(text) => match object_in_text(text) {
                Some(object) => object,
                None => {
                    member.fail("an object, or a text that holds one as JSON");
                    Value::Object(Map::new())
                }
            },
            _ => {
                member.fail("an object");
                Value::Object(Map::new())
            }
        }
    }
}

/// The object that a configuration written as JSON text holds; an empty text is an empty object.
pub(crate) fn object_in_text(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return Some(Value::Object(Map::new()));
    }
    serde_json::from_str::<Value>(text)
        .ok()
        .filter(Value::is_object)
}

/// The path of a member below a path.
pub(crate) fn member_path(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

/// The value as a message may show it.
pub(crate) fn shown(path: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(members) => format!("an object of {} members", members.len()),
        Value::Array(items) => format!("a list of {} items", items.len()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) if may_be_secret(path) => {
            "[redacted]".to_owned()
        }
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", without_userinfo(text)),
    }
}

fn may_be_secret(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|name| lower.contains(name))
        || (lower.starts_with("properties[") && lower.ends_with(".value"))
}

/// Hides `user:password@` of a URL.
fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}://[redacted]{}", &rest[at..]),
        None => text.to_owned(),
    }
}

/// A float that is a whole number JSON can name exactly.
fn whole(number: Option<f64>) -> Option<i64> {
    let number = number.filter(|number| number.fract() == 0.0 && number.abs() < 9e15)?;
    format!("{number:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{At, Findings, is_same_label, shown};

    #[test]
    fn labels_ignore_case_and_the_kind_of_dash() {
        assert!(is_same_label("best-match", "BEST_MATCH"));
        assert!(!is_same_label("best-match", "bestmatch"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let cases = [
            ("resources[0].configuration.clientSecret", json!("abc")),
            ("properties[2].value", json!("abc")),
            (
                "endpointGroups[0].sharedConfiguration.ssl.keyStore.password",
                json!(1),
            ),
        ];
        for (path, value) in cases {
            assert_eq!(shown(path, &value), "[redacted]", "{path}");
        }
        assert_eq!(
            shown("target", &json!("ftp://u:p@host/x")),
            "\"ftp://[redacted]@host/x\""
        );
    }

    #[test]
    fn plain_conversions_are_made_and_others_reported() {
        let document = json!({"a": "5", "b": 5.0, "c": "true", "d": 7, "e": 1.5, "f": "x"});
        let findings = Findings::default();
        let at = At::root(&document, &findings);
        assert_eq!(at.integer("a", (0, 9), 0), 5);
        assert_eq!(at.integer("b", (0, 9), 0), 5);
        assert!(at.flag("c", false));
        assert_eq!(at.text("d", 9).as_deref(), Some("7"));
        assert!(findings.0.borrow().is_empty());
        assert_eq!(at.integer("e", (0, 9), 3), 3);
        assert!(at.flag("f", true));
        assert_eq!(at.text("e", 9), None);
        assert_eq!(findings.finish(()).unwrap_err().len(), 3);
    }
}
