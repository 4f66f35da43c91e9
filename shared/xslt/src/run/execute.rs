//! Instructions, one by one.

use std::rc::Rc;

use super::builder::Builder;
use super::{Outcome, Runner};
use crate::error::TransformError;
use crate::stylesheet::{Binding, Instruction, Part, Template, ValueTemplate};
use crate::tree::{Declaration, Document, Kind, Name, NodeRef, Str};
use crate::xpath::{self, Context, Machine, Value};

/// What a node costs beside its text, in bytes.
const NODE_BYTES: usize = 64;

impl Runner<'_> {
    /// Runs the templates of nodes.
    pub(super) fn apply(
        &self,
        nodes: &[NodeRef],
        mode: &str,
        arguments: &[(Name, Value)],
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        if depth > self.limits.depth {
            return Err(TransformError::Limit("templates within templates"));
        }
        let size = nodes.len();
        for (index, node) in nodes.iter().enumerate() {
            let context = Context {
                node: *node,
                position: index + 1,
                size,
                current: *node,
            };
            match self.rule(*node, mode)? {
                Some(template) => self.run_template(template, &context, arguments, out, depth)?,
                None => self.built_in(*node, mode, out, depth)?,
            }
        }
        Ok(())
    }

    /// The template of the first rule that a node matches.
    fn rule(&self, node: NodeRef, mode: &str) -> Outcome<Option<&Template>> {
        for rule in self.stylesheet.rules.get(mode).into_iter().flatten() {
            if rule.pattern.matches(node, self)? {
                return Ok(self.stylesheet.templates.get(rule.template));
            }
        }
        Ok(None)
    }

    fn built_in(&self, node: NodeRef, mode: &str, out: &mut Builder, depth: usize) -> Outcome<()> {
        self.charge(1)?;
        let Some(document) = self.document(node.document) else {
            return Ok(());
        };
        match document.node(node.index).map(|found| &found.kind) {
            Some(Kind::Root | Kind::Element { .. }) => {
                let children = children(&document, node);
                self.charge(children.len() as u64)?;
                self.apply(&children, mode, &[], out, depth + 1)
            }
            Some(Kind::Text { text, .. } | Kind::Attribute { value: text, .. }) => {
                self.write(text, false, out)
            }
            _ => Ok(()),
        }
    }

    fn run_template(
        &self,
        template: &Template,
        context: &Context,
        arguments: &[(Name, Value)],
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        if depth > self.limits.depth {
            return Err(TransformError::Limit("templates within templates"));
        }
        self.in_new_frame(|| {
            for parameter in &template.parameters {
                let given = arguments.iter().find(|(name, _)| *name == parameter.name);
                let value = match given {
                    Some((_, value)) => value.clone(),
                    None => self.value(parameter, context, depth + 1)?,
                };
                self.bind(&parameter.name, value);
            }
            self.body(&template.body, context, out, depth + 1)
        })
    }

    fn arguments(
        &self,
        parameters: &[Binding],
        context: &Context,
        depth: usize,
    ) -> Outcome<Vec<(Name, Value)>> {
        let value = |parameter: &Binding| {
            Ok((
                parameter.name.clone(),
                self.value(parameter, context, depth)?,
            ))
        };
        parameters.iter().map(value).collect()
    }

    /// Runs instructions; variables they bind end with them.
    pub(super) fn body(
        &self,
        body: &[Instruction],
        context: &Context,
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        let mark = self.variables.borrow().len();
        let outcome = body.iter().try_for_each(|instruction| {
            self.charge(1)?;
            self.instruction(instruction, context, out, depth)
        });
        self.variables.borrow_mut().truncate(mark);
        outcome
    }

    fn instruction(
        &self,
        instruction: &Instruction,
        context: &Context,
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        match instruction {
            Instruction::Text { text, is_raw } => self.write(text, *is_raw, out),
            Instruction::ValueOf { select, is_raw } => {
                self.write(&select.text(context, self)?, *is_raw, out)
            }
            Instruction::If { test, body } => match test.boolean(context, self)? {
                true => self.body(body, context, out, depth),
                false => Ok(()),
            },
            Instruction::Choose { cases, otherwise } => {
                for (test, body) in cases {
                    if test.boolean(context, self)? {
                        return self.body(body, context, out, depth);
                    }
                }
                self.body(otherwise, context, out, depth)
            }
            Instruction::Variable(binding) => {
                let value = self.value(binding, context, depth)?;
                self.bind(&binding.name, value);
                Ok(())
            }
            Instruction::ForEach {
                select,
                sorts,
                body,
            } => {
                let nodes = self.sorted(select.nodes(context, self)?, sorts, context)?;
                self.for_each(&nodes, body, out, depth)
            }
            Instruction::ApplyTemplates {
                select,
                mode,
                sorts,
                parameters,
            } => {
                let nodes = match select {
                    Some(select) => select.nodes(context, self)?,
                    None => Rc::new(self.children(context.node)),
                };
                let nodes = self.sorted(nodes, sorts, context)?;
                let arguments = self.arguments(parameters, context, depth)?;
                self.apply(&nodes, mode, &arguments, out, depth + 1)
            }
            Instruction::CallTemplate {
                template,
                parameters,
            } => {
                let arguments = self.arguments(parameters, context, depth)?;
                match self.stylesheet.templates.get(*template) {
                    Some(template) => self.run_template(template, context, &arguments, out, depth),
                    None => Ok(()),
                }
            }
            Instruction::Message { body, terminates } => {
                let text = self.text_of(body, context, depth)?;
                match terminates {
                    true => Err(TransformError::Terminated(text.chars().take(200).collect())),
                    false => Ok(()),
                }
            }
            Instruction::Number(numbering) => {
                let text = self.numbered(numbering, context)?;
                self.write(&text, false, out)
            }
            making => self.make(making, context, out, depth),
        }
    }

    fn for_each(
        &self,
        nodes: &[NodeRef],
        body: &[Instruction],
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        let size = nodes.len();
        for (index, node) in nodes.iter().enumerate() {
            let inner = Context {
                node: *node,
                position: index + 1,
                size,
                current: *node,
            };
            self.body(body, &inner, out, depth)?;
        }
        Ok(())
    }

    fn children(&self, node: NodeRef) -> Vec<NodeRef> {
        let document = self.document(node.document);
        document.map_or_else(Vec::new, |document| children(&document, node))
    }

    /// Instructions that make nodes.
    fn make(
        &self,
        instruction: &Instruction,
        context: &Context,
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        self.keep(NODE_BYTES)?;
        match instruction {
            Instruction::Literal {
                name,
                declared,
                sets,
                attributes,
                body,
            } => {
                out.start(name.clone(), declared.clone());
                self.body(sets, context, out, depth)?;
                for (name, value) in attributes {
                    let value = self.template_text(value, context)?;
                    self.keep(NODE_BYTES + value.len())?;
                    out.attribute(name.clone(), Str::from(value))?;
                }
                self.body(body, context, out, depth)?;
                out.end();
            }
            Instruction::Element {
                name,
                namespace,
                scope,
                body,
            } => {
                let name = self.computed_name(name, namespace.as_ref(), scope, true, context)?;
                out.start(name, Vec::new());
                self.body(body, context, out, depth)?;
                out.end();
            }
            Instruction::Attribute {
                name,
                namespace,
                scope,
                body,
            } => {
                let name = self.computed_name(name, namespace.as_ref(), scope, false, context)?;
                if &*name.local == "xmlns" || &*name.prefix == "xmlns" {
                    let reason = "an attribute cannot declare a namespace".to_owned();
                    return Err(TransformError::Dynamic(reason));
                }
                let value = self.text_of(body, context, depth)?;
                out.attribute(name, Str::from(value))?;
            }
            Instruction::Comment(body) => {
                let text = self.text_of(body, context, depth)?;
                let text = text.replace("--", "- -");
                let space = if text.ends_with('-') { " " } else { "" };
                out.leaf(Kind::Comment(Str::from(format!("{text}{space}"))));
            }
            Instruction::Processing { name, body } => {
                let name = self.template_text(name, context)?;
                let content = self.text_of(body, context, depth)?;
                out.leaf(processing_instruction(name.trim(), &content)?);
            }
            Instruction::Copy(body) => self.copy(body, context, out, depth)?,
            Instruction::CopyOf(select) => match select.evaluate(context, self)? {
                Value::Nodes(nodes) => {
                    for node in nodes.iter() {
                        self.copy_whole(*node, out)?;
                    }
                }
                Value::Fragment(document) => {
                    self.copy_whole(NodeRef { document, index: 0 }, out)?;
                }
                other => self.write(&other.to_text(self)?, false, out)?,
            },
            _ => {}
        }
        Ok(())
    }

    fn write(&self, text: &str, is_raw: bool, out: &mut Builder) -> Outcome<()> {
        self.keep(text.len())?;
        out.text(text, is_raw);
        Ok(())
    }

    /// The text that instructions make.
    fn text_of(&self, body: &[Instruction], context: &Context, depth: usize) -> Outcome<String> {
        let mut out = Builder::default();
        self.body(body, context, &mut out, depth)?;
        Ok(out.finish().string_value(0))
    }

    pub(super) fn template_text(
        &self,
        template: &ValueTemplate,
        context: &Context,
    ) -> Outcome<String> {
        let mut text = String::new();
        for part in &template.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Expression(expression) => text.push_str(&expression.text(context, self)?),
            }
        }
        Ok(text)
    }

    /// The name of a computed element or attribute.
    fn computed_name(
        &self,
        name: &ValueTemplate,
        namespace: Option<&ValueTemplate>,
        scope: &[Declaration],
        is_element: bool,
        context: &Context,
    ) -> Outcome<Name> {
        let written = self.template_text(name, context)?;
        let written = written.trim();
        if let Some(namespace) = namespace {
            let uri = self.template_text(namespace, context)?;
            let (prefix, local) = written.split_once(':').unwrap_or(("", written));
            let local = xpath::qualified(local, &[])
                .map_err(TransformError::Dynamic)?
                .local;
            let prefix = if uri.is_empty() { "" } else { prefix };
            return Ok(Name {
                prefix: Str::from(prefix),
                uri: Str::from(uri),
                local,
            });
        }
        let mut name = xpath::qualified(written, scope).map_err(TransformError::Dynamic)?;
        if is_element && name.prefix.is_empty() {
            let default = scope.iter().rev().find(|(prefix, _)| prefix.is_empty());
            name.uri = default.map_or_else(|| Str::from(""), |(_, uri)| Str::clone(uri));
        }
        Ok(name)
    }

    fn copy(
        &self,
        body: &[Instruction],
        context: &Context,
        out: &mut Builder,
        depth: usize,
    ) -> Outcome<()> {
        let Some(document) = self.document(context.node.document) else {
            return Ok(());
        };
        match document.node(context.node.index).map(|found| &found.kind) {
            Some(Kind::Root) => self.body(body, context, out, depth),
            Some(Kind::Element { name, .. }) => {
                out.start(name.clone(), in_scope(&document, context.node.index));
                self.body(body, context, out, depth)?;
                out.end();
                Ok(())
            }
            Some(_) => self.copy_whole(context.node, out),
            None => Ok(()),
        }
    }

    /// Copies a node with all that is below it.
    fn copy_whole(&self, node: NodeRef, out: &mut Builder) -> Outcome<()> {
        let Some(document) = self.document(node.document) else {
            return Ok(());
        };
        self.copy_below(&document, node.index, true, out)
    }

    fn copy_below(
        &self,
        document: &Document,
        index: u32,
        is_top: bool,
        out: &mut Builder,
    ) -> Outcome<()> {
        self.charge(1)?;
        self.keep(NODE_BYTES)?;
        match document.node(index).map(|found| &found.kind) {
            Some(Kind::Root) => {
                for child in document.children(index) {
                    self.copy_below(document, child, true, out)?;
                }
            }
            Some(Kind::Element { name, declared }) => {
                let declared = match is_top {
                    true => in_scope(document, index),
                    false => declared.clone(),
                };
                out.start(name.clone(), declared);
                for attribute in document.attributes(index) {
                    self.copy_below(document, attribute, false, out)?;
                }
                for child in document.children(index) {
                    self.copy_below(document, child, false, out)?;
                }
                out.end();
            }
            Some(Kind::Attribute { name, value }) => {
                self.keep(value.len())?;
                out.attribute(name.clone(), Str::clone(value))?;
            }
            Some(Kind::Text { text, is_raw }) => self.write(text, *is_raw, out)?,
            Some(kind @ (Kind::Comment(text) | Kind::Instruction { content: text, .. })) => {
                self.keep(text.len())?;
                out.leaf(kind.clone());
            }
            None => {}
        }
        Ok(())
    }
}

fn processing_instruction(name: &str, content: &str) -> Outcome<Kind> {
    let target = xpath::qualified(name, &[]).map_err(TransformError::Dynamic)?;
    if target.local.eq_ignore_ascii_case("xml") {
        let reason = "a processing instruction cannot be called xml".to_owned();
        return Err(TransformError::Dynamic(reason));
    }
    Ok(Kind::Instruction {
        target: target.local,
        content: Str::from(content.replace("?>", "? >")),
    })
}

fn children(document: &Document, node: NodeRef) -> Vec<NodeRef> {
    let child = |index| NodeRef { index, ..node };
    document.children(node.index).map(child).collect()
}

/// The declarations that hold for an element, its own and those around it, each prefix once.
fn in_scope(document: &Document, element: u32) -> Vec<Declaration> {
    let mut found: Vec<Declaration> = Vec::new();
    let mut at = element;
    while let Some(node) = document.node(at) {
        if let Kind::Element { declared, .. } = &node.kind {
            for declaration in declared {
                if !found.iter().any(|(prefix, _)| *prefix == declaration.0) {
                    found.push(declaration.clone());
                }
            }
        }
        if node.parent == at {
            break;
        }
        at = node.parent;
    }
    found
}
