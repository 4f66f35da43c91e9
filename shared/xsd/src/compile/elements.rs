//! Elements and their order.

use super::Compiler;
use crate::SchemaError;
use crate::name::Name;
use crate::program::{Occurs, Particle, Program, Term};
use crate::schema::{Constraint, Content, Element, ElementId};
use crate::tree::Node;

impl<'n> Compiler<'n> {
    /// Reads a part of a content model, groups inserted.
    pub(super) fn particle(&mut self, node: &'n Node) -> Result<Particle, SchemaError> {
        self.spend(1, node)?;
        let occurs = occurs(node)?;
        let term = match &*node.name {
            "element" => Term::Element(self.local_element(node)?),
            "any" => Term::Any(self.wildcard(node, &["minOccurs", "maxOccurs"])?),
            "sequence" => {
                node.allow(&["minOccurs", "maxOccurs"])?;
                Term::Sequence(self.particles(node)?)
            }
            "choice" => {
                node.allow(&["minOccurs", "maxOccurs"])?;
                Term::Choice(self.particles(node)?)
            }
            "all" => {
                node.allow(&["minOccurs", "maxOccurs"])?;
                Term::All(self.particles(node)?)
            }
            "group" => {
                node.allow(&["ref", "minOccurs", "maxOccurs"])?;
                let Some(name) = node.reference("ref")?.cloned() else {
                    return Err(node.error("no ref", "the name of a group"));
                };
                let Some(group) = self.groups.get(&name).copied() else {
                    return Err(node.error(format!("the group {name}"), "one that exists"));
                };
                self.insert_group(&name, group)?
            }
            other => {
                let expected = "element, any, sequence, choice, all or group";
                return Err(node.error(other, expected));
            }
        };
        Ok(Particle { occurs, term })
    }

    fn particles(&mut self, node: &'n Node) -> Result<Vec<Particle>, SchemaError> {
        let parts = node.children.iter();
        parts
            .map(|child| self.deeper(node, |compiler| compiler.particle(child)))
            .collect()
    }

    /// The content of a group, for one place where it is named.
    pub(super) fn insert_group(
        &mut self,
        name: &Name,
        group: &'n Node,
    ) -> Result<Term, SchemaError> {
        if self.inserting.contains(name) {
            return Err(group.error("a group in itself", "no circle"));
        }
        group.allow(&["name"])?;
        let [body] = group.children.as_slice() else {
            return Err(group.error("its content", "one sequence, choice or all"));
        };
        if !matches!(&*body.name, "sequence" | "choice" | "all") {
            return Err(group.error(&body.name, "sequence, choice or all"));
        }
        self.inserting.push(name.clone());
        let particle = self.deeper(group, |compiler| compiler.particle(body));
        self.inserting.pop();
        Ok(particle?.term)
    }

    fn local_element(&mut self, node: &'n Node) -> Result<ElementId, SchemaError> {
        if let Some(name) = node.reference("ref")? {
            node.allow(&["ref", "minOccurs", "maxOccurs"])?;
            return self.global(name, node);
        }
        node.allow(&[
            "name",
            "type",
            "minOccurs",
            "maxOccurs",
            "form",
            "nillable",
            "default",
            "fixed",
        ])?;
        let is_qualified = match node.attribute("form") {
            None => self.qualifies_elements,
            Some("qualified") => true,
            Some("unqualified") => false,
            Some(found) => return Err(node.error(found, "qualified or unqualified")),
        };
        let namespace = is_qualified.then(|| self.target.clone()).flatten();
        let name = node.declared(namespace)?;
        let element = self.element(node, name)?;
        self.elements.push(Some(element));
        Ok(ElementId(self.elements.len() - 1))
    }

    /// Compiles a global element.
    pub(super) fn global_element(
        &mut self,
        node: &'n Node,
        name: Name,
    ) -> Result<Element, SchemaError> {
        node.allow(&[
            "name",
            "type",
            "nillable",
            "abstract",
            "default",
            "fixed",
            "substitutionGroup",
            "final",
        ])?;
        let mut element = self.element(node, name)?;
        element.is_abstract = node.flag("abstract")?;
        Ok(element)
    }

    fn element(&mut self, node: &'n Node, name: Name) -> Result<Element, SchemaError> {
        let is_head = node.attribute("substitutionGroup").is_some();
        let kind = match (node.reference("type")?, node.children.as_slice()) {
            (Some(name), []) => self.type_id(name, node)?,
            (None, [child]) if matches!(&*child.name, "simpleType" | "complexType") => {
                self.anonymous(child)?
            }
            (None, []) if is_head => {
                return Err(node.error("no type", "a type, as members of groups need one"));
            }
            (None, []) => self.any_type,
            (_, [child, ..]) => {
                let expected = "one type (key, keyref and unique are not checked here)";
                return Err(node.error(&child.name, expected));
            }
        };
        let constraint = match (node.raw("default"), node.raw("fixed")) {
            (None, None) => None,
            (Some(text), None) => Some(Constraint::Default(text.to_owned())),
            (None, Some(text)) => Some(Constraint::Fixed(text.to_owned())),
            (Some(_), Some(_)) => return Err(node.error("default and fixed", "one of them")),
        };
        Ok(Element {
            name,
            kind,
            is_nillable: node.flag("nillable")?,
            is_abstract: false,
            constraint,
        })
    }

    /// Compiles a content model.
    pub(super) fn content(&self, particle: &Particle) -> Result<Content, String> {
        let Term::All(parts) = &particle.term else {
            return Program::compile(particle).map(Content::Ordered);
        };
        let mut elements = Vec::with_capacity(parts.len());
        for part in parts {
            let Term::Element(id) = &part.term else {
                return Err("all with something other than elements".to_owned());
            };
            match (part.occurs.least, part.occurs.most) {
                (_, Some(0)) => {}
                (least @ (0 | 1), Some(1)) => elements.push((*id, least == 1)),
                _ => return Err("an element more than once in all".to_owned()),
            }
        }
        match (particle.occurs.least, particle.occurs.most) {
            (_, Some(0)) => Ok(Content::Empty),
            (least @ (0 | 1), Some(1)) => Ok(Content::Unordered(elements, least == 0)),
            _ => Err("all more than once".to_owned()),
        }
    }
}

fn occurs(node: &Node) -> Result<Occurs, SchemaError> {
    let number = |name: &str| match node.attribute(name) {
        None => Ok(1),
        Some(text) => text.parse::<u32>().map_err(|_error| {
            node.error(
                format!("{name}={text:?}"),
                "a whole number below 4294967296",
            )
        }),
    };
    let most = match node.attribute("maxOccurs") {
        Some("unbounded") => None,
        _ => Some(number("maxOccurs")?),
    };
    let least = number("minOccurs")?;
    if most.is_some_and(|most| most < least) {
        return Err(node.error("maxOccurs", "at least minOccurs"));
    }
    Ok(Occurs { least, most })
}
