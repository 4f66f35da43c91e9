//! Evaluating expressions. Every node that is looked at and every value that is made counts against the bounds of the
//! transformation.

use std::rc::Rc;

use super::call::Call;
use super::value::{from_number, to_number};
use super::{Axis, Expr, Operator, Path, Step, Test, Value};
use crate::error::TransformError;
use crate::number;
use crate::tree::{Document, Kind, Name, NodeRef};

/// Longest text a value may have, in bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of text that cost a step.
const BYTES_PER_STEP: usize = 64;

pub(super) type Outcome<T> = Result<T, TransformError>;

/// What expressions ask the transformation for.
pub(crate) trait Machine {
    /// Counts work.
    fn charge(&self, steps: u64) -> Outcome<()>;
    /// A document by its number.
    fn document(&self, number: u32) -> Option<Rc<Document>>;
    /// The value of a variable.
    fn variable(&self, name: &Name) -> Outcome<Value>;
    /// The nodes of a key, in document order.
    fn key(&self, name: &str, value: &str, context: &Context) -> Outcome<Vec<NodeRef>>;
    /// The signs of a decimal format; `None` for the default one.
    fn signs(&self, name: Option<&str>) -> Outcome<number::Signs>;
}

/// Where an expression is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) node: NodeRef,
    pub(crate) position: usize,
    pub(crate) size: usize,
    /// The node the instruction stands on, whatever node a predicate looks at.
    pub(crate) current: NodeRef,
}

impl Context {
    pub(crate) fn at(node: NodeRef) -> Self {
        Self {
            node,
            position: 1,
            size: 1,
            current: node,
        }
    }

    fn inner(self, node: NodeRef, position: usize, size: usize) -> Self {
        Self {
            node,
            position,
            size,
            current: self.current,
        }
    }
}

pub(super) fn wrong(what: &str) -> TransformError {
    TransformError::Dynamic(what.to_owned())
}

impl Expr {
    pub(crate) fn evaluate(&self, context: &Context, machine: &dyn Machine) -> Outcome<Value> {
        machine.charge(1)?;
        match self {
            Self::Literal(text) => Ok(Value::text(&**text)),
            Self::Number(number) => Ok(Value::Number(*number)),
            Self::Variable(name) => machine.variable(name),
            Self::Negate(inner) => Ok(Value::Number(-inner.number(context, machine)?)),
            Self::Path(path) => Ok(Value::nodes(path.select(context, machine)?)),
            Self::Filter {
                base,
                predicates,
                steps,
            } => {
                let nodes = base.evaluate(context, machine)?.into_nodes()?;
                let nodes = filtered(nodes.as_ref().clone(), predicates, context, machine)?;
                Ok(Value::nodes(walk(nodes, steps, context, machine)?))
            }
            Self::Binary(operator, left, right) => binary(*operator, left, right, context, machine),
            Self::Call(function, arguments) => Call {
                function: *function,
                arguments,
                context,
                machine,
            }
            .value(),
        }
    }

    pub(crate) fn boolean(&self, context: &Context, machine: &dyn Machine) -> Outcome<bool> {
        Ok(self.evaluate(context, machine)?.to_boolean())
    }

    pub(crate) fn number(&self, context: &Context, machine: &dyn Machine) -> Outcome<f64> {
        self.evaluate(context, machine)?.to_number(machine)
    }

    pub(crate) fn text(&self, context: &Context, machine: &dyn Machine) -> Outcome<Rc<str>> {
        self.evaluate(context, machine)?.to_text(machine)
    }

    pub(crate) fn nodes(
        &self,
        context: &Context,
        machine: &dyn Machine,
    ) -> Outcome<Rc<Vec<NodeRef>>> {
        self.evaluate(context, machine)?.into_nodes()
    }
}

impl Value {
    pub(crate) fn to_boolean(&self) -> bool {
        match self {
            Self::Nodes(nodes) => !nodes.is_empty(),
            Self::Fragment(_) => true,
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Boolean(flag) => *flag,
        }
    }

    pub(crate) fn to_number(&self, machine: &dyn Machine) -> Outcome<f64> {
        Ok(match self {
            Self::Number(number) => *number,
            Self::Boolean(flag) => f64::from(u8::from(*flag)),
            Self::Text(text) => to_number(text),
            Self::Nodes(_) | Self::Fragment(_) => to_number(&self.to_text(machine)?),
        })
    }

    pub(crate) fn to_text(&self, machine: &dyn Machine) -> Outcome<Rc<str>> {
        match self {
            Self::Text(text) => Ok(Rc::clone(text)),
            Self::Number(number) => made(from_number(*number), machine),
            Self::Boolean(flag) => Ok(Rc::from(flag.to_string())),
            Self::Nodes(nodes) => match nodes.first() {
                Some(first) => string_value(*first, machine),
                None => Ok(Rc::from("")),
            },
            Self::Fragment(document) => {
                let root = NodeRef {
                    document: *document,
                    index: 0,
                };
                string_value(root, machine)
            }
        }
    }

