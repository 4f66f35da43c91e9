//! Reading typed values out of JSON trees, collecting every violation instead of the first one, and
//! noticing members that nobody asked for.

use std::{cell::RefCell, collections::BTreeSet};

use serde_json::{Map, Value};

use crate::{Notice, Violation};

/// What was found wrong, or worth a remark, so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    violations: RefCell<Vec<Violation>>,
    notices: RefCell<Vec<Notice>>,
}

impl Report {
    pub(crate) fn violation(&self, violation: Violation) {
        self.violations.borrow_mut().push(violation);
    }

    pub(crate) fn notice(&self, notice: Notice) {
        self.notices.borrow_mut().push(notice);
    }

    pub(crate) fn into_parts(self) -> (Vec<Violation>, Vec<Notice>) {
        (self.violations.into_inner(), self.notices.into_inner())
    }
}

/// The members of one JSON object, read by name.
#[derive(Debug)]
pub(crate) struct Fields<'v, 'r> {
    members: &'v Map<String, Value>,
    path: String,
    seen: BTreeSet<&'static str>,
    report: &'r Report,
}

impl<'v, 'r> Fields<'v, 'r> {
    /// Starts reading an object; anything else is a violation.
    pub(crate) fn of(
        value: &'v Value,
        path: impl Into<String>,
        report: &'r Report,
    ) -> Option<Self> {
        let path = path.into();
        match value.as_object() {
            Some(members) => Some(Self {
                members,
                path,
                seen: BTreeSet::new(),
                report,
            }),
            None => {
                report.violation(Violation::new(path, value, "an object"));
                None
            }
        }
    }

