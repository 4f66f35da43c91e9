//! The bodies of templates.

use super::compile::{Compiler, XSLT, is_instruction};
use super::{Binding, Body, Content, Instruction, Level, Numbering, Part, Sort, ValueTemplate};
use crate::error::CompileError;
use crate::tree::{Declaration, Kind, Name, Str};
use crate::xpath;

/// Deepest nesting of attribute sets in each other.
const SETS_DEPTH_MAX: usize = 20;

type Compiled<T> = Result<T, CompileError>;

impl Compiler {
    /// The instructions below an element, from the child `first` on.
    pub(super) fn body(&self, element: u32) -> Compiled<Body> {
        self.body_of(self.document.children(element))
    }

    pub(super) fn body_of(&self, children: impl Iterator<Item = u32>) -> Compiled<Body> {
        let mut instructions = Vec::new();
        for child in children {
            self.instruction(child, &mut instructions)?;
        }
        Ok(instructions.into())
    }

    fn instruction(&self, node: u32, out: &mut Vec<Instruction>) -> Compiled<()> {
        let Some(found) = self.document.node(node) else {
            return Ok(());
        };
        match &found.kind {
            Kind::Text { text, .. } => out.push(Instruction::Text {
                text: Str::clone(text),
                is_raw: false,
            }),
            Kind::Element { name, declared } => {
                if &*name.uri == XSLT {
                    let local = name.local.to_string();
                    self.xslt(node, &local, out)?;
                } else {
                    let literal = self.literal(node, name, declared)?;
                    out.push(literal);
                }
            }
            Kind::Root | Kind::Attribute { .. } | Kind::Comment(_) | Kind::Instruction { .. } => {}
        }
        Ok(())
    }

    fn xslt(&self, node: u32, local: &str, out: &mut Vec<Instruction>) -> Compiled<()> {
        let instruction = match local {
            "fallback" => return Ok(()),
            "text" => {
                self.allow(node, &["disable-output-escaping"])?;
                let text = Str::from(self.document.string_value(node));
                let is_raw = self.flag(node, "disable-output-escaping")?;
                Instruction::Text { text, is_raw }
            }
            "value-of" => {
                self.allow(node, &["select", "disable-output-escaping"])?;
                Instruction::ValueOf {
                    select: self.expression(node, "select")?,
                    is_raw: self.flag(node, "disable-output-escaping")?,
                }
            }
            "copy-of" => {
                self.allow(node, &["select"])?;
                Instruction::CopyOf(self.expression(node, "select")?)
            }
            "copy" => {
                self.allow(node, &["use-attribute-sets"])?;
                Instruction::Copy(self.body_with_sets(node, "use-attribute-sets")?)
            }
            "comment" => {
                self.allow(node, &[])?;
                Instruction::Comment(self.body(node)?)
            }
            "if" => {
                self.allow(node, &["test"])?;
                Instruction::If {
                    test: self.expression(node, "test")?,
                    body: self.body(node)?,
                }
            }
            "for-each" => {
                self.allow(node, &["select"])?;
                let (sorts, rest) = self.sorts(node)?;
                Instruction::ForEach {
                    select: self.expression(node, "select")?,
                    sorts,
                    body: self.body_of(rest.into_iter())?,
                }
            }
            "variable" => Instruction::Variable(self.binding(node)?),
            "choose" => self.choose(node)?,
            "element" | "attribute" | "processing-instruction" => self.computed(node, local)?,
            "apply-templates" | "call-template" => self.call(node, local)?,
            "number" => Instruction::Number(self.numbering(node)?),
            "message" => {
                self.allow(node, &["terminate"])?;
                Instruction::Message {
                    body: self.body(node)?,
                    terminates: self.flag(node, "terminate")?,
                }
            }
            "param" => {
                return Err(self.error(node, "it stands only at the beginning of a template"));
            }
            "sort" | "when" | "otherwise" | "with-param" => {
                return Err(self.error(node, "it does not stand here"));
            }
            other => {
                debug_assert!(!is_instruction(other), "{other}");
                return Err(self.error(node, "this instruction is not supported"));
            }
        };
        out.push(instruction);
        Ok(())
    }

    /// A variable, parameter or argument.
    pub(super) fn binding(&self, node: u32) -> Compiled<Binding> {
        self.allow(node, &["name", "select"])?;
        let name = self.qualified(node, "name")?;
        let value = match self.optional_expression(node, "select")? {
            Some(select) => Content::Select(select),
            None => Content::Body(self.body(node)?),
        };
        Ok(Binding { name, value })
    }

