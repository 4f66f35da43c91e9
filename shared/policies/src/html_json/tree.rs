//! An HTML document as browsers read it, kept just as far as selectors and texts need it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::{Attribute, LocalName, Namespace, ParseOpts, QualName, parse_document};

/// Most nodes of a document.
const NODES_MAX: usize = 500_000;

/// Deepest nesting: for each tag the parser looks through the elements that are open.
const DEPTH_MAX: u32 = 512;

/// Bytes read between two looks at the nesting.
const CHUNK_BYTES: usize = 2048;

/// The document itself.
pub(super) const ROOT: usize = 0;

/// A node, by its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
    pub(super) data: Data,
    /// How deep it was when it was put in its place.
    depth: u32,
}

#[derive(Debug)]
pub(super) enum Data {
    Element(Element),
    Text(String),
    /// The document, comments and what else has no text.
    Other,
}

#[derive(Debug)]
pub(super) struct Element {
    name: QualName,
    attributes: Vec<(LocalName, StrTendril)>,
    /// What stands in a `template`, which is no part of the document.
    template: Option<usize>,
}

impl Element {
    pub(super) fn name(&self) -> &str {
        &self.name.local
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }
}

/// A parsed document.
#[derive(Debug)]
pub(super) struct Tree(pub(super) Vec<Node>);

impl Tree {
    /// Reads a document; there is none that is no HTML.
    ///
    /// # Errors
    /// It has too many nodes, or they are nested too deep.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let builder = Builder {
            nodes: RefCell::new(vec![Node::new(Data::Other)]),
            is_full: Cell::new(false),
            is_deep: Cell::new(false),
        };
        let mut parser = parse_document(builder, ParseOpts::default());
        let mut rest = text;
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES));
            parser.process(StrTendril::from(chunk));
            if parser.tokenizer.sink.sink.is_deep.get() {
                return Err(format!("elements more than {DEPTH_MAX} deep"));
            }
            rest = tail;
        }
        parser.finish()
    }

    pub(super) fn element(&self, id: usize) -> Option<&Element> {
        match &self.0[id].data {
            Data::Element(element) => Some(element),
            Data::Text(_) | Data::Other => None,
        }
    }

    /// The elements in the order of the document.
    pub(super) fn elements(&self) -> Vec<usize> {
        let mut found = Vec::new();
        let mut pending = vec![ROOT];
        while let Some(id) = pending.pop() {
            if self.element(id).is_some() {
                found.push(id);
            }
            pending.extend(self.0[id].children.iter().rev());
        }
        found
    }
}

impl Node {
    fn new(data: Data) -> Self {
        Self {
            parent: None,
            children: Vec::new(),
            data,
            depth: 0,
        }
    }
}

/// Builds a tree; the parser calls it through shared references.
struct Builder {
    nodes: RefCell<Vec<Node>>,
    is_full: Cell<bool>,
    is_deep: Cell<bool>,
}

impl Builder {
    /// Adds a node. Once the document is too large, all new nodes are the last one, and the tree is thrown away.
    fn add(&self, data: Data) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() >= NODES_MAX {
            self.is_full.set(true);
        } else {
            nodes.push(Node::new(data));
        }
        nodes.len() - 1
    }

    fn detach(&self, id: usize) {
        let mut nodes = self.nodes.borrow_mut();
        let Some(parent) = nodes[id].parent.take() else {
            return;
        };
        let children = &mut nodes[parent].children;
        // What is moved was added a moment ago.
        if let Some(place) = children.iter().rposition(|child| *child == id) {
            children.remove(place);
        }
    }

    /// Puts a node or text before the child at `place`, or behind the last.
    fn insert(&self, parent: usize, place: Option<usize>, child: NodeOrText<usize>) {
        if self.is_full.get() {
            return;
        }
        let child = match child {
            NodeOrText::AppendNode(id) => {
                self.detach(id);
                id
            }
            NodeOrText::AppendText(text) => {
                let before = {
                    let nodes = self.nodes.borrow();
                    let children = &nodes[parent].children;
                    let place = place.unwrap_or(children.len());
                    place.checked_sub(1).map(|place| children[place])
                };
                if let Some(before) = before
                    && let Data::Text(known) = &mut self.nodes.borrow_mut()[before].data
                {
                    known.push_str(&text);
                    return;
                }
                self.add(Data::Text(text.to_string()))
            }
        };
        if self.is_full.get() || child == parent {
            return;
        }
        let mut nodes = self.nodes.borrow_mut();
        nodes[child].parent = Some(parent);
        nodes[child].depth = nodes[parent].depth.saturating_add(1);
        if nodes[child].depth > DEPTH_MAX {
            self.is_deep.set(true);
        }
        let children = &mut nodes[parent].children;
        let place = place.unwrap_or(children.len()).min(children.len());
        children.insert(place, child);
    }

    /// Where a node stands among its siblings.
    fn place_of(&self, id: usize) -> Option<(usize, usize)> {
        let nodes = self.nodes.borrow();
        let parent = nodes[id].parent?;
        let place = nodes[parent]
            .children
            .iter()
            .rposition(|child| *child == id)?;
        Some((parent, place))
    }
}

