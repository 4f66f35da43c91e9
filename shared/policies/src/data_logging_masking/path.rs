//! Paths to the values of JSON that a rule hides: `$.a.b`, `$['a']`, `[0]`, `*` and `..name`.

use serde_json::Value;

/// Most steps of a path.
const STEPS_MAX: usize = 32;

/// A compiled path.
#[derive(Debug)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug)]
enum Step {
    Member(String),
    Element(usize),
    Every,
    /// `..`: the rest applies at every depth.
    Anywhere,
}

impl Path {
    /// Parses a path that begins with `$`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let expected = || "a JSON path such as $.a.b, $.list[*].name or $..name".to_owned();
        let mut rest = text.strip_prefix('$').ok_or_else(expected)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if steps.len() >= STEPS_MAX {
                return Err(format!("at most {STEPS_MAX} steps"));
            }
            if let Some(after) = rest.strip_prefix("..") {
                if matches!(steps.last(), Some(Step::Anywhere)) || after.is_empty() {
                    return Err(expected());
                }
                // One such step alone: several would look at a document many times over.
                if steps.iter().any(|step| matches!(step, Step::Anywhere)) {
                    return Err("at most one '..'".to_owned());
                }
                steps.push(Step::Anywhere);
                rest = after;
                if rest.starts_with('[') {
                    continue;
                }
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = after;
            }
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, length) = bracket(inside).ok_or_else(expected)?;
                steps.push(step);
                rest = &inside[length..];
                continue;
            }
            let length = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            match name {
                "" => return Err(expected()),
                "*" => steps.push(Step::Every),
                name => steps.push(Step::Member(name.to_owned())),
            }
            rest = after;
        }
        Ok(Self(steps))
    }

    /// Calls `change` with every value that the path leads to.
    pub(super) fn each(&self, value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
        walk(&self.0, value, change);
    }
}

/// Parses what follows `[`; returns how long it is with its closing bracket.
fn bracket(inside: &str) -> Option<(Step, usize)> {
    for quote in ['\'', '"'] {
        if let Some(text) = inside.strip_prefix(quote) {
            let end = text.find(quote)?;
            let is_closed = text[end + 1..].starts_with(']');
            return is_closed.then(|| (Step::Member(text[..end].to_owned()), end + 3));
        }
    }
    let end = inside.find(']')?;
    let step = match inside[..end].trim() {
        "*" => Step::Every,
        index => Step::Element(index.parse().ok()?),
    };
    Some((step, end + 1))
}

fn walk(steps: &[Step], value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else {
        change(value);
        return;
    };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            if let Some(member) = members.get_mut(name) {
                walk(rest, member, change);
            }
        }
        (Step::Element(index), Value::Array(items)) => {
            if let Some(item) = items.get_mut(*index) {
                walk(rest, item, change);
            }
        }
        (Step::Every, Value::Object(members)) => {
            members
                .values_mut()
                .for_each(|member| walk(rest, member, change));
        }
        (Step::Every, Value::Array(items)) => {
            items.iter_mut().for_each(|item| walk(rest, item, change));
        }
        (Step::Anywhere, value) => {
            walk(rest, value, change);
            match value {
                Value::Object(members) => {
                    members
                        .values_mut()
                        .for_each(|member| walk(steps, member, change));
                }
                Value::Array(items) => items.iter_mut().for_each(|item| walk(steps, item, change)),
                _ => {}
            }
        }
        _ => {}
    }
}
