//! Programs.
use crate::error::{CompileError, EvalError};
use crate::needs::Needs;
use crate::scope::Scope;
use crate::value::Value;
#[derive(Clone, Debug)]
pub(crate) struct Program { needs: Needs }
impl Program {
    pub(crate) fn compile(_s: &str, position: usize) -> Result<Self, CompileError> { Err(CompileError::new(position, "expression", "text (expressions are being built)")) }
    pub(crate) fn needs(&self) -> Needs { self.needs }
    pub(crate) fn mentions(&self, _v: &str) -> bool { false }
}
pub(crate) struct Machine<'s> { _scope: &'s dyn Scope }
impl<'s> Machine<'s> {
    pub(crate) fn new(scope: &'s dyn Scope) -> Self { Self { _scope: scope } }
    pub(crate) fn run(&mut self, _p: &Program) -> Result<Value, EvalError> { Ok(Value::Null) }
}
