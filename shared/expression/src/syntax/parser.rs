//! Tokens to syntax tree, by precedence climbing.

use super::ast::{BinaryOp, Expr, ExprKind, UnaryOp, Which};
use super::lexer::{Token, TokenKind, tokens};
use crate::error::CompileError;
use crate::limits::{DEPTH_MAX, NODES_MAX};
use crate::value::Text;

/// Parses one expression that takes all of `source`; positions are counted from `offset`.
pub(crate) fn parse(source: &str, offset: usize) -> Result<Expr, CompileError> {
    let mut parser = Parser {
        tokens: tokens(source, offset)?,
        next: 0,
        nodes: 0,
        nesting: 0,
    };
    let expr = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end of the expression")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    nodes: usize,
    nesting: usize,
}

type Parsed = Result<Expr, CompileError>;

impl Parser {
    /// `or-expression [?: expression | ? expression : expression]`
    fn expression(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(self.too_deep());
        }
        let at = self.at();
        let first = self.binary(1)?;
        let expr = if self.takes("?:") {
            let otherwise = self.expression()?;
            self.node(
                at,
                first.depth.max(otherwise.depth),
                ExprKind::Elvis {
                    value: Box::new(first),
                    otherwise: Box::new(otherwise),
                },
            )?
        } else if self.takes("?") {
            let then = self.expression()?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            let depth = first.depth.max(then.depth).max(otherwise.depth);
            self.node(
                at,
                depth,
                ExprKind::Ternary {
                    condition: Box::new(first),
                    then: Box::new(then),
                    otherwise: Box::new(otherwise),
                },
            )?
        } else {
            first
        };
        self.nesting -= 1;
        Ok(expr)
    }

    /// Operators of at least `strength`, left to right; relational ones do not chain.
    fn binary(&mut self, strength: u8) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let at = self.at();
            if strength <= BinaryOp::Matches.strength() && self.takes_word("instanceof") {
                let class = self.class_reference()?;
                left = self.node(
                    at,
                    left.depth,
                    ExprKind::InstanceOf {
                        operand: Box::new(left),
                        class,
                    },
                )?;
                continue;
            }
            let Some(op) = self.binary_op().filter(|op| op.strength() >= strength) else {
                return Ok(left);
            };
            self.next += 1;
            let right = self.binary(op.strength() + 1)?;
            left = self.node(
                at,
                left.depth.max(right.depth),
                ExprKind::Binary {
                    op,
                    left: Box::new(left),
                    right: Box::new(right),
                },
            )?;
        }
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.peek() {
            TokenKind::Symbol(symbol) => BinaryOp::find(symbol),
            TokenKind::Name(word) => BinaryOp::find(word),
            _ => None,
        }
    }

    fn unary(&mut self) -> Parsed {
        let at = self.at();
        let op = match self.peek() {
            TokenKind::Symbol("!") => UnaryOp::Not,
            TokenKind::Name(word) if word.eq_ignore_ascii_case("not") => UnaryOp::Not,
            TokenKind::Symbol("-") => UnaryOp::Minus,
            TokenKind::Symbol("+") => UnaryOp::Plus,
            _ => return self.postfix(),
        };
        self.next += 1;
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(self.too_deep());
        }
        let operand = self.unary()?;
        self.nesting -= 1;
        if let (UnaryOp::Minus, ExprKind::Integer(value)) = (op, &operand.kind)
            && let Some(negative) = value.checked_neg()
        {
            return self.node(at, 0, ExprKind::Integer(negative));
        }
        if let (UnaryOp::Minus, ExprKind::Float(value)) = (op, &operand.kind) {
            return self.node(at, 0, ExprKind::Float(-value));
        }
        self.node(
            at,
            operand.depth,
            ExprKind::Unary {
                op,
                operand: Box::new(operand),
            },
        )
    }

    /// A primary followed by properties, indexes, calls, selections and projections.
    fn postfix(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        loop {
            let at = self.at();
            if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                let depth = expr.depth.max(index.depth);
                expr = self.node(
                    at,
                    depth,
                    ExprKind::Index {
                        target: Box::new(expr),
                        index: Box::new(index),
                    },
                )?;
            } else if self.takes("?.") {
                expr = self.member(expr, at, true)?;
            } else if self.takes(".") {
                expr = self.member(expr, at, false)?;
            } else {
                return Ok(expr);
            }
        }
    }

    /// What follows a dot.
    fn member(&mut self, target: Expr, at: usize, is_safe: bool) -> Parsed {
        for which in [Which::All, Which::First, Which::Last] {
            if self.takes(which.symbol()) {
                let predicate = self.expression()?;
                self.expect("]")?;
                return self.node(
                    at,
                    target.depth.max(predicate.depth),
                    ExprKind::Select {
                        target: Box::new(target),
                        which,
                        predicate: Box::new(predicate),
                    },
                );
            }
        }
        if self.takes("![") {
            let body = self.expression()?;
            self.expect("]")?;
            return self.node(
                at,
                target.depth.max(body.depth),
                ExprKind::Project {
                    target: Box::new(target),
                    body: Box::new(body),
                },
            );
        }
        let name = self.name("a property or method name")?;
        if !self.takes("(") {
            return self.node(
                at,
                target.depth,
                ExprKind::Property {
                    target: Box::new(target),
                    name,
                    is_safe,
                },
            );
        }
        let arguments = self.items(")")?;
        let depth = deepest(&arguments).max(target.depth);
        self.node(
            at,
            depth,
            ExprKind::Call {
                target: Box::new(target),
                name,
                arguments,
                is_safe,
            },
        )
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at();
        let kind = match self.peek().clone() {
            TokenKind::Integer(value) => ExprKind::Integer(value),
            TokenKind::Float(value) => ExprKind::Float(value),
            TokenKind::Text(text) => ExprKind::Text(text),
            TokenKind::Symbol("#") => return self.variable(at),
            TokenKind::Symbol("(") => {
                self.next += 1;
                let expr = self.expression()?;
                self.expect(")")?;
                return Ok(expr);
            }
            TokenKind::Symbol("{") => return self.braces(at),
            TokenKind::Name(word) => match word.to_ascii_lowercase().as_str() {
                "null" => ExprKind::Null,
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                _ if word == "T" && self.peek_at(1) == &TokenKind::Symbol("(") => {
                    return self.static_member(at);
                }
                "new" => return Err(self.unexpected("a value ('new' is not allowed)")),
                _ if self.peek_at(1) == &TokenKind::Symbol("(") => {
                    return Err(self.unexpected("a value (functions begin with '#')"));
                }
                _ => ExprKind::Name(word),
            },
            TokenKind::Symbol(_) | TokenKind::End => return Err(self.unexpected("a value")),
        };
        self.next += 1;
        self.node(at, 0, kind)
    }

    /// `#name` or `#name(…)`
    fn variable(&mut self, at: usize) -> Parsed {
        self.next += 1;
        let name = self.name("a variable name")?;
        if !self.takes("(") {
            return self.node(at, 0, ExprKind::Variable(name));
        }
        let arguments = self.items(")")?;
        self.node(
            at,
            deepest(&arguments),
            ExprKind::Function { name, arguments },
        )
    }

    /// `T(class).member` with or without arguments
    fn static_member(&mut self, at: usize) -> Parsed {
        let class = self.class_reference()?;
        self.expect(".")?;
        let member = self.name("a member of the class")?;
        let arguments = if self.takes("(") {
            Some(self.items(")")?)
        } else {
            None
        };
        let depth = arguments.as_deref().map_or(0, deepest);
        self.node(
            at,
            depth,
            ExprKind::Static {
                class,
                member,
                arguments,
            },
        )
    }

    /// `T(a.b.C)`
    fn class_reference(&mut self) -> Result<String, CompileError> {
        if !self.takes_word("T") {
            return Err(self.unexpected("T(class)"));
        }
        self.expect("(")?;
        let mut class = self.name("a class name")?;
        while self.takes(".") {
            class.push('.');
            class.push_str(&self.name("a class name")?);
        }
        self.expect(")")?;
        Ok(class)
    }

    /// `{a, b}`, `{k: v}`, `{}` (a list) or `{:}` (a map)
    fn braces(&mut self, at: usize) -> Parsed {
        self.expect("{")?;
        if self.takes(":") {
            self.expect("}")?;
            return self.node(at, 0, ExprKind::Map(Vec::new()));
        }
        let Some(key) = self.map_key() else {
            let items = self.items("}")?;
            return self.node(at, deepest(&items), ExprKind::List(items));
        };
        let mut entries = Vec::new();
        let mut depth = 0;
        let mut key = Some(key);
        loop {
            let Some(name) = key.or_else(|| self.map_key()) else {
                return Err(self.unexpected("a key followed by ':'"));
            };
            key = None;
            let value = self.expression()?;
            depth = depth.max(value.depth);
            entries.push((name, value));
            if !self.takes(",") {
                break;
            }
        }
        self.expect("}")?;
        self.node(at, depth, ExprKind::Map(entries))
    }

    /// Takes `key :` if it stands here.
    fn map_key(&mut self) -> Option<Text> {
        if self.peek_at(1) != &TokenKind::Symbol(":") {
            return None;
        }
        let key = match self.peek() {
            TokenKind::Name(name) => Text::from(name.as_str()),
            TokenKind::Text(text) => text.clone(),
            TokenKind::Integer(value) => Text::from(value.to_string()),
            TokenKind::Float(_) | TokenKind::Symbol(_) | TokenKind::End => return None,
        };
        self.next += 2;
        Some(key)
    }

    /// Expressions separated by commas up to `close`.
    fn items(&mut self, close: &'static str) -> Result<Vec<Expr>, CompileError> {
        let mut items = Vec::new();
        if self.takes(close) {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            if self.takes(close) {
                return Ok(items);
            }
            if !self.takes(",") {
                return Err(self.unexpected(&format!("',' or '{close}'")));
            }
        }
    }

    fn node(&mut self, at: usize, depth_below: usize, kind: ExprKind) -> Parsed {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(CompileError::new(
                at,
                "an expression of too many parts",
                format!("at most {NODES_MAX} parts"),
            ));
        }
        let depth = depth_below + 1;
        if depth > DEPTH_MAX {
            return Err(self.too_deep());
        }
        Ok(Expr { at, depth, kind })
    }

    fn too_deep(&self) -> CompileError {
        CompileError::new(
            self.at(),
            "an expression nested too deeply",
            format!("at most {DEPTH_MAX} levels"),
        )
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn peek_at(&self, ahead: usize) -> &TokenKind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + ahead).min(last)].kind
    }

    fn takes(&mut self, symbol: &'static str) -> bool {
        let is_here = self.peek() == &TokenKind::Symbol(symbol);
        self.next += usize::from(is_here);
        is_here
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_here = matches!(self.peek(), TokenKind::Name(name) if name == word);
        self.next += usize::from(is_here);
        is_here
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), CompileError> {
        if self.takes(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("'{symbol}'")))
    }

    fn name(&mut self, expected: &str) -> Result<String, CompileError> {
        let TokenKind::Name(name) = self.peek() else {
            return Err(self.unexpected(expected));
        };
        let name = name.clone();
        self.next += 1;
        Ok(name)
    }

    fn unexpected(&self, expected: &str) -> CompileError {
        let found = match self.peek() {
            TokenKind::Integer(value) => value.to_string(),
            TokenKind::Float(value) => value.to_string(),
            TokenKind::Text(text) => format!("'{text}'"),
            TokenKind::Name(name) => format!("'{name}'"),
            TokenKind::Symbol(symbol) => format!("'{symbol}'"),
            TokenKind::End => "the end of the expression".to_owned(),
        };
        CompileError::new(self.at(), found, expected)
    }
}

fn deepest(items: &[Expr]) -> usize {
    items.iter().map(|item| item.depth).max().unwrap_or(0)
}
