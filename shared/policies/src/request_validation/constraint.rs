//! What a value must be.

use std::borrow::Cow;

use email_address::{EmailAddress, Options};
use regex::Regex;
use tidegate_expression::{Needs, Scope, Template};
use tidegate_policy::ConfigError;

use super::config::{ConstraintConfig, ConstraintKind};
use super::date::DatePattern;
use crate::pattern::compile_whole;

/// A constraint ready to check.
#[derive(Debug)]
pub(super) struct Constraint {
    check: Check,
    parameters: Box<[Template]>,
    message: Box<str>,
}

#[derive(Debug)]
enum Check {
    NotNull,
    Min,
    Max,
    Mail,
    Date(DatePattern),
    Pattern(Regex),
    Size,
    Enum,
}

impl Constraint {
    /// Compiles the constraint at `path`.
    pub(super) fn compile(config: &ConstraintConfig, path: &str) -> Result<Self, ConfigError> {
        let place = |index: usize| format!("{path}.parameters[{index}]");
        let needed = match config.kind {
            ConstraintKind::NotNull | ConstraintKind::Mail => 0,
            ConstraintKind::Size => 2,
            _ => 1,
        };
        if config.parameters.len() < needed {
            return Err(ConfigError::new(
                format!("{path}.parameters"),
                format!("{} of them", config.parameters.len()),
                format!("at least {needed}"),
            ));
        }
        let first = config.parameters.first().map_or("", String::as_str);
        let refused = |reason| ConfigError::new(place(0), format!("{first:?}"), reason);
        let (check, default) = match config.kind {
            ConstraintKind::NotNull => (Check::NotNull, "Input is required"),
            ConstraintKind::Min => (Check::Min, "'%s' must be greater or equals to '%s'"),
            ConstraintKind::Max => (Check::Max, "'%s' must be lower or equals to '%s'"),
            ConstraintKind::Mail => (Check::Mail, "'%s' is not a valid email"),
            ConstraintKind::Date => (
                Check::Date(DatePattern::compile(first).map_err(refused)?),
                "'%s' is not a valid date (pattern '%s')",
            ),
            ConstraintKind::Pattern => (
                Check::Pattern(compile_whole(first).map_err(refused)?),
                "'%s' is not valid (pattern '%s')",
            ),
            ConstraintKind::Size => (Check::Size, "'%s' length is not between '%s' and '%s'"),
            ConstraintKind::Enum => (Check::Enum, "'%s' is not an accepted value"),
        };
        let is_dynamic = !matches!(check, Check::Date(_) | Check::Pattern(_));
        let mut parameters = Vec::new();
        for (index, parameter) in config.parameters.iter().enumerate().filter(|_| is_dynamic) {
            let template = ConfigError::template(place(index), parameter)?;
            if let (Check::Min | Check::Max | Check::Size, Some(text)) =
                (&check, template.as_literal())
                && text.trim().parse::<i64>().is_err()
            {
                return Err(ConfigError::new(place(index), parameter, "a whole number"));
            }
            parameters.push(template);
        }
        let message = config.message.as_deref().unwrap_or(default);
        Ok(Self {
            check,
            message: if is_dynamic {
                message.into()
            } else {
                // The parameter is fixed, the value is not.
                let mut parts = message.splitn(3, "%s");
                let (head, middle, tail) = (parts.next(), parts.next(), parts.next());
                match (head, middle, tail) {
                    (Some(head), Some(middle), Some(tail)) => {
                        format!("{head}%s{middle}{first}{tail}").into()
                    }
                    _ => message.into(),
                }
            },
            parameters: parameters.into(),
        })
    }

    pub(super) fn needs(&self) -> Needs {
        self.parameters
            .iter()
            .fold(Needs::NONE, |needs, template| needs | template.needs())
    }

    /// Checks a value; the error is what the client is told.
    pub(super) fn check(&self, value: Option<&str>, scope: &dyn Scope) -> Result<(), String> {
        let parameters: Vec<Cow<'_, str>> = self
            .parameters
            .iter()
            .map(|template| match template.evaluate_text(scope) {
                Ok(Some(text)) => text,
                // A parameter that has no value fits no value.
                Ok(None) | Err(_) => Cow::Borrowed(""),
            })
            .collect();
        if value.is_some_and(|value| self.holds(value, &parameters)) {
            return Ok(());
        }
        Err(filled(&self.message, value.unwrap_or("null"), &parameters))
    }

    fn holds(&self, value: &str, parameters: &[Cow<'_, str>]) -> bool {
        let number = |index: usize| -> Option<i64> { parameters.get(index)?.trim().parse().ok() };
        match &self.check {
            Check::NotNull => !value.is_empty(),
            Check::Min => compared(value, number(0)).is_some_and(std::cmp::Ordering::is_ge),
            Check::Max => compared(value, number(0)).is_some_and(std::cmp::Ordering::is_le),
            Check::Mail => {
                let options = Options::default()
                    .with_required_tld()
                    .without_display_text();
                EmailAddress::parse_with_options(value, options).is_ok()
            }
            Check::Date(pattern) => pattern.matches(value),
            Check::Pattern(regex) => regex.is_match(value),
            Check::Size => {
                let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
                number(0).is_some_and(|least| length >= least)
                    && number(1).is_some_and(|most| length <= most)
            }
            Check::Enum => parameters.iter().any(|parameter| parameter == value),
        }
    }
}

/// Compares a number in text with a limit; `None` if there is no number.
fn compared(value: &str, limit: Option<i64>) -> Option<std::cmp::Ordering> {
    let limit = limit?;
    let value = value.trim();
    if let Ok(whole) = value.parse::<i64>() {
        return Some(whole.cmp(&limit));
    }
    let number: f64 = value.parse().ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a value with a fraction is compared as one"
    )]
    number.partial_cmp(&(limit as f64))
}

/// Puts the value and the parameters in the places of `%s`.
fn filled(message: &str, value: &str, parameters: &[Cow<'_, str>]) -> String {
    let mut arguments = std::iter::once(value).chain(parameters.iter().map(AsRef::as_ref));
    let mut parts = message.split("%s");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(arguments.next().unwrap_or("%s"));
        text.push_str(part);
    }
    text
}
