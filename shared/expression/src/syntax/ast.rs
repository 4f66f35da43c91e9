//! The syntax tree; printing and parsing it are inverse.

use crate::value::Text;

/// An expression with its place and its depth.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Byte offset in the template.
    pub(crate) at: usize,
    /// Nesting below this node, itself included; bounded by the parser.
    pub(crate) depth: usize,
    pub(crate) kind: ExprKind,
}

/// Places do not count for equality.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Text),
    /// `#name`
    Variable(String),
    /// `name`, a property of the current element
    Name(String),
    Property {
        target: Box<Expr>,
        name: String,
        is_safe: bool,
    },
    Index {
        target: Box<Expr>,
        index: Box<Expr>,
    },
    Call {
        target: Box<Expr>,
        name: String,
        arguments: Vec<Expr>,
        is_safe: bool,
    },
    /// `#name(…)`
    Function {
        name: String,
        arguments: Vec<Expr>,
    },
    /// `T(class).member` or `T(class).member(…)`
    Static {
        class: String,
        member: String,
        arguments: Option<Vec<Expr>>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `value instanceof T(class)`
    InstanceOf {
        operand: Box<Expr>,
        class: String,
    },
    Ternary {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Elvis {
        value: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `.?[…]`, `.^[…]`, `.$[…]`
    Select {
        target: Box<Expr>,
        which: Which,
        predicate: Box<Expr>,
    },
    /// `.![…]`
    Project {
        target: Box<Expr>,
        body: Box<Expr>,
    },
    /// `{a, b}`
    List(Vec<Expr>),
    /// `{k: v}`
    Map(Vec<(Text, Expr)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Minus,
    Plus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Matches,
    Between,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// Which of the matching elements a selection gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    First,
    Last,
}

impl Which {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::All => "?[",
            Self::First => "^[",
            Self::Last => "$[",
        }
    }
}

impl BinaryOp {
    /// Binding strength; larger binds tighter.
    pub(crate) const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::Greater
            | Self::LessOrEqual
            | Self::GreaterOrEqual
            | Self::Matches
            | Self::Between => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Remainder => 5,
            Self::Power => 6,
        }
    }

    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
            Self::Matches => "matches",
            Self::Between => "between",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "^",
        }
    }

    /// Finds an operator by its symbol, or by its word in any case.
    pub(crate) fn find(token: &str) -> Option<Self> {
        Some(match token.to_ascii_lowercase().as_str() {
            "||" | "or" => Self::Or,
            "&&" | "and" => Self::And,
            "==" | "eq" => Self::Equal,
            "!=" | "ne" => Self::NotEqual,
            "<" | "lt" => Self::Less,
            ">" | "gt" => Self::Greater,
            "<=" | "le" => Self::LessOrEqual,
            ">=" | "ge" => Self::GreaterOrEqual,
            "matches" => Self::Matches,
            "between" => Self::Between,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" | "div" => Self::Divide,
            "%" | "mod" => Self::Remainder,
            "^" => Self::Power,
            _ => return None,
        })
    }
}
