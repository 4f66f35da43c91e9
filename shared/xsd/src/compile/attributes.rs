//! Attributes of complex types.

use super::{ANY_SIMPLE_TYPE, Compiler};
use crate::SchemaError;
use crate::name::Name;
use crate::schema::{Attribute, AttributeUse, Namespaces, Process, Wildcard};
use crate::tree::Node;

/// Attributes as a type or group declares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) uses: Vec<AttributeUse>,
    /// Attributes of the base that are taken away.
    pub(super) prohibited: Vec<Name>,
    pub(super) any: Option<Wildcard>,
}

impl<'n> Compiler<'n> {
    /// Reads the attributes among the children of a node; the others are left to the caller.
    pub(super) fn declared_attributes(
        &mut self,
        nodes: &'n [Node],
    ) -> Result<Declared, SchemaError> {
        let mut declared = Declared::default();
        for node in nodes {
            match &*node.name {
                "attribute" => self.attribute_use(node, &mut declared)?,
                "attributeGroup" => {
                    node.allow(&["ref"])?;
                    let Some(name) = node.reference("ref")?.cloned() else {
                        return Err(node.error("no ref", "the name of a group"));
                    };
                    let Some(group) = self.attribute_groups.get(&name).copied() else {
                        return Err(node.error(format!("the group {name}"), "one that exists"));
                    };
                    let inserted = self.insert_attributes(&name, group)?;
                    for found in inserted.uses {
                        add(&mut declared.uses, found, node)?;
                    }
                    declared.any = both(declared.any.take(), inserted.any, node)?;
                }
                "anyAttribute" => {
                    let wildcard = self.wildcard(node, &[])?;
                    declared.any = both(declared.any.take(), Some(wildcard), node)?;
                }
                _ => {}
            }
        }
        Ok(declared)
    }

    /// The attributes of a group, for one place where it is named.
    pub(super) fn insert_attributes(
        &mut self,
        name: &Name,
        group: &'n Node,
    ) -> Result<Declared, SchemaError> {
        if self.inserting.contains(name) {
            return Err(group.error("a group in itself", "no circle"));
        }
        group.allow(&["name"])?;
        for child in &group.children {
            if !matches!(
                &*child.name,
                "attribute" | "attributeGroup" | "anyAttribute"
            ) {
                return Err(group.error(&child.name, "attributes"));
            }
        }
        self.inserting.push(name.clone());
        let declared = self.deeper(group, |compiler| {
            compiler.declared_attributes(&group.children)
        });
        self.inserting.pop();
        declared
    }

    fn attribute_use(
        &mut self,
        node: &'n Node,
        declared: &mut Declared,
    ) -> Result<(), SchemaError> {
        self.spend(1, node)?;
        node.allow(&["name", "ref", "type", "use", "form", "default", "fixed"])?;
        let (name, attribute) = match node.reference("ref")? {
            Some(name) => {
                let Some(known) = self.attributes.get(name).cloned() else {
                    return Err(node.error(format!("the attribute {name}"), "one that exists"));
                };
                let fixed = node.raw("fixed").map(str::to_owned);
                let attribute = Attribute {
                    fixed: fixed.or(known.fixed),
                    ..known
                };
                (name.clone(), attribute)
            }
            None => {
                let is_qualified = match node.attribute("form") {
                    None => self.qualifies_attributes,
                    Some("qualified") => true,
                    Some("unqualified") => false,
                    Some(found) => return Err(node.error(found, "qualified or unqualified")),
                };
                let namespace = is_qualified.then(|| self.target.clone()).flatten();
                (node.declared(namespace)?, self.attribute_declaration(node)?)
            }
        };
        let is_required = match node.attribute("use") {
            None | Some("optional") => false,
            Some("required") => true,
            Some("prohibited") => {
                declared.prohibited.push(name);
                return Ok(());
            }
            Some(found) => return Err(node.error(found, "optional, required or prohibited")),
        };
        let found = AttributeUse {
            name,
            is_required,
            attribute,
        };
        add(&mut declared.uses, found, node)
    }

    /// Type and value of an attribute. A default is for readers of the document, not for its check.
    pub(super) fn attribute_declaration(
        &mut self,
        node: &'n Node,
    ) -> Result<Attribute, SchemaError> {
        let kind = match (node.reference("type")?, node.children.as_slice()) {
            (Some(name), []) => {
                let id = self.type_id(name, node)?;
                self.simple_id(id, node)?
            }
            (None, [child]) if *child.name == *"simpleType" => self.anonymous(child)?,
            (None, []) => ANY_SIMPLE_TYPE,
            _ => return Err(node.error("its type", "type or one simpleType")),
        };
        Ok(Attribute {
            kind,
            fixed: node.raw("fixed").map(str::to_owned),
        })
    }

    /// Reads `any` or `anyAttribute`.
    pub(super) fn wildcard(&self, node: &Node, more: &[&str]) -> Result<Wildcard, SchemaError> {
        let mut allowed = vec!["namespace", "processContents"];
        allowed.extend(more);
        node.allow(&allowed)?;
        let namespaces = match node.attribute("namespace") {
            None | Some("##any") => Namespaces::Any,
            Some("##other") => Namespaces::Other(self.target.clone()),
            Some(listed) => {
                let listed = listed.split_ascii_whitespace().map(|uri| match uri {
                    "##targetNamespace" => Ok(self.target.clone()),
                    "##local" => Ok(None),
                    other if other.starts_with("##") => {
                        Err(node.error(other, "a namespace, ##local or ##targetNamespace"))
                    }
                    uri => Ok(Some(uri.into())),
                });
                Namespaces::Listed(listed.collect::<Result<_, _>>()?)
            }
        };
        let process = match node.attribute("processContents") {
            None | Some("strict") => Process::Strict,
            Some("lax") => Process::Lax,
            Some("skip") => Process::Skip,
            Some(found) => return Err(node.error(found, "strict, lax or skip")),
        };
        Ok(Wildcard {
            namespaces,
            process,
        })
    }
}

fn add(uses: &mut Vec<AttributeUse>, found: AttributeUse, node: &Node) -> Result<(), SchemaError> {
    if uses.iter().any(|known| known.name == found.name) {
        return Err(node.error(format!("{} twice", found.name), "one declaration"));
    }
    uses.push(found);
    Ok(())
}

/// What two wildcards of one type let in, if that is simple to say.
fn both(
    one: Option<Wildcard>,
    other: Option<Wildcard>,
    node: &Node,
) -> Result<Option<Wildcard>, SchemaError> {
    match (one, other) {
        (None, found) | (found, None) => Ok(found),
        (Some(one), Some(other)) if one == other => Ok(Some(one)),
        (Some(_), Some(_)) => Err(node.error("two different wildcards", "one anyAttribute")),
    }
}
