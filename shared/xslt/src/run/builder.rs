//! Building a result: a document that grows at its end.

use crate::error::TransformError;
use crate::tree::{Declaration, Document, Kind, Name, Str};

#[derive(Debug)]
pub(super) struct Builder {
    document: Document,
    open: Vec<u32>,
    /// Text that is not a node yet: more may follow.
    text: String,
    is_raw: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            document: Document::default(),
            open: vec![0],
            text: String::new(),
            is_raw: false,
        }
    }
}

impl Builder {
    pub(super) fn finish(mut self) -> Document {
        self.end_text();
        self.document.close(0);
        self.document
    }

    fn parent(&self) -> u32 {
        self.open.last().copied().unwrap_or(0)
    }

    pub(super) fn text(&mut self, text: &str, is_raw: bool) {
        if self.is_raw != is_raw {
            self.end_text();
            self.is_raw = is_raw;
        }
        self.text.push_str(text);
    }

    fn end_text(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = Str::from(std::mem::take(&mut self.text));
        let (is_raw, parent) = (self.is_raw, self.parent());
        self.document.push(Kind::Text { text, is_raw }, parent);
    }

    pub(super) fn start(&mut self, name: Name, declared: Vec<Declaration>) {
        self.end_text();
        let parent = self.parent();
        let element = self.document.push(Kind::Element { name, declared }, parent);
        self.open.push(element);
    }

    pub(super) fn end(&mut self) {
        self.end_text();
        if self.open.len() > 1
            && let Some(element) = self.open.pop()
        {
            self.document.close(element);
        }
    }

    /// Adds an attribute to the element that is open, or replaces its value.
    pub(super) fn attribute(&mut self, name: Name, value: Str) -> Result<(), TransformError> {
        self.end_text();
        let element = self.parent();
        let behind = self
            .document
            .nodes
            .get_mut(element as usize + 1..)
            .unwrap_or_default();
        if element == 0
            || behind
                .iter()
                .any(|node| !matches!(node.kind, Kind::Attribute { .. }))
        {
            let reason = format!(
                "the attribute {} comes behind other content",
                name.written()
            );
            return Err(TransformError::Dynamic(reason));
        }
        for node in behind {
            if let Kind::Attribute {
                name: known,
                value: old,
            } = &mut node.kind
                && *known == name
            {
                *old = value;
                return Ok(());
            }
        }
        self.document.push(Kind::Attribute { name, value }, element);
        Ok(())
    }

    pub(super) fn leaf(&mut self, kind: Kind) {
        self.end_text();
        let parent = self.parent();
        self.document.push(kind, parent);
    }
}
