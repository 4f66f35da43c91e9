//! From words to expressions, and to the paths of patterns.

use super::functions::Function;
use super::lexer::{Token, is_name_part, is_name_start, tokens};
use super::{Axis, Expr, Operator, Path, Step, Test};
use crate::tree::{Declaration, Name, Str};

/// Deepest nesting of an expression.
const DEPTH_MAX: usize = 60;

/// The declarations in scope where an expression stands, the innermost last.
pub(crate) type Namespaces = [Declaration];

/// Compiles an expression.
///
/// # Errors
/// Says what does not parse or is not supported.
pub(crate) fn compile(source: &str, namespaces: &Namespaces) -> Result<Expr, String> {
    let mut parser = Parser::new(source, namespaces)?;
    let expression = parser.expression(0)?;
    parser.end()?;
    Ok(expression)
}

/// Compiles the alternatives of a pattern, each as a path.
///
/// # Errors
/// Says what does not parse, or is no path.
pub(crate) fn compile_path_pattern(
    source: &str,
    namespaces: &Namespaces,
) -> Result<Vec<Path>, String> {
    let mut parser = Parser::new(source, namespaces)?;
    let mut paths = Vec::new();
    loop {
        paths.push(parser.path(0)?);
        if !parser.takes("|") {
            break;
        }
    }
    parser.end()?;
    Ok(paths)
}

/// The expanded form of a name written in a stylesheet; the default namespace is not used for it.
///
/// # Errors
/// It is no name, or its prefix is not declared.
pub(crate) fn qualified(written: &str, namespaces: &Namespaces) -> Result<Name, String> {
    let (prefix, local) = written.split_once(':').unwrap_or(("", written));
    let is_name = |part: &str| part.starts_with(is_name_start) && part.chars().all(is_name_part);
    let has_prefix = written.contains(':');
    if !is_name(local) || (has_prefix && !is_name(prefix)) {
        return Err(format!("{written:?} is no name"));
    }
    Ok(Name {
        prefix: Str::from(prefix),
        uri: uri_of(prefix, namespaces)?,
        local: Str::from(local),
    })
}

fn uri_of(prefix: &str, namespaces: &Namespaces) -> Result<Str, String> {
    if prefix.is_empty() {
        return Ok(Str::from(""));
    }
    let declared = namespaces
        .iter()
        .rev()
        .find(|(known, _)| **known == *prefix);
    let (_, uri) = declared.ok_or_else(|| format!("the prefix {prefix:?} is not declared"))?;
    Ok(Str::clone(uri))
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    namespaces: &'a Namespaces,
}

/// Binary operators by precedence, the loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[("=", Operator::Equal), ("!=", Operator::NotEqual)],
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[
        ("*", Operator::Multiply),
        ("div", Operator::Divide),
        ("mod", Operator::Modulo),
    ],
];

const AXES: &[(&str, Axis)] = &[
    ("ancestor", Axis::Ancestor),
    ("ancestor-or-self", Axis::AncestorOrSelf),
    ("attribute", Axis::Attribute),
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("following", Axis::Following),
    ("following-sibling", Axis::FollowingSibling),
    ("parent", Axis::Parent),
    ("preceding", Axis::Preceding),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("self", Axis::SelfNode),
];

const NODE_TYPES: &[&str] = &["node", "text", "comment", "processing-instruction"];

impl<'a> Parser<'a> {
    fn new(source: &str, namespaces: &'a Namespaces) -> Result<Self, String> {
        Ok(Self {
            tokens: tokens(source)?,
            at: 0,
            namespaces,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Takes a sign or operator if it is next.
    fn takes(&mut self, wanted: &str) -> bool {
        let is_next = matches!(self.peek(),
            Some(Token::Sign(known) | Token::Operator(known)) if *known == wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn is_sign(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(known)) if *known == wanted)
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.takes(wanted) {
            Ok(())
        } else {
            Err(format!("expected {wanted:?}, found {}", self.found()))
        }
    }

    fn end(&self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(format!("expected the end, found {}", self.found())),
        }
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Sign(text) | Token::Operator(text)) => format!("{text:?}"),
            Some(Token::Name(text)) => format!("the name {text}"),
            Some(Token::Variable(name)) => format!("${name}"),
            Some(Token::Literal(_)) => "a text".to_owned(),
            Some(Token::Number(number)) => format!("the number {number}"),
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expr, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels"));
        }
        self.level(LEVELS, depth)
    }

