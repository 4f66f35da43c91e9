//! Compiled expressions: what is known before the request is resolved once, here.

mod compile;
mod evaluate;
mod node;
mod operators;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::CompileError;
use crate::needs::Needs;
use crate::syntax;

pub(crate) use evaluate::Machine;
pub(crate) use operators::compare;

use node::Node;

/// A compiled expression.
#[derive(Clone)]
pub(crate) struct Program {
    root: Node,
    needs: Needs,
    variables: Box<[Box<str>]>,
}

/// Whether constant parts are computed when compiling; tests compare both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folding {
    On,
    Off,
}

impl Program {
    /// Compiles the inside of the braces; positions are counted from `offset`.
    pub(crate) fn compile(source: &str, offset: usize) -> Result<Self, CompileError> {
        Self::compile_with(source, offset, Folding::On)
    }

    pub(crate) fn compile_with(
        source: &str,
        offset: usize,
        folding: Folding,
    ) -> Result<Self, CompileError> {
        let expr = syntax::parse(source, offset)?;
        compile::program(&expr, folding)
    }

    /// Tells which bodies the program reads.
    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    /// Tells whether the program uses a variable.
    pub(crate) fn mentions(&self, variable: &str) -> bool {
        self.variables.iter().any(|known| **known == *variable)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("needs", &self.needs)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}