    pub(crate) fn report(&self) -> &'r Report {
        self.report
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The path of a member.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// The raw member; null counts as absent.
    pub(crate) fn value(&mut self, name: &'static str) -> Option<&'v Value> {
        self.seen.insert(name);
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// The first of several spellings of one member.
    pub(crate) fn value_of_any(&mut self, names: &[&'static str]) -> Option<&'v Value> {
        let found: Vec<&Value> = names.iter().filter_map(|name| self.value(name)).collect();
        found.first().copied()
    }

    /// Marks members as known without reading them.
    pub(crate) fn skip(&mut self, names: &[&'static str]) {
        self.seen.extend(names);
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(name, value, "a text"),
        }
    }

    /// A text that must be there; an empty one stands in when it is not.
    pub(crate) fn required_text(&mut self, name: &'static str) -> String {
        match self.value(name) {
            None => {
                self.report
                    .violation(Violation::new(self.path_of(name), "", "a text (required)"));
                String::new()
            }
            Some(_) => self.text(name).unwrap_or_default(),
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.value(name) else {
            return default;
        };
        match value.as_bool() {
            Some(flag) => flag,
            None => self.wrong(name, value, "true or false").unwrap_or(default),
        }
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Option<i64> {
        let value = self.value(name)?;
        match value.as_i64() {
            Some(number) => Some(number),
            None => self.wrong(name, value, "a whole number"),
        }
    }

    pub(crate) fn fraction(&mut self, name: &'static str) -> Option<f64> {
        let value = self.value(name)?;
        match value.as_f64() {
            Some(number) => Some(number),
            None => self.wrong(name, value, "a number"),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&mut self, name: &'static str, default: u64) -> u64 {
        match self.number(name) {
            None => default,
            Some(number) => u64::try_from(number).unwrap_or_else(|_negative| {
                let expected = "a whole number that is not negative";
                self.report
                    .violation(Violation::new(self.path_of(name), number, expected));
                default
            }),
        }
    }

    /// One label out of a table, whatever its case, `-` and `_` being equal.
    pub(crate) fn label<T: Copy>(
        &mut self,
        name: &'static str,
        table: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = find_label(&text, table);
        if found.is_none() {
            let known: Vec<&str> = table.iter().map(|(label, _)| *label).collect();
            let expected = format!("one of {}", known.join(", "));
            let value = format!("{text:?}");
            self.report
                .violation(Violation::new(self.path_of(name), value, expected));
        }
        found
    }

    /// As [`Fields::label`], with a default that an unknown label also falls back to, noticed.
    pub(crate) fn lenient_label<T: Copy>(
        &mut self,
        name: &'static str,
        table: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        find_label(&text, table).unwrap_or_else(|| {
            let message = format!("{text:?} is unknown, the default is used");
            self.report
                .notice(Notice::new("unknown-label", self.path_of(name), message));
            default
        })
    }

    /// Every element of a list, with its path; a missing list is empty.
    pub(crate) fn elements(&mut self, name: &'static str) -> Vec<(String, &'v Value)> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        match value.as_array() {
            Some(items) => {
                let path = self.path_of(name);
                let at = |(index, item)| (format!("{path}[{index}]"), item);
                items.iter().enumerate().map(at).collect()
            }
            None => self.wrong(name, value, "a list").unwrap_or_default(),
        }
    }

    /// Reads every element of a list; those that cannot be read have left a violation.
    pub(crate) fn each<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'v Value, &str, &'r Report) -> Option<T>,
    ) -> Vec<T> {
        let elements = self.elements(name);
        elements
            .into_iter()
            .filter_map(|(path, item)| read(item, &path, self.report))
            .collect()
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.each(name, |item, path, report| match item.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                report.violation(Violation::new(path, item, "a text"));
                None
            }
        })
    }

    /// Configuration of a plugin: an object, or a text that holds one as JSON.
    pub(crate) fn configuration(&mut self, name: &'static str) -> Value {
        match self.value(name) {
            None => Value::Object(Map::new()),
            Some(Value::String(text)) if text.trim().is_empty() => Value::Object(Map::new()),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(value @ Value::Object(_)) => value,
                Ok(_) | Err(_) => {
                    let value = format!("{text:?}");
                    let expected = "an object, or a text that holds one as JSON";
                    self.report
                        .violation(Violation::new(self.path_of(name), value, expected));
                    Value::Object(Map::new())
                }
            },
            Some(value @ Value::Object(_)) => value.clone(),
            Some(value) => self
                .wrong(name, value, "an object")
                .unwrap_or_else(|| Value::Object(Map::new())),
        }
    }

    /// Ends reading: members that nobody asked for are kept, and noticed.
    pub(crate) fn finish(self) {
        for name in self
            .members
            .keys()
            .filter(|name| !self.seen.contains(name.as_str()))
        {
            self.report.notice(Notice::new(
                "unknown-field",
                self.path_of(name),
                "not understood: kept, but without effect",
            ));
        }
    }

    fn wrong<T>(&self, name: &str, value: &Value, expected: &str) -> Option<T> {
        self.report
            .violation(Violation::new(self.path_of(name), value, expected));
        None
    }
}

/// Finds a label, whatever its case, `-` and `_` being equal.
pub(crate) fn find_label<T: Copy>(text: &str, table: &[(&'static str, T)]) -> Option<T> {
    let wanted = fold_label(text);
    table
        .iter()
        .find(|(label, _)| fold_label(label) == wanted)
        .map(|(_, value)| *value)
}

fn fold_label(text: &str) -> String {
    text.trim()
        .chars()
        .map(|character| {
            if character == '_' {
                '-'
            } else {
                character.to_ascii_lowercase()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_violations_are_collected_with_their_paths() {
        let value = json!({"name": 1, "list": [1, "a"], "flag": "yes", "count": -1});
        let report = Report::default();
        let mut fields = Fields::of(&value, "root", &report).unwrap();
        fields.text("name");
        fields.texts("list");
        fields.flag("flag", false);
        fields.count("count", 0);
        fields.required_text("missing");
        fields.finish();
        let paths: Vec<String> = report
            .into_parts()
            .0
            .into_iter()
            .map(|violation| violation.path)
            .collect();
        assert_eq!(
            paths,
            [
                "root.name",
                "root.list[0]",
                "root.flag",
                "root.count",
                "root.missing"
            ]
        );
    }

    #[test]
    fn labels_ignore_case_and_the_kind_of_dash() {
        let table = [("round-robin", 1), ("random", 2)];
        assert_eq!(find_label("ROUND_ROBIN", &table), Some(1));
        assert_eq!(find_label("Random", &table), Some(2));
        assert_eq!(find_label("roundrobin", &table), None);
    }

    #[test]
    fn members_nobody_asked_for_are_noticed() {
        let value = json!({"known": "a", "new": 1});
        let report = Report::default();
        let mut fields = Fields::of(&value, "", &report).unwrap();
        fields.text("known");
        fields.finish();
        assert_eq!(report.into_parts().1[0].path, "new");
    }

    #[test]
    fn configuration_may_be_json_in_a_text() {
        let value = json!({"a": "{\"b\":1}", "c": "not json"});
        let report = Report::default();
        let mut fields = Fields::of(&value, "", &report).unwrap();
        assert_eq!(fields.configuration("a"), json!({"b": 1}));
        assert_eq!(fields.configuration("c"), json!({}));
        assert_eq!(report.into_parts().0.len(), 1);
    }
}