    fn into_nodes(self) -> Outcome<Rc<Vec<NodeRef>>> {
        match self {
            Self::Nodes(nodes) => Ok(nodes),
            Self::Fragment(_) => Err(wrong(
                "the content of a variable is no set of nodes without exsl:node-set()",
            )),
            Self::Text(_) | Self::Number(_) | Self::Boolean(_) => {
                Err(wrong("expected nodes, found a text, number or boolean"))
            }
        }
    }
}

/// Charges for a text and keeps it within its bound.
pub(super) fn made(text: String, machine: &dyn Machine) -> Outcome<Rc<str>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TransformError::Limit("length of a text"));
    }
    machine.charge(1 + (text.len() / BYTES_PER_STEP) as u64)?;
    Ok(Rc::from(text))
}

pub(super) fn string_value(node: NodeRef, machine: &dyn Machine) -> Outcome<Rc<str>> {
    let Some(document) = machine.document(node.document) else {
        return Ok(Rc::from(""));
    };
    let below = document
        .node(node.index)
        .map_or(0, |found| found.end - node.index);
    machine.charge(u64::from(below))?;
    made(document.string_value(node.index), machine)
}

impl Path {
    pub(crate) fn select(&self, context: &Context, machine: &dyn Machine) -> Outcome<Vec<NodeRef>> {
        let start = if self.is_absolute {
            NodeRef {
                index: 0,
                ..context.node
            }
        } else {
            context.node
        };
        walk(vec![start], &self.steps, context, machine)
    }
}

/// Goes on from nodes by steps; the result is in document order, each node once.
fn walk(
    mut nodes: Vec<NodeRef>,
    steps: &[Step],
    context: &Context,
    machine: &dyn Machine,
) -> Outcome<Vec<NodeRef>> {
    for step in steps {
        let mut found = Vec::new();
        for node in &nodes {
            let candidates = axis_nodes(*node, step, machine)?;
            found.extend(filtered(candidates, &step.predicates, context, machine)?);
        }
        if nodes.len() > 1 || step.axis.is_reverse() {
            machine.charge(found.len() as u64)?;
            found.sort_unstable();
            found.dedup();
        }
        nodes = found;
    }
    Ok(nodes)
}

/// Keeps the nodes for which every predicate holds, counting positions in the given order.
fn filtered(
    mut nodes: Vec<NodeRef>,
    predicates: &[Expr],
    context: &Context,
    machine: &dyn Machine,
) -> Outcome<Vec<NodeRef>> {
    for predicate in predicates {
        let size = nodes.len();
        let mut kept = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let position = index + 1;
            let inner = context.inner(node, position, size);
            let holds = match predicate.evaluate(&inner, machine)? {
                #[expect(clippy::cast_precision_loss, reason = "positions are small")]
                Value::Number(number) => number == position as f64,
                other => other.to_boolean(),
            };
            if holds {
                kept.push(node);
            }
        }
        nodes = kept;
    }
    Ok(nodes)
}

/// The nodes of a step's axis that its test takes, in the order of the axis.
pub(crate) fn axis_nodes(
    node: NodeRef,
    step: &Step,
    machine: &dyn Machine,
) -> Outcome<Vec<NodeRef>> {
    let Some(document) = machine.document(node.document) else {
        return Ok(Vec::new());
    };
    let (index, test, axis) = (node.index, &step.test, step.axis);
    let mut found = Vec::new();
    let mut visited = 0_u64;
    let mut visit = |at: u32| {
        visited += 1;
        if test_matches(&document, at, test, axis) {
            found.push(NodeRef {
                document: node.document,
                index: at,
            });
        }
    };
    let is_attribute = document.is_attribute(index);
    let end = document.node(index).map_or(index, |found| found.end);
    match axis {
        Axis::SelfNode => visit(index),
        Axis::Attribute => document.attributes(index).for_each(visit),
        Axis::Child => document.children(index).for_each(visit),
        Axis::Descendant | Axis::DescendantOrSelf => {
            if axis == Axis::DescendantOrSelf {
                visit(index);
            }
            (index + 1..end)
                .filter(|at| !document.is_attribute(*at))
                .for_each(visit);
        }
        Axis::Parent => ancestors(&document, index).take(1).for_each(visit),
        Axis::Ancestor => ancestors(&document, index).for_each(visit),
        Axis::AncestorOrSelf => {
            visit(index);
            ancestors(&document, index).for_each(visit);
        }
        Axis::FollowingSibling => {
            let siblings = std::iter::successors(document.next_sibling(index), |at| {
                document.next_sibling(*at)
            });
            siblings.for_each(visit);
        }
        Axis::PrecedingSibling => {
            let parent = document.node(index).map_or(0, |found| found.parent);
            let before: Vec<u32> = document
                .children(parent)
                .take_while(|at| *at < index && !is_attribute)
                .collect();
            before.into_iter().rev().for_each(visit);
        }
        Axis::Following => {
            let start = if is_attribute { index + 1 } else { end };
            (start..document.len())
                .filter(|at| !document.is_attribute(*at))
                .for_each(visit);
        }
        Axis::Preceding => {
            let own: Vec<u32> = ancestors(&document, index).collect();
            (0..index)
                .rev()
                .filter(|at| !document.is_attribute(*at) && !own.contains(at))
                .for_each(visit);
        }
    }
    machine.charge(visited.max(u64::from(end.saturating_sub(index)) / 64))?;
    Ok(found)
}

