//! Documents as flat lists of nodes in document order: a node is a position, and the nodes below it follow it.

mod parse;

use std::sync::Arc;

pub(crate) use parse::parse;

/// A text that many nodes share.
pub(crate) type Str = Arc<str>;

/// An expanded name with the prefix it was written with.
#[derive(Clone, Debug, Eq)]
pub(crate) struct Name {
    pub(crate) prefix: Str,
    /// Empty for no namespace.
    pub(crate) uri: Str,
    pub(crate) local: Str,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.uri == other.uri && self.local == other.local
    }
}

impl Name {
    pub(crate) fn is(&self, uri: &str, local: &str) -> bool {
        *self.uri == *uri && *self.local == *local
    }

    /// The name as it is written.
    pub(crate) fn written(&self) -> String {
        if self.prefix.is_empty() {
            self.local.to_string()
        } else {
            format!("{}:{}", self.prefix, self.local)
        }
    }
}

/// A declaration of a namespace: prefix (empty for the default) and URI (empty for none).
pub(crate) type Declaration = (Str, Str);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Root,
    Element {
        name: Name,
        declared: Vec<Declaration>,
    },
    Attribute {
        name: Name,
        value: Str,
    },
    Text {
        text: Str,
        /// Written without escaping.
        is_raw: bool,
    },
    Comment(Str),
    Instruction {
        target: Str,
        content: Str,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Position of the parent; the root is its own.
    pub(crate) parent: u32,
    /// Position behind the last node below this one.
    pub(crate) end: u32,
}

/// A document, or the value of a variable with content.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) nodes: Vec<Node>,
}

impl Default for Document {
    fn default() -> Self {
        let root = Node {
            kind: Kind::Root,
            parent: 0,
            end: 1,
        };
        Self { nodes: vec![root] }
    }
}

impl Document {
    pub(crate) fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Adds a node below `parent`, whose last child it becomes; `close` ends an element.
    pub(crate) fn push(&mut self, kind: Kind, parent: u32) -> u32 {
        let index = self.len();
        self.nodes.push(Node {
            kind,
            parent,
            end: index + 1,
        });
        index
    }

    /// Sets the end of a node to the nodes there are.
    pub(crate) fn close(&mut self, index: u32) {
        let end = self.len();
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.end = end;
        }
    }

    pub(crate) fn is_attribute(&self, index: u32) -> bool {
        matches!(
            self.node(index),
            Some(Node {
                kind: Kind::Attribute { .. },
                ..
            })
        )
    }

    /// Attributes follow their element.
    pub(crate) fn attributes(&self, element: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.node(element).map_or(0, |node| node.end);
        (element + 1..end).take_while(|index| self.is_attribute(*index))
    }

    /// The first child behind the attributes, if there is one.
    pub(crate) fn first_child(&self, parent: u32) -> Option<u32> {
        let end = self.node(parent)?.end;
        let first = (parent + 1..end).find(|index| !self.is_attribute(*index));
        first.filter(|_| !self.is_attribute(parent))
    }

    /// The sibling behind a node.
    pub(crate) fn next_sibling(&self, index: u32) -> Option<u32> {
        let node = self.node(index)?;
        let parent = self.node(node.parent)?;
        (index != 0 && !self.is_attribute(index) && node.end < parent.end).then_some(node.end)
    }

    pub(crate) fn children(&self, parent: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first_child(parent), |index| self.next_sibling(*index))
    }

    pub(crate) fn name(&self, index: u32) -> Option<&Name> {
        match &self.node(index)?.kind {
            Kind::Element { name, .. } | Kind::Attribute { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The value of an attribute without namespace.
    pub(crate) fn attribute(&self, element: u32, local: &str) -> Option<&Str> {
        self.attributes(element)
            .find_map(|index| match &self.node(index)?.kind {
                Kind::Attribute { name, value } if name.is("", local) => Some(value),
                _ => None,
            })
    }

    /// The string value of a node (XPath 1.0 §5).
    pub(crate) fn string_value(&self, index: u32) -> String {
        let Some(node) = self.node(index) else {
            return String::new();
        };
        match &node.kind {
            Kind::Attribute { value, .. } => value.to_string(),
            Kind::Text { text, .. } | Kind::Comment(text) => text.to_string(),
            Kind::Instruction { content, .. } => content.to_string(),
            Kind::Root | Kind::Element { .. } => {
                let mut all = String::new();
                for below in self
                    .nodes
                    .get(index as usize..node.end as usize)
                    .unwrap_or_default()
                {
                    if let Kind::Text { text, .. } = &below.kind {
                        all.push_str(text);
                    }
                }
                all
            }
        }
    }
}

/// A node of one of the documents of a transformation; the order is document order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeRef {
    pub(crate) document: u32,
    pub(crate) index: u32,
}
