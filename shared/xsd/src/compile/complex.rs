//! Complex types.

use super::Compiler;
use super::attributes::Declared;
use crate::SchemaError;
use crate::program::{Occurs, Particle, Term};
use crate::schema::{AttributeUse, Complex, Content, Type, TypeId};
use crate::tree::Node;

const ONCE: Occurs = Occurs {
    least: 1,
    most: Some(1),
};

/// Children of a type that are about attributes.
const ATTRIBUTES: [&str; 3] = ["attribute", "attributeGroup", "anyAttribute"];

impl<'n> Compiler<'n> {
    /// Compiles a `complexType`; its content model is kept for the end.
    pub(super) fn complex_type(
        &mut self,
        node: &'n Node,
        id: TypeId,
    ) -> Result<Complex, SchemaError> {
        self.spend(1, node)?;
        // What `block` and `final` forbid, other documents and schemas could do.
        node.allow(&["name", "mixed", "abstract", "final"])?;
        let is_abstract = node.flag("abstract")?;
        let is_mixed = node.flag("mixed")?;
        let mut complex = match node.children.first() {
            Some(first) if *first.name == *"simpleContent" => {
                only_child(node)?;
                first.allow(&[])?;
                self.simple_derivation(first)?
            }
            Some(first) if *first.name == *"complexContent" => {
                only_child(node)?;
                first.allow(&["mixed"])?;
                let is_mixed = match first.attribute("mixed") {
                    Some(_) => first.flag("mixed")?,
                    None => is_mixed,
                };
                self.complex_derivation(first, is_mixed, id)?
            }
            _ => {
                let own = self.own_particle(&node.children, node)?;
                let declared = self.declared_attributes(&node.children)?;
                self.keep(id, own);
                Complex {
                    base: Some(self.any_type),
                    is_abstract: false,
                    is_mixed,
                    attributes: declared.uses,
                    any_attribute: declared.any,
                    content: Content::Empty,
                }
            }
        };
        complex.is_abstract = is_abstract;
        Ok(complex)
    }

    fn simple_derivation(&mut self, node: &'n Node) -> Result<Complex, SchemaError> {
        let (body, base) = self.derivation(node)?;
        let is_extension = *body.name == *"extension";
        let text = self.simple_content(base, body)?;
        let mut content = text;
        let mut rest: &'n [Node] = &body.children;
        if !is_extension {
            if let Type::Simple(_) = self.ready(base, body)? {
                return Err(body.error("a restriction of a simple type", "an extension"));
            }
            let mut of = text;
            if let [first, tail @ ..] = rest
                && *first.name == *"simpleType"
            {
                of = self.anonymous(first)?;
                rest = tail;
            }
            let facets = rest
                .iter()
                .position(|child| ATTRIBUTES.contains(&&*child.name))
                .unwrap_or(rest.len());
            let (facets, tail) = rest.split_at(facets);
            rest = tail;
            if of != text || !facets.is_empty() {
                let narrowed = self.narrowed(of, facets, body)?;
                content = self.reserve();
                self.types[content.0] = Some(Type::Simple(narrowed));
            }
        }
        self.only_attributes(rest, body)?;
        let declared = self.declared_attributes(rest)?;
        let (attributes, any_attribute) = self.inherited(base, declared, is_extension, body)?;
        Ok(Complex {
            base: Some(base),
            is_abstract: false,
            is_mixed: false,
            attributes,
            any_attribute,
            content: Content::Simple(content),
        })
    }

