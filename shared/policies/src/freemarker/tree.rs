//! What a template is made of.

use tidegate_expression::Text;

use super::builtins::Builtin;

/// One part of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Print(Expression),
    If(Vec<Branch>),
    List(Box<List>),
    Assign(Text, Expression),
    /// `<#assign x>…</#assign>`
    Capture(Text, Vec<Node>),
    Break,
    /// `<#sep>`: what stands between two elements.
    Separator(Vec<Node>),
}

/// A condition with what it guards; `<#else>` has none.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) condition: Option<Expression>,
    pub(super) body: Vec<Node>,
}

/// `<#list values as item>`, or `<#list map as key, value>`.
#[derive(Debug)]
pub(super) struct List {
    pub(super) values: Expression,
    pub(super) item: Text,
    pub(super) value: Option<Text>,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// An expression.
#[derive(Debug)]
pub(super) enum Expression {
    Text(Text),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A text with interpolations.
    Pieces(Vec<Expression>),
    Sequence(Vec<Expression>),
    Hash(Vec<(Expression, Expression)>),
    Variable(Text),
    Member(Box<Expression>, Text),
    Index(Box<Expression>, Box<Expression>),
    Range(Box<Expression>, Box<Expression>),
    Builtin(Box<Expression>, Builtin, Vec<Expression>),
    /// `a!b`; without `b` the default is empty.
    Default(Box<Expression>, Option<Box<Expression>>),
    /// `a??`
    Exists(Box<Expression>),
    Group(Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
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
    Times,
    Divide,
    Remainder,
}

impl Expression {
    /// Calls `visit` with this expression and all below it.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        match self {
            Self::Text(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Bool(_)
            | Self::Variable(_) => {}
            Self::Pieces(parts) | Self::Sequence(parts) => {
                parts.iter().for_each(|part| part.each(visit));
            }
            Self::Hash(members) => members.iter().for_each(|(key, value)| {
                key.each(visit);
                value.each(visit);
            }),
            Self::Member(base, _)
            | Self::Default(base, None)
            | Self::Exists(base)
            | Self::Group(base)
            | Self::Not(base)
            | Self::Negative(base) => base.each(visit),
            Self::Index(left, right)
            | Self::Range(left, right)
            | Self::Binary(_, left, right)
            | Self::Default(left, Some(right)) => {
                left.each(visit);
                right.each(visit);
            }
            Self::Builtin(base, _, arguments) => {
                base.each(visit);
                arguments.iter().for_each(|argument| argument.each(visit));
            }
        }
    }
}

/// Calls `visit` with every expression of the nodes.
pub(super) fn each_expression(nodes: &[Node], visit: &mut dyn FnMut(&Expression)) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::Break => {}
            Node::Print(expression) | Node::Assign(_, expression) => visit(expression),
            Node::If(branches) => {
                for branch in branches {
                    if let Some(condition) = &branch.condition {
                        visit(condition);
                    }
                    each_expression(&branch.body, visit);
                }
            }
            Node::List(list) => {
                visit(&list.values);
                each_expression(&list.body, visit);
                each_expression(&list.otherwise, visit);
            }
            Node::Capture(_, body) | Node::Separator(body) => each_expression(body, visit),
        }
    }
}
