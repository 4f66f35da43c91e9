//! Text with embedded expressions, and conditions made of it.
//!
//! A text that is one whole expression keeps the type of its value; any other text with expressions
//! evaluates to text, in which null contributes nothing.

mod split;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::error::{CompileError, EvalError, EvalErrorKind};
use crate::limits::{SOURCE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::needs::Needs;
use crate::program::{Machine, Program};
use crate::scope::Scope;
use crate::value::{Text, Value};

/// A compiled text with embedded expressions.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Parts,
    needs: Needs,
}

#[derive(Clone, Debug)]
enum Parts {
    Literal(Text),
    Whole(Program),
    Mixed(Box<[Part]>),
}

#[derive(Clone, Debug)]
enum Part {
    Literal(Text),
    Expression(Program),
}

impl Template {
    /// Compiles a text: literal parts are kept, each `{#…}`, `{(…)}` or `{T…}` becomes a program.
    ///
    /// # Errors
    /// Fails on the first expression that does not parse, names something that does not exist or
    /// passes a limit.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(CompileError::new(
                SOURCE_BYTES_MAX,
                format!("a text of {} bytes", source.len()),
                format!("at most {SOURCE_BYTES_MAX} bytes"),
            ));
        }
        let mut parts = Vec::new();
        let mut needs = Needs::NONE;
        for piece in split::pieces(source)? {
            parts.push(match piece {
                split::Piece::Literal(text) => Part::Literal(Text::from(text)),
                split::Piece::Expression { text, position } => {
                    let program = Program::compile(text, position)?;
                    needs |= program.needs();
                    Part::Expression(program)
                }
            });
        }
        let parts = match parts.len() {
            0 => Parts::Literal(Text::constant("")),
            1 => match parts.remove(0) {
                Part::Literal(text) => Parts::Literal(text),
                Part::Expression(program) => Parts::Whole(program),
            },
            _ => Parts::Mixed(parts.into()),
        };
        Ok(Self { parts, needs })
    }

    /// Tells whether the text has no expression.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        matches!(self.parts, Parts::Literal(_))
    }

    /// Returns the text if it has no expression.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match &self.parts {
            Parts::Literal(text) => Some(text),
            Parts::Whole(_) | Parts::Mixed(_) => None,
        }
    }

    /// Tells which bodies must be buffered before evaluation.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Tells whether an expression of the text uses `#variable`.
    #[must_use]
    pub fn mentions(&self, variable: &str) -> bool {
        match &self.parts {
            Parts::Literal(_) => false,
            Parts::Whole(program) => program.mentions(variable),
            Parts::Mixed(parts) => parts.iter().any(|part| match part {
                Part::Literal(_) => false,
                Part::Expression(program) => program.mentions(variable),
            }),
        }
    }

    /// Evaluates the text; a whole expression keeps its type.
    ///
    /// # Errors
    /// Fails if an expression meets a value it cannot work with, or a limit.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        match &self.parts {
            Parts::Literal(text) => Ok(Value::Text(text.clone())),
            Parts::Whole(program) => Machine::new(scope).run(program),
            Parts::Mixed(parts) => evaluate_mixed(parts, scope).map(Value::from),
        }
    }

    /// Evaluates the text and converts the result to text; null gives `None`.
    ///
    /// A literal costs nothing.
    ///
    /// # Errors
    /// As [`Template::evaluate`].
    pub fn evaluate_text(&self, scope: &dyn Scope) -> Result<Option<Cow<'_, str>>, EvalError> {
        match &self.parts {
            Parts::Literal(text) => Ok(Some(Cow::Borrowed(text))),
            Parts::Whole(program) => {
                let value = Machine::new(scope).run(program)?;
                Ok(value
                    .to_text()
                    .map(|text| Cow::Owned(text.as_str().to_owned())))
            }
            Parts::Mixed(parts) => evaluate_mixed(parts, scope).map(|text| Some(Cow::Owned(text))),
        }
    }
}

fn evaluate_mixed(parts: &[Part], scope: &dyn Scope) -> Result<String, EvalError> {
    let mut machine = Machine::new(scope);
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Expression(program) => {
                let value = machine.run(program)?;
                if let Some(text) = value.to_text() {
                    out.push_str(&text);
                }
            }
        }
        if out.len() > TEXT_BYTES_MAX {
            return Err(EvalError {
                position: 0,
                kind: EvalErrorKind::Limit("length of text"),
            });
        }
    }
    Ok(out)
}

/// A compiled boolean expression: the condition of a flow, a step or a plan.
#[derive(Clone, Debug)]
pub struct Condition(Template);

impl Condition {
    /// Compiles a condition; blanks around it are ignored and `#…` may stand without braces.
    ///
    /// A blank text always holds.
    ///
    /// # Errors
    /// As [`Template::compile`]; positions count from the start of `source`.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let leading = source.len() - source.trim_start().len();
        let text = source.trim();
        if text.is_empty() {
            return Template::compile("true").map(Self);
        }
        let (compiled, added) = if text.starts_with('#') {
            (Template::compile(&format!("{{{text}}}")), 1)
        } else {
            (Template::compile(text), 0)
        };
        compiled.map(Self).map_err(|error| CompileError {
            position: (error.position + leading).saturating_sub(added),
            ..error
        })
    }

    /// Tells whether the condition holds: null, a value that is no boolean and a failure do not.
    #[must_use]
    pub fn holds(&self, scope: &dyn Scope) -> bool {
        self.evaluate(scope).unwrap_or(false)
    }

    /// Evaluates the condition and keeps the failure, for a log line.
    ///
    /// # Errors
    /// As [`Template::evaluate`]; also if the value is no boolean.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<bool, EvalError> {
        let value = self.0.evaluate(scope)?;
        if value.is_null() {
            return Ok(false);
        }
        value.to_bool().ok_or_else(|| EvalError {
            position: 0,
            kind: EvalErrorKind::WrongType {
                operation: "condition".to_owned(),
                found: value.type_name().to_owned(),
            },
        })
    }

    /// Tells which bodies must be buffered before evaluation.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.0.needs()
    }

    /// Tells whether the condition uses `#variable`.
    #[must_use]
    pub fn mentions(&self, variable: &str) -> bool {
        self.0.mentions(variable)
    }
}
