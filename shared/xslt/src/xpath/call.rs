//! Calling functions.

use std::rc::Rc;

use super::evaluate::{Context, Machine, Outcome, ancestors, made, string_value, wrong};
use super::value::to_number;
use super::{Expr, Function, Value};
use crate::error::TransformError;
use crate::number;
use crate::tree::{Kind, NodeRef};

/// The namespace of `xml:lang`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A call of a function, with all that its arguments need.
pub(super) struct Call<'a> {
    pub(super) function: Function,
    pub(super) arguments: &'a [Expr],
    pub(super) context: &'a Context,
    pub(super) machine: &'a dyn Machine,
}

fn flag(value: bool) -> Outcome<Value> {
    Ok(Value::Boolean(value))
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn count(value: usize) -> Outcome<Value> {
    Ok(Value::Number(value as f64))
}

impl Call<'_> {
    fn argument(&self, index: usize) -> Outcome<&Expr> {
        let argument = self.arguments.get(index);
        argument.ok_or_else(|| wrong("an argument is missing"))
    }

    /// An argument as text; the context node stands for one that is left out.
    fn text(&self, index: usize) -> Outcome<Rc<str>> {
        match self.arguments.get(index) {
            Some(argument) => argument.text(self.context, self.machine),
            None => string_value(self.context.node, self.machine),
        }
    }

    /// An argument as number; the context node stands for one that is left out.
    fn number(&self, index: usize) -> Outcome<f64> {
        match self.arguments.get(index) {
            Some(argument) => argument.number(self.context, self.machine),
            None => Ok(to_number(&string_value(self.context.node, self.machine)?)),
        }
    }

    fn boolean(&self, index: usize) -> Outcome<bool> {
        self.argument(index)?.boolean(self.context, self.machine)
    }

    fn nodes(&self, index: usize) -> Outcome<Rc<Vec<NodeRef>>> {
        self.argument(index)?.nodes(self.context, self.machine)
    }

    /// The first node of the first argument; the context node if that is left out.
    fn first_node(&self) -> Outcome<Option<NodeRef>> {
        match self.arguments.first() {
            Some(argument) => Ok(argument.nodes(self.context, self.machine)?.first().copied()),
            None => Ok(Some(self.context.node)),
        }
    }

    pub(super) fn value(&self) -> Outcome<Value> {
        match self.function {
            Function::Last => count(self.context.size),
            Function::Position => count(self.context.position),
            Function::True => flag(true),
            Function::False => flag(false),
            Function::Count => count(self.nodes(0)?.len()),
            Function::Boolean => flag(self.boolean(0)?),
            Function::Not => flag(!self.boolean(0)?),
            Function::Number => Ok(Value::Number(self.number(0)?)),
            Function::Floor => Ok(Value::Number(self.number(0)?.floor())),
            Function::Ceiling => Ok(Value::Number(self.number(0)?.ceil())),
            Function::Round => Ok(Value::Number((self.number(0)? + 0.5).floor())),
            Function::Sum => {
                let mut sum = 0.0;
                for node in self.nodes(0)?.iter() {
                    sum += to_number(&string_value(*node, self.machine)?);
                }
                Ok(Value::Number(sum))
            }
            Function::String => Ok(Value::Text(self.text(0)?)),
            Function::StringLength => count(self.text(0)?.chars().count()),
            Function::StartsWith => flag(self.text(0)?.starts_with(&*self.text(1)?)),
            Function::Contains => flag(self.text(0)?.contains(&*self.text(1)?)),
            Function::Lang => flag(lang(&self.text(0)?, self.context.node, self.machine)),
            Function::LocalName | Function::Name | Function::NamespaceUri => {
                let name = match self.first_node()? {
                    Some(node) => name_of(self.function, node, self.machine),
                    None => String::new(),
                };
                Ok(Value::Text(made(name, self.machine)?))
            }
            Function::Concat
            | Function::NormalizeSpace
            | Function::Substring
            | Function::SubstringAfter
            | Function::SubstringBefore
            | Function::Translate => self.made_text(),
            _ => self.of_stylesheets(),
        }
    }

    /// Functions that XSLT adds.
    fn of_stylesheets(&self) -> Outcome<Value> {
        match self.function {
            Function::Current => Ok(Value::nodes(vec![self.context.current])),
            Function::GenerateId => Ok(Value::text(match self.first_node()? {
                Some(node) => format!("id{}n{}", node.document, node.index),
                None => String::new(),
            })),
            Function::NodeSet => match self.argument(0)?.evaluate(self.context, self.machine)? {
                Value::Fragment(document) => Ok(Value::nodes(vec![NodeRef { document, index: 0 }])),
                nodes @ Value::Nodes(_) => Ok(nodes),
                Value::Text(_) | Value::Number(_) | Value::Boolean(_) => {
                    Err(wrong("node-set() takes the content of a variable"))
                }
            },
            Function::Key => self.key(),
            Function::FormatNumber => {
                let name = self.arguments.get(2).map(|_| self.text(2)).transpose()?;
                let signs = self.machine.signs(name.as_deref())?;
                let text = number::format(self.number(0)?, &self.text(1)?, &signs);
                let text = text.map_err(TransformError::Dynamic)?;
                Ok(Value::Text(made(text, self.machine)?))
            }
            Function::SystemProperty => Ok(match self.text(0)?.rsplit(':').next() {
                Some("version") => Value::Number(1.0),
                Some("vendor") => Value::text("Tidegate"),
                _ => Value::text(""),
            }),
            Function::IsCallable => flag(Function::is_known(&self.text(0)?)),
            Function::HasElement => {
                let name = self.text(0)?;
                let local = name.rsplit(':').next().unwrap_or_default();
                flag(name.contains(':') && crate::stylesheet::is_instruction(local))
            }
            other => Err(wrong(&format!("{other:?} is not supported"))),
        }
    }

    /// Functions that make texts of texts.
    fn made_text(&self) -> Outcome<Value> {
        let text = match self.function {
            Function::Concat => {
                let mut all = String::new();
                for index in 0..self.arguments.len() {
                    all.push_str(&self.text(index)?);
                }
                all
            }
            Function::SubstringBefore => {
                let (text, mark) = (self.text(0)?, self.text(1)?);
                text.split_once(&*mark)
                    .map_or("", |(before, _)| before)
                    .to_owned()
            }
            Function::SubstringAfter => {
                let (text, mark) = (self.text(0)?, self.text(1)?);
                text.split_once(&*mark)
                    .map_or("", |(_, after)| after)
                    .to_owned()
            }
            Function::Substring => {
                let text = self.text(0)?;
                let first = (self.number(1)? + 0.5).floor();
                let end = match self.arguments.len() {
                    3 => first + (self.number(2)? + 0.5).floor(),
                    _ => f64::INFINITY,
                };
                #[expect(clippy::cast_precision_loss, reason = "positions are small")]
                let is_inside = |(index, _): &(usize, char)| {
                    let position = (*index + 1) as f64;
                    position >= first && position < end
                };
                text.chars()
                    .enumerate()
                    .filter(is_inside)
                    .map(|(_, character)| character)
                    .collect()
            }
            Function::NormalizeSpace => {
                let text = self.text(0)?;
                let words = text
                    .split([' ', '\t', '\r', '\n'])
                    .filter(|word| !word.is_empty());
                words.collect::<Vec<_>>().join(" ")
            }
            Function::Translate => {
                let (text, from, to) = (self.text(0)?, self.text(1)?, self.text(2)?);
                self.machine
                    .charge((text.len() as u64).saturating_mul(1 + from.len() as u64 / 64))?;
                let to: Vec<char> = to.chars().collect();
                let mapped =
                    |character: char| match from.chars().position(|known| known == character) {
                        Some(index) => to.get(index).copied(),
                        None => Some(character),
                    };
                text.chars().filter_map(mapped).collect()
            }
            other => return Err(wrong(&format!("{other:?} is not supported"))),
        };
        Ok(Value::Text(made(text, self.machine)?))
    }

    fn key(&self) -> Outcome<Value> {
        let name = self.text(0)?;
        let values: Vec<Rc<str>> = match self.argument(1)?.evaluate(self.context, self.machine)? {
            Value::Nodes(nodes) => {
                let values = nodes.iter().map(|node| string_value(*node, self.machine));
                values.collect::<Outcome<_>>()?
            }
            other => vec![other.to_text(self.machine)?],
        };
        let mut found = Vec::new();
        for value in values {
            found.extend(self.machine.key(&name, &value, self.context)?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(Value::nodes(found))
    }
}

fn name_of(function: Function, node: NodeRef, machine: &dyn Machine) -> String {
    let Some(document) = machine.document(node.document) else {
        return String::new();
    };
    match document.node(node.index).map(|found| &found.kind) {
        Some(Kind::Element { name, .. } | Kind::Attribute { name, .. }) => match function {
            Function::LocalName => name.local.to_string(),
            Function::NamespaceUri => name.uri.to_string(),
            _ => name.written(),
        },
        Some(Kind::Instruction { target, .. }) if function != Function::NamespaceUri => {
            target.to_string()
        }
        _ => String::new(),
    }
}

fn lang(wanted: &str, node: NodeRef, machine: &dyn Machine) -> bool {
    let Some(document) = machine.document(node.document) else {
        return false;
    };
    let said = std::iter::once(node.index)
        .chain(ancestors(&document, node.index))
        .find_map(|element| {
            document
                .attributes(element)
                .find_map(|at| match &document.node(at)?.kind {
                    Kind::Attribute { name, value } if name.is(XML, "lang") => {
                        Some(value.to_string())
                    }
                    _ => None,
                })
        });
    said.is_some_and(|said| {
        let (said, wanted) = (said.to_ascii_lowercase(), wanted.to_ascii_lowercase());
        said == wanted || said.starts_with(&format!("{wanted}-"))
    })
}
