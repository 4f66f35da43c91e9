//! The nodes of a program: methods, functions, regular expressions and paths are resolved.

use regex::Regex;

use crate::json_path::JsonPath;
use crate::methods::{Function, Method};
use crate::scope::{Key, Segment};
use crate::syntax::{BinaryOp, Which};
use crate::value::{Text, Value};

#[derive(Clone)]
pub(super) struct Node {
    /// Byte offset in the template.
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Constant(Value),
    /// A variable and the steps below it, answered by the scope in one go.
    Path {
        variable: Box<str>,
        steps: Steps,
    },
    /// The element of the innermost selection or projection; null outside of one.
    This,
    Property {
        target: Box<Node>,
        key: Key,
        is_safe: bool,
    },
    Index {
        target: Box<Node>,
        index: Box<Node>,
    },
    Call {
        target: Box<Node>,
        method: Method,
        arguments: Box<[Node]>,
        is_safe: bool,
    },
    Static {
        function: Function,
        arguments: Box<[Node]>,
    },
    JsonPath {
        document: Box<Node>,
        path: PathSource,
    },
    XmlEscape(Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// Checks that the operand is a number.
    Plus(Box<Node>),
    Binary {
        op: BinaryOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    Matches {
        left: Box<Node>,
        pattern: Pattern,
    },
    InstanceOf {
        operand: Box<Node>,
        class: &'static str,
    },
    Ternary {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    Elvis {
        value: Box<Node>,
        otherwise: Box<Node>,
    },
    Select {
        target: Box<Node>,
        which: Which,
        predicate: Box<Node>,
    },
    Project {
        target: Box<Node>,
        body: Box<Node>,
    },
    List(Box<[Node]>),
    Map(Box<[(Text, Node)]>),
}

#[derive(Clone)]
pub(super) enum Steps {
    /// Known when compiling: the scope gets them as they are.
    Known(Box<[Segment]>),
    /// Some are computed per evaluation.
    Computed(Box<[Step]>),
}

#[derive(Clone)]
pub(super) enum Step {
    Known(Segment),
    Computed(Node),
}

#[derive(Clone)]
pub(super) enum Pattern {
    Known(Regex),
    Computed(Box<Node>),
}

#[derive(Clone)]
pub(super) enum PathSource {
    Known(JsonPath),
    Computed(Box<Node>),
}
