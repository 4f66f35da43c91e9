//! Syntax tree to program: resolves names and folds constants.

use std::collections::BTreeSet;

use super::evaluate::{self, Machine};
use super::node::{Kind, Node, PathSource, Pattern, Step, Steps};
use super::{Folding, Program};
use crate::error::{CompileError, EvalErrorKind};
use crate::json_path::JsonPath;
use crate::limits::FOLDED_SIZE_MAX;
use crate::methods::{Function, Method, Unresolved, find_static, known_class, matches_whole};
use crate::needs::Needs;
use crate::scope::{Key, Segment};
use crate::syntax::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::value::{Text, Value};

/// Compiles a tree.
pub(super) fn program(expr: &Expr, folding: Folding) -> Result<Program, CompileError> {
    let mut compiler = Compiler {
        folding,
        needs: Needs::NONE,
        variables: BTreeSet::new(),
    };
    let root = compiler.node(expr)?;
    Ok(Program {
        root,
        needs: compiler.needs,
        variables: compiler.variables.into_iter().collect(),
    })
}

struct Compiler {
    folding: Folding,
    needs: Needs,
    variables: BTreeSet<Box<str>>,
}

type Compiled = Result<Node, CompileError>;

impl Compiler {
    fn node(&mut self, expr: &Expr) -> Compiled {
        let kind = match &expr.kind {
            ExprKind::Null => Kind::Constant(Value::Null),
            ExprKind::Bool(value) => Kind::Constant((*value).into()),
            ExprKind::Integer(value) => Kind::Constant((*value).into()),
            ExprKind::Float(value) => Kind::Constant((*value).into()),
            ExprKind::Text(text) => Kind::Constant(text.clone().into()),
            ExprKind::Variable(_) => return self.path(expr),
            ExprKind::Property { is_safe: false, .. } | ExprKind::Index { .. } => {
                return self.path(expr);
            }
            ExprKind::Name(name) => Kind::Property {
                target: Box::new(Node {
                    at: expr.at,
                    kind: Kind::This,
                }),
                key: Key::new(Text::from(name.as_str())),
                is_safe: false,
            },
            ExprKind::Property { target, name, .. } => Kind::Property {
                target: self.boxed(target)?,
                key: Key::new(Text::from(name.as_str())),
                is_safe: true,
            },
            ExprKind::Call {
                target,
                name,
                arguments,
                is_safe,
            } => {
                let method = method(expr.at, name, arguments.len())?;
                let target = self.boxed(target)?;
                let mut arguments = self.all(arguments)?;
                compile_pattern(&method, &mut arguments)?;
                Kind::Call {
                    target,
                    method,
                    arguments,
                    is_safe: *is_safe,
                }
            }
            ExprKind::Function { name, arguments } => self.function(expr.at, name, arguments)?,
            ExprKind::Static {
                class,
                member,
                arguments,
            } => Kind::Static {
                function: static_member(expr.at, class, member, arguments.as_deref())?,
                arguments: self.all(arguments.as_deref().unwrap_or_default())?,
            },
            ExprKind::Unary { op, operand } => {
                let operand = self.boxed(operand)?;
                match op {
                    UnaryOp::Not => Kind::Not(operand),
                    UnaryOp::Minus => Kind::Negate(operand),
                    UnaryOp::Plus => Kind::Plus(operand),
                }
            }
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right)?,
            ExprKind::InstanceOf { operand, class } => Kind::InstanceOf {
                class: known_class(class).ok_or_else(|| unknown_class(expr.at, class))?,
                operand: self.boxed(operand)?,
            },
            _ => self.composite(expr)?,
        };
        Ok(self.fold(Node { at: expr.at, kind }))
    }

    /// Conditionals, loops and literals of lists and maps.
    fn composite(&mut self, expr: &Expr) -> Result<Kind, CompileError> {
        Ok(match &expr.kind {
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => Kind::Ternary {
                condition: self.boxed(condition)?,
                then: self.boxed(then)?,
                otherwise: self.boxed(otherwise)?,
            },
            ExprKind::Elvis { value, otherwise } => Kind::Elvis {
                value: self.boxed(value)?,
                otherwise: self.boxed(otherwise)?,
            },
            ExprKind::Select {
                target,
                which,
                predicate,
            } => Kind::Select {
                target: self.boxed(target)?,
                which: *which,
                predicate: self.boxed(predicate)?,
            },
            ExprKind::Project { target, body } => Kind::Project {
                target: self.boxed(target)?,
                body: self.boxed(body)?,
            },
            ExprKind::List(items) => Kind::List(self.all(items)?),
            ExprKind::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.node(value)?)))
                    .collect::<Result<_, CompileError>>()?;
                Kind::Map(entries)
            }
            _ => {
                return Err(CompileError::new(
                    expr.at,
                    expr.to_string(),
                    "a supported expression",
                ));
            }
        })
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Kind, CompileError> {
        if op != BinaryOp::Matches {
            return Ok(Kind::Binary {
                op,
                left: self.boxed(left)?,
                right: self.boxed(right)?,
            });
        }
        let left = self.boxed(left)?;
        let pattern = self.node(right)?;
        let pattern = match &pattern.kind {
            Kind::Constant(Value::Text(text)) => {
                Pattern::Known(matches_whole(text).map_err(|kind| refused(right.at, kind))?)
            }
            _ => Pattern::Computed(Box::new(pattern)),
        };
        Ok(Kind::Matches { left, pattern })
    }

    fn function(
        &mut self,
        at: usize,
        name: &str,
        arguments: &[Expr],
    ) -> Result<Kind, CompileError> {
        match (name, arguments) {
            ("jsonPath", [document, path]) => {
                let document = self.boxed(document)?;
                let path_node = self.node(path)?;
                let path = match &path_node.kind {
                    Kind::Constant(Value::Text(text)) => PathSource::Known(
                        JsonPath::compile(text).map_err(|kind| refused(path.at, kind))?,
                    ),
                    _ => PathSource::Computed(Box::new(path_node)),
                };
                Ok(Kind::JsonPath { document, path })
            }
            ("xmlEscape", [text]) => Ok(Kind::XmlEscape(self.boxed(text)?)),
            ("jsonPath" | "xmlEscape", _) => Err(CompileError::new(
                at,
                format!("#{name} with {} arguments", arguments.len()),
                if name == "jsonPath" {
                    "two arguments"
                } else {
                    "one argument"
                },
            )),
            ("xpath", _) => Err(CompileError::new(
                at,
                "#xpath, which Tidegate does not offer",
                "#jsonPath or #xmlEscape",
            )),
            _ => Err(CompileError::new(
                at,
                format!("function #{name}"),
                "#jsonPath or #xmlEscape",
            )),
        }
    }

    /// Compiles a variable with the plain properties and indexes below it into one path.
    fn path(&mut self, expr: &Expr) -> Compiled {
        let mut below = Vec::new();
        let mut base = expr;
        let variable = loop {
            match &base.kind {
                ExprKind::Property {
                    target,
                    is_safe: false,
                    ..
                }
                | ExprKind::Index { target, .. } => {
                    below.push(base);
                    base = target;
                }
                ExprKind::Variable(name) if name != "this" && name != "root" => break Some(name),
                _ => break None,
            }
        };
        let Some(variable) = variable else {
            return self.below_value(base, &below);
        };
        let mut steps = Vec::with_capacity(below.len());
        for step in below.iter().rev() {
            steps.push(match &step.kind {
                ExprKind::Property { name, .. } => {
                    Step::Known(Segment::Key(Key::new(Text::from(name.as_str()))))
                }
                ExprKind::Index { index, .. } => computed(self.node(index)?),
                _ => continue,
            });
        }
        self.note_variable(expr.at, variable, steps.first())?;
        Ok(Node {
            at: expr.at,
            kind: Kind::Path {
                variable: variable.as_str().into(),
                steps: known(steps),
            },
        })
    }

    /// Compiles properties and indexes below something that is no variable.
    fn below_value(&mut self, base: &Expr, below: &[&Expr]) -> Compiled {
        let mut node = match &base.kind {
            ExprKind::Variable(name) => Node {
                at: base.at,
                // There is no root object; `#root` is null as it is for the reference engine.
                kind: match name.as_str() {
                    "this" => Kind::This,
                    _ => Kind::Constant(Value::Null),
                },
            },
            _ => self.node(base)?,
        };
        for step in below.iter().rev() {
            let target = Box::new(node);
            let kind = match &step.kind {
                ExprKind::Index { index, .. } => Kind::Index {
                    target,
                    index: self.boxed(index)?,
                },
                ExprKind::Property { name, .. } => Kind::Property {
                    target,
                    key: Key::new(Text::from(name.as_str())),
                    is_safe: false,
                },
                _ => target.kind,
            };
            node = self.fold(Node { at: step.at, kind });
        }
        Ok(node)
    }

    /// Notes what a path touches; a path that does not say touches everything of its variable.
    fn note_variable(
        &mut self,
        at: usize,
        variable: &str,
        first: Option<&Step>,
    ) -> Result<(), CompileError> {
        let property = match first {
            Some(Step::Known(segment)) => segment.as_key(),
            _ => None,
        };
        if property == Some("xmlContent") {
            return Err(CompileError::new(
                at,
                format!("#{variable}.xmlContent, which Tidegate does not offer"),
                "content or jsonContent",
            ));
        }
        let reads_content = matches!(property, None | Some("content" | "jsonContent"));
        match variable {
            "request" => self.needs.request_content |= reads_content,
            "response" => self.needs.response_content |= reads_content,
            _ => {}
        }
        self.variables.insert(variable.into());
        Ok(())
    }

    fn boxed(&mut self, expr: &Expr) -> Result<Box<Node>, CompileError> {
        self.node(expr).map(Box::new)
    }

    fn all(&mut self, exprs: &[Expr]) -> Result<Box<[Node]>, CompileError> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    /// Replaces a node of constants by its value; one that fails stays and fails when evaluated.
    fn fold(&self, node: Node) -> Node {
        if self.folding == Folding::Off || !has_constant_parts(&node.kind) {
            return node;
        }
        match Machine::new(&evaluate::NoScope).eval(&node) {
            Ok(value) if is_small(&value) => Node {
                at: node.at,
                kind: Kind::Constant(value),
            },
            _ => node,
        }
    }
}