    fn literal(&self, node: u32, name: &Name, declared: &[Declaration]) -> Compiled<Instruction> {
        let is_kept = |(prefix, uri): &&Declaration| {
            &**uri != XSLT && !self.excluded.iter().any(|excluded| excluded == prefix)
        };
        let mut declared: Vec<Declaration> = declared.iter().filter(is_kept).cloned().collect();
        // The outermost literal element brings what is declared around it.
        let is_outermost = self
            .document
            .node(node)
            .and_then(|found| self.document.name(found.parent))
            .is_none_or(|parent| &*parent.uri == XSLT);
        if is_outermost {
            declared = Vec::new();
            for declaration in self.scope(node).iter().skip(1).filter(is_kept) {
                declared.retain(|(prefix, _): &Declaration| *prefix != declaration.0);
                declared.push(declaration.clone());
            }
        }
        let mut attributes = Vec::new();
        for index in self.document.attributes(node) {
            let Some(Kind::Attribute { name, value }) =
                self.document.node(index).map(|found| &found.kind)
            else {
                continue;
            };
            if &*name.uri != XSLT {
                let value = self.value_template(node, &name.written(), value)?;
                attributes.push((name.clone(), value));
            } else if &*name.local != "use-attribute-sets"
                && &*name.local != "exclude-result-prefixes"
                && &*name.local != "version"
            {
                return Err(self.attribute_error(node, &name.written(), "it is not supported"));
            }
        }
        let mut of_sets = Vec::new();
        let sets = self.document.attributes(node).find_map(|index| {
            match self.document.node(index).map(|found| &found.kind) {
                Some(Kind::Attribute { name, value }) if name.is(XSLT, "use-attribute-sets") => {
                    Some(value.to_string())
                }
                _ => None,
            }
        });
        self.use_sets(node, sets.as_deref().unwrap_or_default(), 0, &mut of_sets)?;
        Ok(Instruction::Literal {
            name: name.clone(),
            declared,
            sets: of_sets.into(),
            attributes: attributes.into(),
            body: self.body(node)?,
        })
    }

    /// A body behind the attributes of the sets that an attribute names.
    fn body_with_sets(&self, node: u32, attribute: &str) -> Compiled<Body> {
        let mut body = Vec::new();
        let sets = self.attribute(node, attribute).map(ToString::to_string);
        self.use_sets(node, sets.as_deref().unwrap_or_default(), 0, &mut body)?;
        body.extend(self.body(node)?);
        Ok(body.into())
    }

    fn use_sets(
        &self,
        node: u32,
        names: &str,
        depth: usize,
        out: &mut Vec<Instruction>,
    ) -> Compiled<()> {
        if depth > SETS_DEPTH_MAX {
            return Err(self.error(node, "attribute sets use each other without end"));
        }
        for name in names.split_whitespace() {
            let sets = self.attribute_sets.get(name);
            let sets = sets.ok_or_else(|| {
                self.attribute_error(
                    node,
                    "use-attribute-sets",
                    format!("there is no set {name}"),
                )
            })?;
            for set in sets {
                let inner = self
                    .attribute(*set, "use-attribute-sets")
                    .map(ToString::to_string);
                self.use_sets(*set, inner.as_deref().unwrap_or_default(), depth + 1, out)?;
                for child in self.document.children(*set) {
                    if self.xslt_name(child) != Some("attribute") {
                        return Err(self.error(*set, "it holds attributes only"));
                    }
                    self.instruction(child, out)?;
                }
            }
        }
        Ok(())
    }

    fn computed(&self, node: u32, local: &str) -> Compiled<Instruction> {
        let name = self.template(node, "name")?;
        let name = name.ok_or_else(|| self.attribute_error(node, "name", "it is missing"))?;
        let namespace = self.template(node, "namespace")?;
        let scope = self.scope(node);
        Ok(match local {
            "element" => {
                self.allow(node, &["name", "namespace", "use-attribute-sets"])?;
                let body = self.body_with_sets(node, "use-attribute-sets")?;
                Instruction::Element {
                    name,
                    namespace,
                    scope,
                    body,
                }
            }
            "attribute" => {
                self.allow(node, &["name", "namespace"])?;
                let body = self.body(node)?;
                Instruction::Attribute {
                    name,
                    namespace,
                    scope,
                    body,
                }
            }
            _ => {
                self.allow(node, &["name"])?;
                let body = self.body(node)?;
                Instruction::Processing { name, body }
            }
        })
    }

