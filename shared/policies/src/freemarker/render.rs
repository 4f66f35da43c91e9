//! Nodes to text.

use tidegate_expression::limits::TEXT_BYTES_MAX;
use tidegate_expression::{Scope, Text, Value};

use super::RenderError;
use super::evaluate::{Loop, Machine, printed, type_error};
use super::tree::{Branch, List, Node};

/// Whether rendering goes on, or the list being walked ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
}

pub(super) fn render(nodes: &[Node], scope: &dyn Scope) -> Result<String, RenderError> {
    let mut out = String::new();
    block(nodes, &mut Machine::new(scope), &mut out)?;
    Ok(out)
}

fn block(nodes: &[Node], machine: &mut Machine<'_>, out: &mut String) -> Result<Flow, RenderError> {
    for node in nodes {
        machine.step(0)?;
        let flow = match node {
            Node::Text(text) => print(text, machine, out)?,
            Node::Print(expression) => {
                let value = machine.value(expression)?;
                print(&printed(&value)?, machine, out)?
            }
            Node::If(branches) => condition(branches, machine, out)?,
            Node::List(list) => walk(list, machine, out)?,
            Node::Assign(name, expression) => {
                let value = machine.value(expression)?;
                machine.assign(name, value);
                Flow::On
            }
            Node::Capture(name, body) => {
                let mut text = String::new();
                let flow = block(body, machine, &mut text)?;
                machine.assign(name, Value::from(text));
                flow
            }
            Node::Separator(body) => match machine.loops.last() {
                Some(state) if state.has_next => block(body, machine, out)?,
                _ => Flow::On,
            },
            Node::Break => Flow::Break,
        };
        if flow == Flow::Break {
            return Ok(Flow::Break);
        }
    }
    Ok(Flow::On)
}

fn print(text: &str, machine: &mut Machine<'_>, out: &mut String) -> Result<Flow, RenderError> {
    if out.len().saturating_add(text.len()) > TEXT_BYTES_MAX {
        return Err(RenderError::Limit);
    }
    machine.step(text.len())?;
    out.push_str(text);
    Ok(Flow::On)
}

fn condition(
    branches: &[Branch],
    machine: &mut Machine<'_>,
    out: &mut String,
) -> Result<Flow, RenderError> {
    for branch in branches {
        let holds = match &branch.condition {
            Some(condition) => machine.condition(condition)?,
            None => true,
        };
        if holds {
            return block(&branch.body, machine, out);
        }
    }
    Ok(Flow::On)
}

fn walk(list: &List, machine: &mut Machine<'_>, out: &mut String) -> Result<Flow, RenderError> {
    let items: Vec<(Value, Option<Value>)> = match (machine.value(&list.values)?, &list.value) {
        (Value::List(items), None) => items.iter().map(|item| (item.clone(), None)).collect(),
        (Value::Map(map), Some(_)) => {
            let members = map.iter();
            members
                .map(|(key, value)| (key.clone().into(), Some(value.clone())))
                .collect()
        }
        (other, _) => return Err(type_error("a list", &other)),
    };
    machine.step(items.len().saturating_mul(size_of::<Value>()))?;
    if items.is_empty() {
        return block(&list.otherwise, machine, out);
    }
    let count = items.len();
    for (index, (item, value)) in items.into_iter().enumerate() {
        machine.step(0)?;
        let named = |name: &Text, value: Value| (name.clone(), value);
        machine.loops.push(Loop {
            item: named(&list.item, item),
            value: list
                .value
                .as_ref()
                .zip(value)
                .map(|(name, value)| named(name, value)),
            index,
            has_next: index + 1 < count,
        });
        let flow = block(&list.body, machine, out);
        machine.loops.pop();
        if flow? == Flow::Break {
            break;
        }
    }
    Ok(Flow::On)
}