/// The name of an element, given away.
#[derive(Debug)]
struct Named(QualName);

impl ElemName for Named {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl TreeSink for Builder {
    type Handle = usize;
    type Output = Result<Tree, String>;
    type ElemName<'a> = Named;

    fn finish(self) -> Self::Output {
        if self.is_full.get() {
            Err(format!("a document of more than {NODES_MAX} nodes"))
        } else {
            Ok(Tree(self.nodes.into_inner()))
        }
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> usize {
        ROOT
    }

    fn elem_name<'a>(&'a self, target: &'a usize) -> Named {
        match &self.nodes.borrow()[*target].data {
            Data::Element(element) => Named(element.name.clone()),
            // The parser asks for names of elements alone.
            Data::Text(_) | Data::Other => Named(QualName::new(
                None,
                Namespace::from(""),
                LocalName::from(""),
            )),
        }
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<Attribute>,
        flags: ElementFlags,
    ) -> usize {
        let template = flags.template.then(|| self.add(Data::Other));
        let attributes = attributes.into_iter();
        self.add(Data::Element(Element {
            name,
            attributes: attributes
                .map(|found| (found.name.local, found.value))
                .collect(),
            template,
        }))
    }

    fn create_comment(&self, _text: StrTendril) -> usize {
        self.add(Data::Other)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> usize {
        self.add(Data::Other)
    }

    fn append(&self, parent: &usize, child: NodeOrText<usize>) {
        self.insert(*parent, None, child);
    }

    fn append_based_on_parent_node(
        &self,
        element: &usize,
        previous: &usize,
        child: NodeOrText<usize>,
    ) {
        if self.nodes.borrow()[*element].parent.is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(
        &self,
        _name: StrTendril,
        _public_id: StrTendril,
        _system_id: StrTendril,
    ) {
    }

    fn get_template_contents(&self, target: &usize) -> usize {
        match &self.nodes.borrow()[*target].data {
            Data::Element(element) => element.template.unwrap_or(*target),
            Data::Text(_) | Data::Other => *target,
        }
    }

    fn same_node(&self, one: &usize, other: &usize) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &usize, new: NodeOrText<usize>) {
        if let NodeOrText::AppendNode(id) = &new {
            self.detach(*id);
        }
        if let Some((parent, place)) = self.place_of(*sibling) {
            self.insert(parent, Some(place), new);
        }
    }

    fn add_attrs_if_missing(&self, target: &usize, attributes: Vec<Attribute>) {
        if let Data::Element(element) = &mut self.nodes.borrow_mut()[*target].data {
            for found in attributes {
                if !element
                    .attributes
                    .iter()
                    .any(|(known, _)| *known == found.name.local)
                {
                    element.attributes.push((found.name.local, found.value));
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &usize) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &usize, new_parent: &usize) {
        if node == new_parent {
            return;
        }
        let mut nodes = self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[*node].children);
        for child in &children {
            nodes[*child].parent = Some(*new_parent);
        }
        nodes[*new_parent].children.extend(children);
    }
}