fn computed(index: Node) -> Step {
    match &index.kind {
        Kind::Constant(Value::Text(text)) => Step::Known(Segment::Key(Key::new(text.clone()))),
        Kind::Constant(Value::Integer(index)) => Step::Known(Segment::Index(*index)),
        _ => Step::Computed(index),
    }
}

fn known(steps: Vec<Step>) -> Steps {
    let is_known = steps.iter().all(|step| matches!(step, Step::Known(_)));
    if !is_known {
        return Steps::Computed(steps.into());
    }
    let segments = steps.into_iter().filter_map(|step| match step {
        Step::Known(segment) => Some(segment),
        Step::Computed(_) => None,
    });
    Steps::Known(segments.collect())
}

/// Tells whether the value of a node depends on nothing but constants.
fn has_constant_parts(kind: &Kind) -> bool {
    let is_constant = |node: &Node| matches!(node.kind, Kind::Constant(_));
    match kind {
        Kind::Property { target, .. } => is_constant(target),
        Kind::Index { target, index } => is_constant(target) && is_constant(index),
        Kind::Call {
            target, arguments, ..
        } => is_constant(target) && arguments.iter().all(is_constant),
        Kind::Static {
            function: Function::Pure(_),
            arguments,
        } => arguments.iter().all(is_constant),
        Kind::XmlEscape(operand) | Kind::Not(operand) | Kind::Negate(operand) => {
            is_constant(operand)
        }
        Kind::Binary { left, right, .. } => is_constant(left) && is_constant(right),
        Kind::Matches {
            left,
            pattern: Pattern::Known(_),
        } => is_constant(left),
        Kind::Ternary {
            condition,
            then,
            otherwise,
        } => is_constant(condition) && is_constant(then) && is_constant(otherwise),
        Kind::Elvis { value, otherwise } => is_constant(value) && is_constant(otherwise),
        Kind::List(items) => items.iter().all(is_constant),
        Kind::Map(entries) => entries.iter().all(|(_, value)| is_constant(value)),
        _ => false,
    }
}

