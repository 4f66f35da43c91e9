//! A compiled schema.

use std::collections::HashMap;

use crate::name::{Name, Namespace};
use crate::program::Program;
use crate::simple::Simple;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    pub(crate) types: Vec<Type>,
    /// Names of types for messages, and for `xsi:type`.
    pub(crate) type_names: HashMap<Name, TypeId>,
    pub(crate) elements: Vec<Element>,
    pub(crate) globals: HashMap<Name, ElementId>,
    pub(crate) attributes: HashMap<Name, Attribute>,
    /// Elements that may stand where another is asked for.
    pub(crate) substitutes: HashMap<ElementId, Vec<ElementId>>,
    /// `anyType`.
    pub(crate) any_type: TypeId,
}

/// A place in the list of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(pub(crate) usize);

/// A place in the list of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ElementId(pub(crate) usize);

/// A type.
#[derive(Debug)]
pub(crate) enum Type {
    Simple(Simple),
    Complex(Complex),
}

/// A complex type.
#[derive(Debug)]
pub(crate) struct Complex {
    pub(crate) base: Option<TypeId>,
    pub(crate) is_abstract: bool,
    pub(crate) is_mixed: bool,
    pub(crate) attributes: Vec<AttributeUse>,
    pub(crate) any_attribute: Option<Wildcard>,
    pub(crate) content: Content,
}

/// What may stand in an element.
#[derive(Debug)]
pub(crate) enum Content {
    Empty,
    /// Text of a simple type.
    Simple(TypeId),
    /// Elements in an order.
    Ordered(Program),
    /// Elements in any order, each at most once; whether all may be missing.
    Unordered(Vec<(ElementId, bool)>, bool),
    /// Anything, known elements by their declaration.
    Anything,
}

/// An element declaration.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: Name,
    pub(crate) kind: TypeId,
    pub(crate) is_nillable: bool,
    pub(crate) is_abstract: bool,
    pub(crate) constraint: Option<Constraint>,
}

/// A value that a declaration names.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// For a missing value.
    Default(String),
    /// The only value.
    Fixed(String),
}

/// An attribute declaration.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) kind: TypeId,
    pub(crate) fixed: Option<String>,
}

/// An attribute of a type.
#[derive(Clone, Debug)]
pub(crate) struct AttributeUse {
    pub(crate) name: Name,
    pub(crate) is_required: bool,
    pub(crate) attribute: Attribute,
}

/// Elements or attributes that the schema does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    pub(crate) namespaces: Namespaces,
    pub(crate) process: Process,
}

/// Namespaces of a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Namespaces {
    Any,
    /// Any but this one, and not none.
    Other(Namespace),
    Listed(Vec<Namespace>),
}

/// How what a wildcard lets in is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// By its declaration, which must exist.
    Strict,
    /// By its declaration, if there is one.
    Lax,
    /// Not at all.
    Skip,
}

impl Wildcard {
    pub(crate) fn admits(&self, name: &Name) -> bool {
        match &self.namespaces {
            Namespaces::Any => true,
            Namespaces::Other(other) => name.namespace.is_some() && name.namespace != *other,
            Namespaces::Listed(listed) => listed.contains(&name.namespace),
        }
    }
}

impl Schema {
    pub(crate) fn kind(&self, id: TypeId) -> &Type {
        &self.types[id.0]
    }

    pub(crate) fn element(&self, id: ElementId) -> &Element {
        &self.elements[id.0]
    }

    /// The simple type of an id that is one; `anySimpleType` for one that is not, which the compiler rules out.
    pub(crate) fn simple(&self, id: TypeId) -> &Simple {
        match self.kind(id) {
            Type::Simple(simple) => simple,
            Type::Complex(complex) => match complex.content {
                Content::Simple(id) if !matches!(self.kind(id), Type::Complex(_)) => {
                    self.simple(id)
                }
                _ => self.simple(crate::compile::ANY_SIMPLE_TYPE),
            },
        }
    }

    /// The name of a type for messages.
    pub(crate) fn type_name(&self, id: TypeId) -> String {
        let found = self.type_names.iter().find(|(_, known)| **known == id);
        found.map_or_else(|| "the type".to_owned(), |(name, _)| name.local.to_string())
    }

    /// The declaration by which an element of this name stands for another.
    pub(crate) fn standing_for(&self, id: ElementId, name: &Name) -> Option<ElementId> {
        if self.element(id).name == *name {
            return Some(id);
        }
        let substitutes = self.substitutes.get(&id)?;
        let mut found = substitutes.iter().copied();
        found.find(|substitute| self.element(*substitute).name == *name)
    }

    /// Whether a type is another one, or derived from it.
    pub(crate) fn is_derived(&self, id: TypeId, from: TypeId) -> bool {
        if from == self.any_type {
            return true;
        }
        let mut step = Some(id);
        while let Some(id) = step {
            if id == from {
                return true;
            }
            step = match self.kind(id) {
                Type::Simple(simple) => simple.base,
                Type::Complex(complex) => complex.base,
            };
        }
        let Type::Simple(simple) = self.kind(from) else {
            return false;
        };
        // A member of a union stands for the union.
        match &simple.variety {
            crate::simple::Variety::Union(members) if simple.base.is_none() => {
                members.iter().any(|member| self.is_derived(id, *member))
            }
            _ => false,
        }
    }
}
