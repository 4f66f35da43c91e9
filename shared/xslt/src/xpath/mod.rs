//! XPath 1.0 (<https://www.w3.org/TR/xpath-10/>): parsed when a stylesheet is compiled, evaluated with the bounds of
//! the transformation.

mod call;
mod evaluate;
mod functions;
mod lexer;
mod parser;
mod value;

use crate::tree::{Name, Str};

pub(crate) use evaluate::{Context, Machine, axis_nodes, test_matches};
pub(crate) use functions::Function;
pub(crate) use parser::{Namespaces, compile, compile_path_pattern, qualified};
pub(crate) use value::Value;

/// An expression.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Binary(Operator, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Path(Path),
    /// A primary expression with predicates and steps behind it.
    Filter {
        base: Box<Expr>,
        predicates: Vec<Expr>,
        steps: Vec<Step>,
    },
    Literal(Str),
    Number(f64),
    Variable(Name),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Multiply,
    Divide,
    Modulo,
    Union,
}

#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) is_absolute: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) axis: Axis,
    pub(crate) test: Test,
    pub(crate) predicates: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Parent,
    Preceding,
    PrecedingSibling,
    SelfNode,
}

impl Axis {
    /// Whether nodes come before the context node, so that positions count backwards.
    pub(crate) fn is_reverse(self) -> bool {
        matches!(
            self,
            Self::Ancestor | Self::AncestorOrSelf | Self::Preceding | Self::PrecedingSibling
        )
    }
}

/// What a step looks for.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// Every node of the axis' own kind.
    AnyName,
    /// Every name of a namespace.
    AnyOf(Str),
    Name(Name),
    Node,
    Text,
    Comment,
    /// A processing instruction, with a target if one is given.
    Instruction(Option<Str>),
}