fn is_small(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() <= FOLDED_SIZE_MAX,
        Value::List(items) => items.len() <= FOLDED_SIZE_MAX && items.iter().all(is_small),
        Value::Map(map) => {
            map.len() <= FOLDED_SIZE_MAX && map.iter().all(|(_, value)| is_small(value))
        }
        Value::Object(_) => false,
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => true,
    }
}

fn method(at: usize, name: &str, arguments: usize) -> Result<Method, CompileError> {
    Method::resolve(name, arguments).map_err(|unresolved| match unresolved {
        Unresolved::Name => CompileError::new(
            at,
            format!("method '{name}'"),
            "a method of text, number, list or map that expressions may call",
        ),
        Unresolved::ArgumentCount => CompileError::new(
            at,
            format!("method '{name}' with {arguments} arguments"),
            "as many arguments as the method takes",
        ),
    })
}

/// Replaces a constant regular expression among the arguments by its compiled form.
fn compile_pattern(method: &Method, arguments: &mut [Node]) -> Result<(), CompileError> {
    let Some(first) = arguments.first_mut() else {
        return Ok(());
    };
    let compiled = match &first.kind {
        Kind::Constant(Value::Text(source)) => method.compile_pattern(source),
        _ => None,
    };
    if let Some(compiled) = compiled {
        first.kind = Kind::Constant(compiled.map_err(|kind| refused(first.at, kind))?);
    }
    Ok(())
}

fn static_member(
    at: usize,
    class: &str,
    member: &str,
    arguments: Option<&[Expr]>,
) -> Result<Function, CompileError> {
    let class = known_class(class).ok_or_else(|| unknown_class(at, class))?;
    find_static(class, member, arguments.map(<[Expr]>::len)).ok_or_else(|| {
        CompileError::new(
            at,
            match arguments {
                Some(arguments) => format!("{class}.{member} with {} arguments", arguments.len()),
                None => format!("{class}.{member}"),
            },
            format!("a static member of {class} that expressions may use"),
        )
    })
}

fn unknown_class(at: usize, class: &str) -> CompileError {
    CompileError::new(
        at,
        format!("class {class}"),
        "a class that expressions may use, such as java.lang.Math or java.util.UUID",
    )
}

fn refused(at: usize, kind: EvalErrorKind) -> CompileError {
    match kind {
        EvalErrorKind::Unparsable { text, expected } => CompileError::new(at, text, expected),
        other => CompileError::new(at, other.to_string(), "a shorter or simpler one"),
    }
}
