//! What the compiler knows while it walks a stylesheet: names in scope, and how attributes become expressions.

use std::collections::BTreeMap;

use super::{Part, Pattern, ValueTemplate};
use crate::error::CompileError;
use crate::tree::{Declaration, Document, Kind, Name, Str};
use crate::xpath::{self, Expr};

/// The namespace of XSLT.
pub(super) const XSLT: &str = "http://www.w3.org/1999/XSL/Transform";

/// The instructions that are supported.
const INSTRUCTIONS: &[&str] = &[
    "apply-templates",
    "attribute",
    "call-template",
    "choose",
    "comment",
    "copy",
    "copy-of",
    "element",
    "for-each",
    "if",
    "message",
    "number",
    "processing-instruction",
    "text",
    "value-of",
    "variable",
];

/// Whether an element of XSLT is an instruction that is supported.
pub(crate) fn is_instruction(local: &str) -> bool {
    INSTRUCTIONS.contains(&local)
}

/// Compiles a stylesheet.
pub(super) struct Compiler {
    pub(super) document: Document,
    /// Positions of templates by name, known before their bodies are compiled.
    pub(super) named: BTreeMap<String, usize>,
    /// Attribute sets: the positions of their elements.
    pub(super) attribute_sets: BTreeMap<String, Vec<u32>>,
    /// Prefixes whose declarations do not reach the result.
    pub(super) excluded: Vec<Str>,
}

impl Compiler {
    pub(super) fn name(&self, element: u32) -> Option<&Name> {
        self.document.name(element)
    }

    /// The local name of an element of XSLT.
    pub(super) fn xslt_name(&self, element: u32) -> Option<&str> {
        match self.document.node(element).map(|node| &node.kind) {
            Some(Kind::Element { name, .. }) if &*name.uri == XSLT => Some(&name.local),
            _ => None,
        }
    }

    /// How an element is called in messages.
    pub(super) fn place(&self, element: u32) -> String {
        self.name(element).map(Name::written).unwrap_or_default()
    }

    pub(super) fn error(&self, element: u32, reason: impl Into<String>) -> CompileError {
        CompileError::new(self.place(element), reason)
    }

    pub(super) fn attribute_error(
        &self,
        element: u32,
        attribute: &str,
        reason: impl Into<String>,
    ) -> CompileError {
        CompileError::new(format!("@{attribute} of {}", self.place(element)), reason)
    }

    pub(super) fn attribute(&self, element: u32, name: &str) -> Option<&Str> {
        self.document.attribute(element, name)
    }

    pub(super) fn required(&self, element: u32, name: &str) -> Result<&Str, CompileError> {
        let value = self.attribute(element, name);
        value.ok_or_else(|| self.attribute_error(element, name, "it is missing"))
    }

    /// Refuses attributes that an element of XSLT does not have.
    pub(super) fn allow(&self, element: u32, allowed: &[&str]) -> Result<(), CompileError> {
        for index in self.document.attributes(element) {
            let Some(name) = self.name(index).filter(|name| name.uri.is_empty()) else {
                continue;
            };
            if !allowed.contains(&&*name.local) {
                return Err(self.attribute_error(element, &name.local, "it is not supported"));
            }
        }
        Ok(())
    }

    /// `yes` or `no`.
    pub(super) fn flag(&self, element: u32, name: &str) -> Result<bool, CompileError> {
        match self.attribute(element, name).map(|value| value.trim()) {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(_) => Err(self.attribute_error(element, name, "expected yes or no")),
        }
    }

    /// The declarations in scope of an element, the innermost last.
    pub(super) fn scope(&self, element: u32) -> Vec<Declaration> {
        let mut above = vec![element];
        let mut at = element;
        while let Some(node) = self.document.node(at).filter(|node| node.parent != at) {
            at = node.parent;
            above.push(at);
        }
        let mut scope = vec![(
            Str::from("xml"),
            Str::from("http://www.w3.org/XML/1998/namespace"),
        )];
        for element in above.iter().rev() {
            if let Some(Kind::Element { declared, .. }) =
                self.document.node(*element).map(|node| &node.kind)
            {
                scope.extend(declared.iter().cloned());
            }
        }
        scope
    }

    /// The expression in an attribute that must be there.
    pub(super) fn expression(&self, element: u32, name: &str) -> Result<Expr, CompileError> {
        let source = self.required(element, name)?;
        xpath::compile(source, &self.scope(element))
            .map_err(|reason| self.attribute_error(element, name, reason))
    }

    pub(super) fn optional_expression(
        &self,
        element: u32,
        name: &str,
    ) -> Result<Option<Expr>, CompileError> {
        let is_there = self.attribute(element, name).is_some();
        is_there.then(|| self.expression(element, name)).transpose()
    }

    pub(super) fn patterns(&self, element: u32, name: &str) -> Result<Vec<Pattern>, CompileError> {
        let source = self.required(element, name)?;
        Pattern::compile(source, &self.scope(element))
            .map_err(|reason| self.attribute_error(element, name, reason))
    }

    pub(super) fn qualified(&self, element: u32, name: &str) -> Result<Name, CompileError> {
        let written = self.required(element, name)?;
        xpath::qualified(written.trim(), &self.scope(element))
            .map_err(|reason| self.attribute_error(element, name, reason))
    }

    /// The value template in an attribute.
    pub(super) fn template(
        &self,
        element: u32,
        name: &str,
    ) -> Result<Option<ValueTemplate>, CompileError> {
        let Some(source) = self.attribute(element, name) else {
            return Ok(None);
        };
        self.value_template(element, name, source).map(Some)
    }

    /// Takes a text with expressions in braces apart; doubled braces stand for themselves.
    pub(super) fn value_template(
        &self,
        element: u32,
        attribute: &str,
        source: &str,
    ) -> Result<ValueTemplate, CompileError> {
        let wrong = |reason: String| self.attribute_error(element, attribute, reason);
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(index) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(index);
            text.push_str(before);
            let (sign, behind) = brace.split_at(1);
            if let Some(behind) = behind.strip_prefix(sign) {
                text.push_str(sign);
                rest = behind;
                continue;
            }
            if sign == "}" {
                return Err(wrong("a closing brace without an opening one".to_owned()));
            }
            let end = end_of_expression(behind);
            let end = end.ok_or_else(|| wrong("a brace is not closed".to_owned()))?;
            let (expression, behind) = behind.split_at(end);
            let expression = xpath::compile(expression, &self.scope(element)).map_err(wrong)?;
            if !text.is_empty() {
                parts.push(Part::Text(Str::from(std::mem::take(&mut text))));
            }
            parts.push(Part::Expression(expression));
            rest = behind.get(1..).unwrap_or_default();
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(Str::from(text)));
        }
        Ok(ValueTemplate(parts.into()))
    }
}

/// Position of the brace that closes an expression; those in texts do not.
fn end_of_expression(source: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in source.char_indices() {
        match (quote, character) {
            (Some(open), character) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '}') => return Some(index),
            (None, _) => {}
        }
    }
    None
}
