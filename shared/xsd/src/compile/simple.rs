//! Simple types.

use super::{ANY_SIMPLE_TYPE, Compiler};
use crate::SchemaError;
use crate::builtin::WhiteSpace;
use crate::pattern;
use crate::schema::{Content, Type, TypeId};
use crate::simple::{Bound, Facets, Simple, Variety};
use crate::tree::Node;

impl<'n> Compiler<'n> {
    /// Compiles a `simpleType`.
    pub(super) fn simple_type(&mut self, node: &'n Node) -> Result<Simple, SchemaError> {
        self.spend(1, node)?;
        let [body] = node.children.as_slice() else {
            return Err(node.error("no derivation", "restriction, list or union"));
        };
        match &*body.name {
            "restriction" => {
                body.allow(&["base"])?;
                let (base, facets) = self.base_of_restriction(body)?;
                self.narrowed(base, facets, body)
            }
            "list" => {
                body.allow(&["itemType"])?;
                let item = self.one_type(body, "itemType")?;
                Ok(Simple {
                    base: None,
                    variety: Variety::List(item),
                    facets: Facets::default(),
                })
            }
            "union" => {
                body.allow(&["memberTypes"])?;
                let mut members = Vec::new();
                for name in body.names("memberTypes") {
                    let id = self.type_id(name, body)?;
                    members.push(self.simple_id(id, body)?);
                }
                for child in &body.children {
                    if *child.name != *"simpleType" {
                        return Err(body.error(&child.name, "simpleType"));
                    }
                    members.push(self.anonymous(child)?);
                }
                if members.is_empty() {
                    return Err(body.error("no members", "types"));
                }
                Ok(Simple {
                    base: None,
                    variety: Variety::Union(members.into()),
                    facets: Facets::default(),
                })
            }
            other => Err(node.error(other, "restriction, list or union")),
        }
    }

    /// The type that an attribute names, or the only child declares.
    fn one_type(&mut self, node: &'n Node, attribute: &str) -> Result<TypeId, SchemaError> {
        match (node.reference(attribute)?, node.children.as_slice()) {
            (Some(name), []) => {
                let id = self.type_id(name, node)?;
                self.simple_id(id, node)
            }
            (None, [child]) if *child.name == *"simpleType" => self.anonymous(child),
            _ => Err(node.error("its type", format!("{attribute} or a simpleType"))),
        }
    }

    /// The base of a restriction of a simple type, and the nodes of its facets.
    fn base_of_restriction(&mut self, node: &'n Node) -> Result<(TypeId, &'n [Node]), SchemaError> {
        match (node.reference("base")?, node.children.as_slice()) {
            (Some(name), facets) => {
                let id = self.type_id(name, node)?;
                Ok((self.simple_id(id, node)?, facets))
            }
            (None, [child, facets @ ..]) if *child.name == *"simpleType" => {
                Ok((self.anonymous(child)?, facets))
            }
            (None, _) => Err(node.error("no base", "base or a simpleType")),
        }
    }

    /// A type that must be a simple one, compiled.
    pub(super) fn simple_id(&mut self, id: TypeId, node: &Node) -> Result<TypeId, SchemaError> {
        match self.ready(id, node)? {
            Type::Simple(_) => Ok(id),
            Type::Complex(_) => Err(node.error("a complex type", "a simple one")),
        }
    }

    /// The simple type of a base that may be a complex type with simple content.
    pub(super) fn simple_content(
        &mut self,
        id: TypeId,
        node: &Node,
    ) -> Result<TypeId, SchemaError> {
        match self.ready(id, node)? {
            Type::Simple(_) => Ok(id),
            Type::Complex(complex) => match complex.content {
                Content::Simple(id) => Ok(id),
                _ => Err(node.error("a base with elements", "one with text alone")),
            },
        }
    }

    /// Narrows a simple type by facets.
    pub(super) fn narrowed(
        &mut self,
        base: TypeId,
        nodes: &[Node],
        node: &Node,
    ) -> Result<Simple, SchemaError> {
        if base == ANY_SIMPLE_TYPE {
            return Err(node.error("anySimpleType as base", "a type that can be narrowed"));
        }
        let variety = match self.ready(base, node)? {
            Type::Simple(simple) => simple.variety.clone(),
            Type::Complex(_) => return Err(node.error("a complex type", "a simple one")),
        };
        let mut facets = Facets::default();
        for node in nodes {
            self.spend(1, node)?;
            facet(node, &variety, &mut facets)?;
        }
        Ok(Simple {
            base: Some(base),
            variety,
            facets,
        })
    }
}

/// Reads one facet; one that means nothing for the type is refused.
fn facet(node: &Node, variety: &Variety, facets: &mut Facets) -> Result<(), SchemaError> {
    node.allow(&["value", "fixed"])?;
    if let Some(child) = node.children.first() {
        return Err(node.error(&child.name, "nothing"));
    }
    let Some(raw) = node.raw("value") else {
        return Err(node.error("no value", "a value"));
    };
    let number = || {
        raw.trim()
            .parse::<usize>()
            .map_err(|_error| node.error(format!("{raw:?}"), "a whole number"))
    };
    let builtin = match variety {
        Variety::Atomic(builtin) => Some(*builtin),
        Variety::List(_) | Variety::Union(_) => None,
    };
    let has_length = match variety {
        Variety::Atomic(builtin) => builtin.length("").is_some(),
        Variety::List(_) => true,
        Variety::Union(_) => false,
    };
    let has_digits = builtin.is_some_and(|builtin| {
        matches!(
            builtin,
            crate::builtin::Builtin::Decimal | crate::builtin::Builtin::Integer(..)
        )
    });
    match &*node.name {
        "length" if has_length => facets.length = Some(number()?),
        "minLength" if has_length => facets.min_length = Some(number()?),
        "maxLength" if has_length => facets.max_length = Some(number()?),
        "pattern" => {
            let pattern = pattern::compile(raw).map_err(|found| {
                node.error(found, "a regular expression of XML Schema, without blocks")
            })?;
            facets.patterns.push(pattern);
        }
        "enumeration" => facets.enumeration.push(raw.to_owned()),
        "whiteSpace" if builtin.is_some() => {
            facets.white_space = Some(match raw.trim() {
                "preserve" => WhiteSpace::Preserve,
                "replace" => WhiteSpace::Replace,
                "collapse" => WhiteSpace::Collapse,
                _ => {
                    let expected = "preserve, replace or collapse";
                    return Err(node.error(format!("{raw:?}"), expected));
                }
            });
        }
        "totalDigits" if has_digits => facets.total_digits = Some(number()?),
        "fractionDigits" if has_digits => facets.fraction_digits = Some(number()?),
        name => {
            let bound = Bound::parse(name);
            let limit = builtin.and_then(|builtin| builtin.ordered(raw.trim()));
            match (bound, limit) {
                (Some(bound), Some(limit)) => {
                    facets.bounds.push((bound, limit, raw.trim().to_owned()));
                }
                (Some(_), None) => {
                    return Err(node.error(format!("{raw:?}"), "a value of a type with an order"));
                }
                (None, _) => return Err(node.error(name, "a facet of the type")),
            }
        }
    }
    Ok(())
}
