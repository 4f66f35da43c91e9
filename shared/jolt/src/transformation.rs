//! A specification: its operations in order.

use serde_json::Value;

use crate::cardinality::Cardinality;
use crate::default::Default;
use crate::error::{CompileError, TransformError};
use crate::limits::{Budget, DEPTH_MAX, KEYS_MAX, OPERATIONS_MAX, SPEC_DEPTH_MAX, check_depth};
use crate::modify::{Mode, Modify};
use crate::remove::Remove;
use crate::shift::Shift;
use crate::sort::sort;

/// A compiled specification.
#[derive(Debug)]
pub struct Transformation(Vec<Operation>);

#[derive(Debug)]
enum Operation {
    Shift(Shift),
    Default(Default),
    Remove(Remove),
    Cardinality(Cardinality),
    Modify(Modify),
    Sort,
}

/// What an operation can be, for error messages.
const OPERATIONS: &str = "shift, default, remove, cardinality, sort, modify-overwrite-beta, \
     modify-default-beta or modify-define-beta";

impl Transformation {
    /// Compiles a list of operations, or a single operation.
    ///
    /// # Errors
    /// Fails with the place in the specification that is wrong, or too large.
    pub fn compile(specification: &Value) -> Result<Self, CompileError> {
        let operations = match specification {
            Value::Array(operations) => operations.as_slice(),
            operation @ Value::Object(_) => std::slice::from_ref(operation),
            other => {
                let expected = "a list of operations";
                return Err(CompileError::new("", kind(other), expected));
            }
        };
        if operations.is_empty() || operations.len() > OPERATIONS_MAX {
            let found = format!("{} operations", operations.len());
            let expected = format!("1 to {OPERATIONS_MAX} operations");
            return Err(CompileError::new("", found, expected));
        }
        let compiled = operations.iter().enumerate();
        let compiled = compiled.map(|(index, operation)| compile_operation(operation, index));
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Transforms a document.
    ///
    /// A `shift` that matches nothing gives null.
    ///
    /// # Errors
    /// Fails if a limit of [`crate::limits`] is exceeded, or `default` cannot handle an array.
    pub fn apply(&self, document: Value) -> Result<Value, TransformError> {
        let mut budget = Budget::new();
        check_depth(&document, DEPTH_MAX)?;
        let mut value = document;
        for operation in &self.0 {
            budget.charge(&value)?;
            value = match operation {
                Operation::Shift(shift) => shift.apply(&value, &mut budget)?,
                Operation::Default(default) => default.apply(value, &mut budget)?,
                Operation::Remove(remove) => remove.apply(value, &mut budget)?,
                Operation::Cardinality(cardinality) => cardinality.apply(value, &mut budget)?,
                Operation::Modify(modify) => modify.apply(value, &mut budget)?,
                Operation::Sort => sort(value),
            };
            check_depth(&value, DEPTH_MAX)?;
        }
        Ok(value)
    }
}

fn compile_operation(operation: &Value, index: usize) -> Result<Operation, CompileError> {
    let path = format!("[{index}]");
    let name = operation.get("operation").and_then(Value::as_str);
    // The Java class names are how the reference engine spells built-in operations, too.
    let name = name.map(|name| match name {
        "com.bazaarvoice.jolt.Shiftr" => "shift",
        "com.bazaarvoice.jolt.Defaultr" => "default",
        "com.bazaarvoice.jolt.Removr" => "remove",
        "com.bazaarvoice.jolt.Sortr" => "sort",
        "com.bazaarvoice.jolt.CardinalityTransform" => "cardinality",
        "com.bazaarvoice.jolt.Modifier$Overwritr" => "modify-overwrite-beta",
        "com.bazaarvoice.jolt.Modifier$Defaultr" => "modify-default-beta",
        "com.bazaarvoice.jolt.Modifier$Definr" => "modify-define-beta",
        name => name,
    });
    if name == Some("sort") {
        return Ok(Operation::Sort);
    }
    let place = format!("{path}.spec");
    let spec = operation.get("spec");
    let spec = || {
        let spec = spec.ok_or_else(|| CompileError::new(&place, "nothing", "an object"))?;
        check_size(spec, &place)?;
        Ok(spec)
    };
    match name {
        Some("shift") => Shift::compile(spec()?, &place).map(Operation::Shift),
        Some("default") => Default::compile(spec()?, &place).map(Operation::Default),
        Some("remove") => Remove::compile(spec()?, &place).map(Operation::Remove),
        Some("cardinality") => Cardinality::compile(spec()?, &place).map(Operation::Cardinality),
        Some("modify-overwrite-beta") => {
            Modify::compile(spec()?, Mode::Overwrite, &place).map(Operation::Modify)
        }
        Some("modify-default-beta") => {
            Modify::compile(spec()?, Mode::Default, &place).map(Operation::Modify)
        }
        Some("modify-define-beta") => {
            Modify::compile(spec()?, Mode::Define, &place).map(Operation::Modify)
        }
        found => {
            let found = found.unwrap_or("nothing");
            let path = format!("{path}.operation");
            Err(CompileError::new(path, found, OPERATIONS))
        }
    }
}

fn check_size(spec: &Value, path: &str) -> Result<(), CompileError> {
    fn count(value: &Value, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        let children: Box<dyn Iterator<Item = &Value>> = match value {
            Value::Array(items) => Box::new(items.iter()),
            Value::Object(members) => Box::new(members.values()),
            _ => return Some(1),
        };
        children
            .map(|child| count(child, left))
            .try_fold(1_usize, |sum, child| Some(sum.saturating_add(child?)))
    }
    match count(spec, SPEC_DEPTH_MAX) {
        None => Err(CompileError::new(
            path,
            "a deeply nested object",
            format!("at most {SPEC_DEPTH_MAX} levels"),
        )),
        Some(keys) if keys > KEYS_MAX => Err(CompileError::new(
            path,
            format!("{keys} keys"),
            format!("at most {KEYS_MAX}"),
        )),
        Some(_) => Ok(()),
    }
}

/// Names the type of a value in error messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
