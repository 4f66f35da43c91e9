//! Prints a syntax tree with every grouping written out, so that it parses back to itself.

use std::fmt::{self, Display, Formatter};

use super::ast::{Expr, ExprKind, UnaryOp};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Null => f.write_str("null"),
            ExprKind::Bool(value) => value.fmt(f),
            ExprKind::Integer(value) if *value < 0 => write!(f, "({value})"),
            ExprKind::Integer(value) => value.fmt(f),
            ExprKind::Float(value) if value.is_sign_negative() => write!(f, "({value:?})"),
            ExprKind::Float(value) => write!(f, "{value:?}"),
            ExprKind::Text(text) => quote(text, f),
            ExprKind::Variable(name) => write!(f, "#{name}"),
            ExprKind::Name(name) => f.write_str(name),
            ExprKind::Property {
                target,
                name,
                is_safe,
            } => write!(f, "{target}{}{name}", dot(*is_safe)),
            ExprKind::Index { target, index } => write!(f, "{target}[{index}]"),
            ExprKind::Call {
                target,
                name,
                arguments,
                is_safe,
            } => {
                write!(f, "{target}{}{name}", dot(*is_safe))?;
                list("(", arguments, ")", f)
            }
            ExprKind::Function { name, arguments } => {
                write!(f, "#{name}")?;
                list("(", arguments, ")", f)
            }
            ExprKind::Static {
                class,
                member,
                arguments,
            } => {
                write!(f, "T({class}).{member}")?;
                arguments
                    .as_ref()
                    .map_or(Ok(()), |arguments| list("(", arguments, ")", f))
            }
            ExprKind::Unary { op, operand } => write!(f, "({}{operand})", unary(*op)),
            ExprKind::Binary { op, left, right } => {
                write!(f, "({left} {} {right})", op.symbol())
            }
            ExprKind::InstanceOf { operand, class } => {
                write!(f, "({operand} instanceof T({class}))")
            }
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => write!(f, "({condition} ? {then} : {otherwise})"),
            ExprKind::Elvis { value, otherwise } => write!(f, "({value} ?: {otherwise})"),
            ExprKind::Select {
                target,
                which,
                predicate,
            } => write!(f, "{target}.{}{predicate}]", which.symbol()),
            ExprKind::Project { target, body } => write!(f, "{target}.![{body}]"),
            ExprKind::List(items) => list("{", items, "}", f),
            ExprKind::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    quote(key, f)?;
                    write!(f, ": {value}")?;
                }
                f.write_str(if entries.is_empty() { ":}" } else { "}" })
            }
        }
    }
}

const fn dot(is_safe: bool) -> &'static str {
    if is_safe { "?." } else { "." }
}

const fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Not => "!",
        UnaryOp::Minus => "-",
        UnaryOp::Plus => "+",
    }
}

fn quote(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', "''"))
}

fn list(open: &str, items: &[Expr], close: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index > 0 { ", " } else { "" })?;
        item.fmt(f)?;
    }
    f.write_str(close)
}
