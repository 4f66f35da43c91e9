//! Expressions in configurations of resources: evaluated once, when an API is deployed.
//!
//! They see what exists then: the API with its properties, and dictionaries. Members that a resource evaluates for
//! each call, or that are plain content, are left as they are.

use std::borrow::Cow;

use serde_json::Value;
use tidegate_expression::{Scope, Template};
use tidegate_policy::ConfigError;

use super::registry::ResourceKind;
use crate::configuration::normalized;
use crate::json::to_json;

/// Deepest nesting of a configuration.
const DEPTH_MAX: usize = 16;

impl ResourceKind {
    /// Whether a configuration has expressions, so that it can only be read when they have been evaluated.
    ///
    /// # Errors
    /// The member with an expression that does not compile.
    pub fn has_expressions(&self, configuration: &Value) -> Result<bool, ConfigError> {
        let configuration = object(configuration)?;
        let mut found = false;
        self.each(&configuration, |path, text| {
            found |= ConfigError::template(path, text)?.as_literal().is_none();
            Ok(None)
        })?;
        Ok(found)
    }

    /// Evaluates the expressions of a configuration.
    ///
    /// # Errors
    /// The member with an expression that does not compile, fails, or evaluates to null.
    pub fn evaluated<'c>(
        &self,
        configuration: &'c Value,
        scope: &dyn Scope,
    ) -> Result<Cow<'c, Value>, ConfigError> {
        let configuration = object(configuration)?;
        let changed = self.each(&configuration, |path, text| {
            let template = ConfigError::template(path, text)?;
            evaluate(&template, path, scope)
        })?;
        Ok(changed.map_or(configuration, Cow::Owned))
    }

    /// Visits the texts that may have expressions; returns the configuration with what was put in their place.
    fn each(
        &self,
        configuration: &Value,
        mut visit: impl FnMut(&str, &str) -> Result<Option<Value>, ConfigError>,
    ) -> Result<Option<Value>, ConfigError> {
        let Value::Object(members) = configuration else {
            return Ok(None);
        };
        let mut changed = None;
        for (name, value) in members
            .iter()
            .filter(|(name, _)| !self.late.contains(&name.as_str()))
        {
            if let Some(value) = walk(value, name, 0, &mut visit)? {
                changed
                    .get_or_insert_with(|| members.clone())
                    .insert(name.clone(), value);
            }
        }
        Ok(changed.map(Value::Object))
    }
}

fn object(configuration: &Value) -> Result<Cow<'_, Value>, ConfigError> {
    normalized(configuration).map_err(|reason| ConfigError::new("", reason, "an object"))
}

fn walk(
    value: &Value,
    path: &str,
    depth: usize,
    visit: &mut impl FnMut(&str, &str) -> Result<Option<Value>, ConfigError>,
) -> Result<Option<Value>, ConfigError> {
    if depth > DEPTH_MAX {
        return Ok(None);
    }
    match value {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            let mut changed: Option<Vec<Value>> = None;
            for (index, item) in items.iter().enumerate() {
                if let Some(item) = walk(item, &format!("{path}[{index}]"), depth + 1, visit)? {
                    changed.get_or_insert_with(|| items.clone())[index] = item;
                }
            }
            Ok(changed.map(Value::Array))
        }
        Value::Object(members) => {
            let mut changed = None;
            for (name, member) in members {
                if let Some(member) = walk(member, &format!("{path}.{name}"), depth + 1, visit)? {
                    changed
                        .get_or_insert_with(|| members.clone())
                        .insert(name.clone(), member);
                }
            }
            Ok(changed.map(Value::Object))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(None),
    }
}

fn evaluate(
    template: &Template,
    path: &str,
    scope: &dyn Scope,
) -> Result<Option<Value>, ConfigError> {
    if template.as_literal().is_some() {
        return Ok(None);
    }
    let expected = "an expression over #api, #properties and #dictionaries";
    let value = template
        .evaluate(scope)
        .map_err(|error| ConfigError::new(path, error.to_string(), expected))?;
    if value.is_null() {
        return Err(ConfigError::new(path, "null", expected));
    }
    Ok(Some(to_json(&value)))
}