    fn complex_derivation(
        &mut self,
        node: &'n Node,
        is_mixed: bool,
        id: TypeId,
    ) -> Result<Complex, SchemaError> {
        let (body, base) = self.derivation(node)?;
        let is_extension = *body.name == *"extension";
        let mut is_mixed = is_mixed;
        match self.ready(base, body)? {
            Type::Complex(complex) if matches!(complex.content, Content::Simple(_)) => {
                return Err(body.error("a base with text alone", "one with elements"));
            }
            Type::Complex(complex) => is_mixed |= is_extension && complex.is_mixed,
            Type::Simple(_) => return Err(body.error("a simple type", "a complex one")),
        }
        if is_extension && base == self.any_type {
            return Err(body.error("an extension of anyType", "a restriction"));
        }
        let own = self.own_particle(&body.children, body)?;
        let particle = if is_extension {
            let inherited = self.particles.get(&base).cloned();
            if let Some(inherited) = &inherited {
                self.spend(inherited.size(), body)?;
            }
            match (inherited, own) {
                (None, found) | (found, None) => found,
                (Some(first), Some(second)) => Some(Particle {
                    occurs: ONCE,
                    term: Term::Sequence(vec![first, second]),
                }),
            }
        } else {
            own
        };
        self.keep(id, particle);
        let declared = self.declared_attributes(&body.children)?;
        let (attributes, any_attribute) = self.inherited(base, declared, is_extension, body)?;
        Ok(Complex {
            base: Some(base),
            is_abstract: false,
            is_mixed,
            attributes,
            any_attribute,
            content: Content::Empty,
        })
    }

    /// The `extension` or `restriction` below a content, with its base.
    fn derivation(&mut self, node: &'n Node) -> Result<(&'n Node, TypeId), SchemaError> {
        let [body] = node.children.as_slice() else {
            return Err(node.error("no derivation", "extension or restriction"));
        };
        if !matches!(&*body.name, "extension" | "restriction") {
            return Err(node.error(&body.name, "extension or restriction"));
        }
        body.allow(&["base"])?;
        let Some(name) = body.reference("base")? else {
            return Err(body.error("no base", "a type"));
        };
        let base = self.type_id(name, body)?;
        self.ready(base, body)?;
        Ok((body, base))
    }

    fn only_attributes(&self, nodes: &[Node], node: &Node) -> Result<(), SchemaError> {
        let wrong = nodes
            .iter()
            .find(|child| !ATTRIBUTES.contains(&&*child.name));
        match wrong {
            Some(child) => Err(node.error(&child.name, "attributes")),
            None => Ok(()),
        }
    }

    /// The content model among the children of a type.
    fn own_particle(
        &mut self,
        nodes: &'n [Node],
        node: &Node,
    ) -> Result<Option<Particle>, SchemaError> {
        match nodes {
            [first, rest @ ..] if !ATTRIBUTES.contains(&&*first.name) => {
                self.only_attributes(rest, node)?;
                self.particle(first).map(Some)
            }
            _ => {
                self.only_attributes(nodes, node)?;
                Ok(None)
            }
        }
    }

    fn keep(&mut self, id: TypeId, particle: Option<Particle>) {
        if let Some(particle) = particle {
            self.particles.insert(id, particle);
        }
    }

    /// The attributes of a type with those of its base.
    fn inherited(
        &mut self,
        base: TypeId,
        declared: Declared,
        is_extension: bool,
        node: &Node,
    ) -> Result<(Vec<AttributeUse>, Option<crate::schema::Wildcard>), SchemaError> {
        let (mut uses, any) = match self.ready(base, node)? {
            Type::Complex(complex) => (complex.attributes.clone(), complex.any_attribute.clone()),
            Type::Simple(_) => (Vec::new(), None),
        };
        self.spend(uses.len(), node)?;
        if !is_extension {
            uses.retain(|known| !declared.prohibited.contains(&known.name));
        }
        for found in declared.uses {
            match uses.iter_mut().find(|known| known.name == found.name) {
                Some(known) if !is_extension => *known = found,
                Some(_) => {
                    return Err(node.error(format!("{} twice", found.name), "one declaration"));
                }
                None => uses.push(found),
            }
        }
        let any = match (is_extension, declared.any) {
            // A restriction lets in no more than it says.
            (false, own) => own,
            (true, None) => any,
            (true, Some(own)) => match any {
                None => Some(own),
                Some(known) if known == own => Some(own),
                Some(_) => {
                    return Err(node.error("another wildcard than the base", "the same"));
                }
            },
        };
        Ok((uses, any))
    }
}

fn only_child(node: &Node) -> Result<(), SchemaError> {
    match node.children.get(1) {
        Some(second) => Err(node.error(&second.name, "nothing beside its content")),
        None => Ok(()),
    }
}