    fn choose(&self, node: u32) -> Compiled<Instruction> {
        self.allow(node, &[])?;
        let mut cases = Vec::new();
        let mut otherwise = Body::default();
        for child in self.document.children(node) {
            match self.xslt_name(child) {
                Some("when") => {
                    self.allow(child, &["test"])?;
                    cases.push((self.expression(child, "test")?, self.body(child)?));
                }
                Some("otherwise") => otherwise = self.body(child)?,
                _ => return Err(self.error(node, "it holds xsl:when and xsl:otherwise only")),
            }
        }
        if cases.is_empty() {
            return Err(self.error(node, "xsl:when is missing"));
        }
        Ok(Instruction::Choose {
            cases: cases.into(),
            otherwise,
        })
    }

    fn call(&self, node: u32, local: &str) -> Compiled<Instruction> {
        let mut parameters = Vec::new();
        let mut sorts = Vec::new();
        for child in self.document.children(node) {
            match self.xslt_name(child) {
                Some("with-param") => parameters.push(self.binding(child)?),
                Some("sort") if local == "apply-templates" => sorts.push(self.sort(child)?),
                _ => return Err(self.error(node, "it holds xsl:with-param and xsl:sort only")),
            }
        }
        let parameters = parameters.into();
        if local == "apply-templates" {
            self.allow(node, &["select", "mode"])?;
            return Ok(Instruction::ApplyTemplates {
                select: self.optional_expression(node, "select")?,
                mode: self.mode(node)?,
                sorts: sorts.into(),
                parameters,
            });
        }
        self.allow(node, &["name"])?;
        let name = expanded(&self.qualified(node, "name")?);
        let template = self.named.get(&name).copied();
        let template = template
            .ok_or_else(|| self.attribute_error(node, "name", "there is no such template"))?;
        Ok(Instruction::CallTemplate {
            template,
            parameters,
        })
    }

    /// The mode an element names, expanded; empty for none.
    pub(super) fn mode(&self, node: u32) -> Compiled<String> {
        match self.attribute(node, "mode") {
            None => Ok(String::new()),
            Some(_) => Ok(expanded(&self.qualified(node, "mode")?)),
        }
    }

    /// The sorts at the beginning of an element, and the other children.
    fn sorts(&self, node: u32) -> Compiled<(Box<[Sort]>, Vec<u32>)> {
        let mut sorts = Vec::new();
        let mut rest = Vec::new();
        for child in self.document.children(node) {
            if self.xslt_name(child) == Some("sort") && rest.is_empty() {
                sorts.push(self.sort(child)?);
            } else {
                rest.push(child);
            }
        }
        Ok((sorts.into(), rest))
    }

    fn sort(&self, node: u32) -> Compiled<Sort> {
        self.allow(
            node,
            &["select", "data-type", "order", "lang", "case-order"],
        )?;
        let own = || xpath::compile(".", &[]);
        let select = match self.optional_expression(node, "select")? {
            Some(select) => select,
            None => own().map_err(|reason| self.error(node, reason))?,
        };
        Ok(Sort {
            select,
            data_type: self.template(node, "data-type")?,
            order: self.template(node, "order")?,
        })
    }

    fn numbering(&self, node: u32) -> Compiled<Numbering> {
        self.allow(
            node,
            &["value", "level", "count", "format", "lang", "letter-value"],
        )?;
        let level = match self.attribute(node, "level").map(|level| &**level) {
            None | Some("single") => Level::Single,
            Some("multiple") => Level::Multiple,
            Some("any") => Level::Any,
            Some(_) => {
                let expected = "expected single, multiple or any";
                return Err(self.attribute_error(node, "level", expected));
            }
        };
        let has_count = self.attribute(node, "count").is_some();
        let default = || ValueTemplate([Part::Text(Str::from("1"))].into());
        Ok(Numbering {
            value: self.optional_expression(node, "value")?,
            level,
            count: has_count
                .then(|| self.patterns(node, "count"))
                .transpose()?,
            format: self.template(node, "format")?.unwrap_or_else(default),
        })
    }
}

/// A name as a key of maps.
pub(super) fn expanded(name: &Name) -> String {
    format!("{{{}}}{}", name.uri, name.local)
}
