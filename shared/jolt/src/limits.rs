//! Every bound of a transformation, in one place.

use serde_json::Value;

use crate::error::TransformError;

/// Most operations of one specification.
pub const OPERATIONS_MAX: usize = 64;

/// Most keys of one specification.
pub const KEYS_MAX: usize = 10_000;

/// Deepest nesting of a specification, and most elements of one path in it.
pub const SPEC_DEPTH_MAX: usize = 64;

/// Deepest nesting of a document between two operations.
pub const DEPTH_MAX: usize = 256;

/// Highest position in an array that a path may write to.
pub const INDEX_MAX: usize = 100_000;

/// Most work of one transformation: about the bytes of everything that is looked at or written.
pub const WORK_MAX: u64 = 128 * 1024 * 1024;

/// What one value costs besides its text.
const VALUE_COST: u64 = 32;

/// Counts work down.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(WORK_MAX)
    }

    /// Takes the work of one step that handles `bytes` of text.
    pub(crate) fn step(&mut self, bytes: usize) -> Result<(), TransformError> {
        self.take(VALUE_COST.saturating_add(bytes as u64))
    }

    /// Copies a value.
    pub(crate) fn copy(&mut self, value: &Value) -> Result<Value, TransformError> {
        self.charge(value)?;
        Ok(value.clone())
    }

    /// Takes the work of handling a whole value.
    pub(crate) fn charge(&mut self, value: &Value) -> Result<(), TransformError> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.step(0),
            Value::String(text) => self.step(text.len()),
            Value::Array(items) => {
                self.step(0)?;
                items.iter().try_for_each(|item| self.charge(item))
            }
            Value::Object(members) => {
                self.step(0)?;
                members.iter().try_for_each(|(key, member)| {
                    self.step(key.len())?;
                    self.charge(member)
                })
            }
        }
    }

    fn take(&mut self, work: u64) -> Result<(), TransformError> {
        self.0 = self.0.checked_sub(work).ok_or(TransformError::Work)?;
        Ok(())
    }
}

/// Refuses a document that is nested too deep; looks no deeper than that itself.
pub(crate) fn check_depth(value: &Value, left: usize) -> Result<(), TransformError> {
    let Some(left) = left.checked_sub(1) else {
        return Err(TransformError::Depth);
    };
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_depth(item, left)),
        Value::Object(members) => members
            .values()
            .try_for_each(|member| check_depth(member, left)),
        _ => Ok(()),
    }
}