pub(super) fn ancestors(document: &Document, index: u32) -> impl Iterator<Item = u32> + '_ {
    let parent = |at: &u32| {
        let parent = document.node(*at)?.parent;
        (parent != *at).then_some(parent)
    };
    std::iter::successors(parent(&index), parent)
}

pub(crate) fn test_matches(document: &Document, index: u32, test: &Test, axis: Axis) -> bool {
    let Some(node) = document.node(index) else {
        return false;
    };
    // Names are those of the axis' own kind of node.
    let name = match &node.kind {
        Kind::Attribute { name, .. } if axis == Axis::Attribute => Some(name),
        Kind::Element { name, .. } if axis != Axis::Attribute => Some(name),
        _ => None,
    };
    match (test, &node.kind) {
        (Test::Node, _)
        | (Test::Text, Kind::Text { .. })
        | (Test::Comment, Kind::Comment(_))
        | (Test::Instruction(None), Kind::Instruction { .. }) => true,
        (Test::Instruction(Some(wanted)), Kind::Instruction { target, .. }) => wanted == target,
        (Test::AnyName, _) => name.is_some(),
        (Test::AnyOf(uri), _) => name.is_some_and(|name| name.uri == *uri),
        (Test::Name(wanted), _) => name == Some(wanted),
        _ => false,
    }
}

fn binary(
    operator: Operator,
    left: &Expr,
    right: &Expr,
    context: &Context,
    machine: &dyn Machine,
) -> Outcome<Value> {
    let numbers = || {
        Ok((
            left.number(context, machine)?,
            right.number(context, machine)?,
        ))
    };
    Ok(match operator {
        Operator::Or => {
            Value::Boolean(left.boolean(context, machine)? || right.boolean(context, machine)?)
        }
        Operator::And => {
            Value::Boolean(left.boolean(context, machine)? && right.boolean(context, machine)?)
        }
        Operator::Plus => numbers().map(|(a, b): (f64, f64)| Value::Number(a + b))?,
        Operator::Minus => numbers().map(|(a, b)| Value::Number(a - b))?,
        Operator::Multiply => numbers().map(|(a, b)| Value::Number(a * b))?,
        Operator::Divide => numbers().map(|(a, b)| Value::Number(a / b))?,
        Operator::Modulo => numbers().map(|(a, b)| Value::Number(a % b))?,
        Operator::Union => {
            let mut nodes = left.nodes(context, machine)?.as_ref().clone();
            nodes.extend(right.nodes(context, machine)?.iter());
            machine.charge(nodes.len() as u64)?;
            nodes.sort_unstable();
            nodes.dedup();
            Value::nodes(nodes)
        }
        comparison => {
            let left = left.evaluate(context, machine)?;
            let right = right.evaluate(context, machine)?;
            Value::Boolean(compare(comparison, &left, &right, machine)?)
        }
    })
}

/// Comparisons (XPath 1.0 §3.4): with a set of nodes it is enough that one of them fits.
fn compare(
    operator: Operator,
    left: &Value,
    right: &Value,
    machine: &dyn Machine,
) -> Outcome<bool> {
    let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    match (left, right) {
        (Value::Boolean(_), other) | (other, Value::Boolean(_)) if is_equality => {
            let flag = match (left, right) {
                (Value::Boolean(flag), _) | (_, Value::Boolean(flag)) => *flag,
                _ => false,
            };
            Ok((flag == other.to_boolean()) == (operator == Operator::Equal))
        }
        (Value::Nodes(nodes), other) | (other, Value::Nodes(nodes)) => {
            let is_left = matches!(left, Value::Nodes(_));
            for node in nodes.iter() {
                let value = Value::Text(string_value(*node, machine)?);
                let holds = if is_left {
                    compare(operator, &value, other, machine)?
                } else {
                    compare(operator, other, &value, machine)?
                };
                if holds {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ if is_equality => {
            let is_number = |value: &Value| matches!(value, Value::Number(_));
            let is_equal = if is_number(left) || is_number(right) {
                left.to_number(machine)? == right.to_number(machine)?
            } else {
                left.to_text(machine)? == right.to_text(machine)?
            };
            Ok(is_equal == (operator == Operator::Equal))
        }
        _ => {
            let (left, right) = (left.to_number(machine)?, right.to_number(machine)?);
            Ok(match operator {
                Operator::Less => left < right,
                Operator::LessOrEqual => left <= right,
                Operator::Greater => left > right,
                _ => left >= right,
            })
        }
    }
}
