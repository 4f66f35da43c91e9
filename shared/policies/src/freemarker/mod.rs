//! A subset of FreeMarker: interpolations, conditions, lists and assignments, without anything that reaches
//! beyond the exchange.
//!
//! A template is compiled once; what is not in the subset is refused then, by its name. Rendering is
//! bounded in steps and output. Null is a missing value, as in FreeMarker: printing one is an error,
//! `!` gives a default and `??` asks. Numbers are printed without grouping, as `?c` does.

mod builtins;
mod evaluate;
mod expression;
mod lexer;
mod parser;
mod render;
#[cfg(test)]
mod tests;
mod tree;

use tidegate_expression::{Needs, Scope};

use tree::{Expression, Node};

/// Deepest nesting of directives and expressions; bounds the recursion of parser and renderer.
const DEPTH_MAX: usize = 48;

/// Most steps of rendering; a step handles one node or about 256 bytes of text.
const STEPS_MAX: u32 = 400_000;

/// A compiled template.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    needs: Needs,
}

/// A template that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {found}, expected {expected}")]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// A template that cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    /// A value that is missing, by its expression.
    #[error("{0} is missing")]
    Missing(String),
    /// A value of the wrong type.
    #[error("{0}")]
    Type(String),
    /// Too many steps, or too long an output.
    #[error("the template takes too much work")]
    Limit,
}

impl Template {
    /// Compiles a template.
    pub(crate) fn compile(source: &str) -> Result<Self, SyntaxError> {
        let nodes = parser::parse(source)?;
        let mut needs = Needs::NONE;
        tree::each_expression(&nodes, &mut |expression| needs |= needs_of(expression));
        Ok(Self { nodes, needs })
    }

    /// Returns the bodies that the template reads.
    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    /// Renders the template.
    pub(crate) fn render(&self, scope: &dyn Scope) -> Result<String, RenderError> {
        render::render(&self.nodes, scope)
    }
}

/// Finds a body in `request.content` or `response['jsonContent']`; a computed name could be one.
fn needs_of(expression: &Expression) -> Needs {
    let mut needs = Needs::NONE;
    expression.each(&mut |part| {
        let (Expression::Member(base, _) | Expression::Index(base, _)) = part else {
            return;
        };
        let Expression::Variable(name) = &**base else {
            return;
        };
        let is_content = match part {
            Expression::Member(_, member) => is_content(member),
            Expression::Index(_, index) => match &**index {
                Expression::Text(text) => is_content(text),
                _ => true,
            },
            _ => false,
        };
        needs |= Needs {
            request_content: is_content && name.as_str() == "request",
            response_content: is_content && name.as_str() == "response",
        };
    });
    needs
}

fn is_content(name: &str) -> bool {
    matches!(name, "content" | "jsonContent")
}
