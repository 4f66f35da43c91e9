//! Regular expressions of configurations, and the groups they find as expressions see them.

use std::borrow::Cow;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};
use tidegate_expression::limits::{REGEX_BYTES_MAX, REGEX_PROGRAM_BYTES_MAX};
use tidegate_expression::{Ambient, Lookup, Needs, Scope, Segment, Template, Value, ValueMap};
use tidegate_policy::ConfigError;

/// Compiles an expression that must match a whole text.
pub(crate) fn compile_whole(source: &str) -> Result<Regex, String> {
    // The source alone must be valid: `a)|(b` would be, inside of the group.
    compile(source)?;
    compile(&format!(r"\A(?:{source})\z"))
}

/// Compiles an expression that may match a part of a text.
pub(crate) fn compile(source: &str) -> Result<Regex, String> {
    if source.len() > REGEX_BYTES_MAX {
        return Err(format!("longer than {REGEX_BYTES_MAX} bytes"));
    }
    RegexBuilder::new(source)
        .size_limit(REGEX_PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().to_owned()
        })
}

/// A pattern of paths that may have expressions.
#[derive(Debug)]
pub(crate) enum PathPattern {
    Literal(Regex),
    /// Can only be compiled when the values of its expressions are known.
    Computed(Template),
}

impl PathPattern {
    /// Compiles the member at `path`.
    pub(crate) fn compile(source: &str, path: &str) -> Result<Self, ConfigError> {
        let template = ConfigError::template(path, source)?;
        let Some(text) = template.as_literal() else {
            return Ok(Self::Computed(template));
        };
        compile_whole(text).map(Self::Literal).map_err(|error| {
            let expected = format!("a regular expression ({error})");
            ConfigError::new(path, format!("{text:?}"), expected)
        })
    }

    /// Bodies that the expressions read.
    pub(crate) fn needs(&self) -> Needs {
        match self {
            Self::Literal(_) => Needs::NONE,
            Self::Computed(template) => template.needs(),
        }
    }

    /// The pattern for a request.
    pub(crate) fn regex(&self, scope: &dyn Scope) -> Result<Cow<'_, Regex>, String> {
        match self {
            Self::Literal(regex) => Ok(Cow::Borrowed(regex)),
            Self::Computed(template) => {
                let text = template
                    .evaluate_text(scope)
                    .map_err(|error| error.to_string())?
                    .ok_or("null")?;
                compile_whole(&text).map(Cow::Owned)
            }
        }
    }
}

/// A scope with `#group` and `#groupName`: what the groups of a pattern matched, without the whole match.
pub(crate) struct Groups<'s> {
    scope: &'s dyn Scope,
    by_position: Value,
    by_name: Arc<ValueMap>,
}

impl<'s> Groups<'s> {
    pub(crate) fn new(scope: &'s dyn Scope, regex: &Regex, captures: &Captures<'_>) -> Self {
        let text = |group: Option<regex::Match<'_>>| Value::from(group.map(|group| group.as_str()));
        let by_name = regex
            .capture_names()
            .flatten()
            .map(|name| (name, text(captures.name(name))));
        Self {
            scope,
            by_position: Value::list(captures.iter().skip(1).map(text)),
            by_name: Arc::new(by_name.collect()),
        }
    }
}

impl Scope for Groups<'_> {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        match variable {
            "group" => Lookup::found(self.by_position.clone(), 0),
            "groupName" => Lookup::found(Value::Map(Arc::clone(&self.by_name)), 0),
            _ => self.scope.lookup(variable, path),
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        self.scope.ambient()
    }
}