    fn level(&mut self, levels: &[&[(&str, Operator)]], depth: usize) -> Result<Expr, String> {
        let Some((operators, tighter)) = levels.split_first() else {
            return self.unary(depth);
        };
        let mut left = self.level(tighter, depth)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.takes(text)) {
            let right = self.level(tighter, depth)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, String> {
        let mut is_negative = false;
        while self.takes("-") {
            is_negative = !is_negative;
        }
        let mut left = self.operand(depth)?;
        while self.takes("|") {
            let right = self.operand(depth)?;
            left = Expr::Binary(Operator::Union, Box::new(left), Box::new(right));
        }
        Ok(if is_negative {
            Expr::Negate(Box::new(left))
        } else {
            left
        })
    }

    /// A path, or a primary expression with what follows it.
    fn operand(&mut self, depth: usize) -> Result<Expr, String> {
        let base = match self.peek() {
            Some(Token::Variable(_) | Token::Literal(_) | Token::Number(_)) => {
                self.primary(depth)?
            }
            Some(Token::Sign("(")) => self.primary(depth)?,
            Some(Token::Name(name)) if self.is_call(name) => self.primary(depth)?,
            _ => return Ok(Expr::Path(self.path(depth)?)),
        };
        let predicates = self.predicates(depth)?;
        let mut steps = Vec::new();
        loop {
            if self.takes("//") {
                steps.push(anywhere());
            } else if !self.takes("/") {
                break;
            }
            steps.push(self.step(depth)?);
        }
        if predicates.is_empty() && steps.is_empty() {
            return Ok(base);
        }
        Ok(Expr::Filter {
            base: Box::new(base),
            predicates,
            steps,
        })
    }

    fn is_call(&self, name: &str) -> bool {
        matches!(self.peek_second(), Some(Token::Sign("("))) && !NODE_TYPES.contains(&name)
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, String> {
        match self.next() {
            Some(Token::Variable(name)) => Ok(Expr::Variable(qualified(&name, self.namespaces)?)),
            Some(Token::Literal(text)) => Ok(Expr::Literal(Str::from(text))),
            Some(Token::Number(number)) => Ok(Expr::Number(number)),
            Some(Token::Sign("(")) => {
                let inner = self.expression(depth + 1)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Name(name)) => self.call(&name, depth),
            _ => Err("an expression is missing".to_owned()),
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Expr, String> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.expression(depth + 1)?);
                if !self.takes(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let function = Function::find(&qualified(name, self.namespaces)?, arguments.len())?;
        Ok(Expr::Call(function, arguments))
    }

    fn path(&mut self, depth: usize) -> Result<Path, String> {
        let mut steps = Vec::new();
        let is_absolute = if self.takes("//") {
            steps.push(anywhere());
            true
        } else if self.takes("/") {
            if !self.starts_step() {
                return Ok(Path {
                    is_absolute: true,
                    steps,
                });
            }
            true
        } else {
            false
        };
        steps.push(self.step(depth)?);
        loop {
            if self.takes("//") {
                steps.push(anywhere());
            } else if !self.takes("/") {
                return Ok(Path { is_absolute, steps });
            }
            steps.push(self.step(depth)?);
        }
    }

    fn starts_step(&self) -> bool {
        match self.peek() {
            Some(Token::Name(_)) => true,
            Some(Token::Sign(sign)) => matches!(*sign, "*" | "@" | "." | ".."),
            _ => false,
        }
    }

    fn step(&mut self, depth: usize) -> Result<Step, String> {
        for (sign, axis) in [(".", Axis::SelfNode), ("..", Axis::Parent)] {
            if self.is_sign(sign) {
                self.at += 1;
                return Ok(Step {
                    axis,
                    test: Test::Node,
                    predicates: Vec::new(),
                });
            }
        }
        let axis = self.axis()?;
        let test = self.test()?;
        let predicates = self.predicates(depth)?;
        Ok(Step {
            axis,
            test,
            predicates,
        })
    }

    fn axis(&mut self) -> Result<Axis, String> {
        if self.takes("@") {
            return Ok(Axis::Attribute);
        }
        if !matches!(self.peek_second(), Some(Token::Sign("::"))) {
            return Ok(Axis::Child);
        }
        let Some(Token::Name(name)) = self.next() else {
            return Err("the name of an axis is missing".to_owned());
        };
        self.at += 1;
        let axis = AXES.iter().find(|(known, _)| *known == name);
        match axis {
            Some((_, axis)) => Ok(*axis),
            None if name == "namespace" => Err("the namespace axis is not supported".to_owned()),
            None => Err(format!("there is no axis {name:?}")),
        }
    }

    fn test(&mut self) -> Result<Test, String> {
        if self.takes("*") {
            return Ok(Test::AnyName);
        }
        let found = self.found();
        let Some(Token::Name(name)) = self.next() else {
            return Err(format!("expected a step, found {found}"));
        };
        if NODE_TYPES.contains(&name.as_str()) && self.takes("(") {
            let target = match self.peek() {
                Some(Token::Literal(text)) if name == "processing-instruction" => {
                    Some(Str::from(text.as_str()))
                }
                _ => None,
            };
            self.at += usize::from(target.is_some());
            self.expect(")")?;
            return Ok(match name.as_str() {
                "node" => Test::Node,
                "text" => Test::Text,
                "comment" => Test::Comment,
                _ => Test::Instruction(target),
            });
        }
        match name.strip_suffix(":*") {
            Some(prefix) => Ok(Test::AnyOf(uri_of(prefix, self.namespaces)?)),
            None => Ok(Test::Name(qualified(&name, self.namespaces)?)),
        }
    }

    fn predicates(&mut self, depth: usize) -> Result<Vec<Expr>, String> {
        let mut predicates = Vec::new();
        while self.takes("[") {
            predicates.push(self.expression(depth + 1)?);
            self.expect("]")?;
        }
        Ok(predicates)
    }
}

/// The step that `//` stands for.
fn anywhere() -> Step {
    Step {
        axis: Axis::DescendantOrSelf,
        test: Test::Node,
        predicates: Vec::new(),
    }
}
