//! A schema document as a tree.

use std::sync::Arc;

use crate::events::{Events, Item, Start};
use crate::name::{Name, Namespace, XSD};
use crate::{NODES_MAX, SCHEMA_DEPTH_MAX, SchemaError};

/// An element of a schema document.
#[derive(Debug)]
pub(crate) struct Node {
    /// Local name; all elements of the tree are in the namespace of XML Schema.
    pub(crate) name: Arc<str>,
    /// Attributes without a namespace.
    pub(crate) attributes: Vec<(Arc<str>, String)>,
    /// Attributes that hold names, expanded where they stand.
    names: Vec<(Arc<str>, Vec<Name>)>,
    pub(crate) children: Vec<Node>,
    /// Bytes before the end of its start.
    pub(crate) position: u64,
}

/// Attributes whose values are names.
const NAMES: [&str; 7] = [
    "type",
    "base",
    "ref",
    "itemType",
    "memberTypes",
    "substitutionGroup",
    "refer",
];

impl Node {
    /// Reads a schema document; annotations are left out.
    pub(crate) fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut events = Events::new(text, SCHEMA_DEPTH_MAX);
        let mut open: Vec<Self> = Vec::new();
        let mut skipped = 0;
        let mut count = 0;
        let mut root = None;
        loop {
            let position = events.position();
            let malformed = |found| SchemaError::new(position, found, "well-formed XML");
            match events.next().map_err(malformed)? {
                Item::Start(start) => {
                    if skipped > 0 || *start.name.local == *"annotation" {
                        skipped += 1;
                        continue;
                    }
                    count += 1;
                    if count > NODES_MAX {
                        let expected = format!("at most {NODES_MAX} elements");
                        return Err(SchemaError::new(position, "more", expected));
                    }
                    open.push(Self::new(start, &events)?);
                }
                Item::End if skipped > 0 => skipped -= 1,
                Item::End => {
                    if let Some(node) = open.pop() {
                        match open.last_mut() {
                            Some(parent) => parent.children.push(node),
                            None => root = Some(node),
                        }
                    }
                }
                Item::Text(text) if skipped == 0 && !text.trim().is_empty() => {
                    return Err(SchemaError::new(position, "text", "elements alone"));
                }
                Item::Text(_) => {}
                Item::Done => {
                    return root
                        .ok_or_else(|| SchemaError::new(position, "nothing", "a schema element"));
                }
            }
        }
    }

    fn new(start: Start, events: &Events<'_>) -> Result<Self, SchemaError> {
        let position = events.position();
        if !start.name.is_in(XSD) {
            let expected = "elements of XML Schema";
            return Err(SchemaError::new(position, start.name, expected));
        }
        let mut attributes = Vec::with_capacity(start.attributes.len());
        let mut names = Vec::new();
        for (name, value) in start.attributes {
            // Others are for other tools.
            if name.namespace.is_some() {
                if name
                    .namespace
                    .as_deref()
                    .is_some_and(|uri| uri.contains("XMLSchema-versioning"))
                {
                    return Err(SchemaError::new(position, name, "XML Schema 1.0"));
                }
                continue;
            }
            if NAMES.contains(&&*name.local) {
                let expanded = value.split_ascii_whitespace().map(|qualified| {
                    events.expand(qualified).ok_or_else(|| {
                        SchemaError::new(position, format!("{qualified:?}"), "a name in scope")
                    })
                });
                names.push((Arc::clone(&name.local), expanded.collect::<Result<_, _>>()?));
            }
            attributes.push((name.local, value));
        }
        Ok(Self {
            name: start.name.local,
            attributes,
            names,
            children: Vec::new(),
            position,
        })
    }

    /// An attribute, without blanks around it.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value.trim())
    }

    /// An attribute as written.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value.as_str())
    }

    /// The names of an attribute, expanded.
    pub(crate) fn names(&self, attribute: &str) -> &[Name] {
        let found = self.names.iter().find(|(known, _)| **known == *attribute);
        found.map_or(&[], |(_, names)| names)
    }

    /// The one name of an attribute, expanded.
    pub(crate) fn reference(&self, attribute: &str) -> Result<Option<&Name>, SchemaError> {
        match (self.attribute(attribute), self.names(attribute)) {
            (None, _) => Ok(None),
            (Some(_), [name]) => Ok(Some(name)),
            (Some(found), _) => Err(self.error(format!("{attribute}={found:?}"), "one name")),
        }
    }

    /// A flag; false if absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, SchemaError> {
        match self.attribute(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(found) => Err(self.error(format!("{name}={found:?}"), "true or false")),
        }
    }

    /// The name that a declaration gives itself.
    pub(crate) fn declared(&self, namespace: Namespace) -> Result<Name, SchemaError> {
        match self.attribute("name") {
            Some(name) if crate::name::is_ncname(name) => Ok(Name::new(namespace, name)),
            Some(name) => Err(self.error(format!("name={name:?}"), "a name without a prefix")),
            None => Err(self.error("no name", "a name")),
        }
    }

    /// Refuses attributes other than these.
    pub(crate) fn allow(&self, names: &[&str]) -> Result<(), SchemaError> {
        for (name, _) in &self.attributes {
            if **name != *"id" && !names.contains(&&**name) {
                let expected = format!("of attributes only {}", names.join(", "));
                return Err(self.error(format!("attribute {name}"), expected));
            }
        }
        Ok(())
    }

    /// An error at this element.
    pub(crate) fn error(
        &self,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> SchemaError {
        let found = format!("{found} in {}", self.name);
        SchemaError::new(self.position, found, expected)
    }
}
