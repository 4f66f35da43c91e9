//! Reading a document. Document type declarations are refused: there are no entities to expand, nothing is fetched.

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Declaration, Document, Kind, Name, Str};

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 200;
/// Most nodes of a document.
const NODES_MAX: u32 = 2_000_000;
/// The namespace of `xml:space` and the like.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A text that is no document.
type ParseError = String;

struct Builder {
    document: Document,
    open: Vec<u32>,
    /// Declarations in scope, the innermost last, and how many there were before each open element.
    scope: Vec<Declaration>,
    marks: Vec<usize>,
    text: String,
    has_root: bool,
}

/// Reads a document; `keeps` tells whether text of blanks alone below an element is kept.
pub(crate) fn parse(text: &str, keeps: &dyn Fn(&Name) -> bool) -> Result<Document, ParseError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_comments = true;
    let mut builder = Builder {
        document: Document::default(),
        open: vec![0],
        scope: vec![(Str::from("xml"), Str::from(XML))],
        marks: Vec::new(),
        text: String::new(),
        has_root: false,
    };
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("byte {}: {error}", reader.error_position()))?;
        if builder.document.len() > NODES_MAX {
            return Err(format!("more than {NODES_MAX} nodes"));
        }
        match event {
            Event::Start(start) => builder.begin(&start, keeps)?,
            Event::Empty(start) => {
                builder.begin(&start, keeps)?;
                builder.end(keeps);
            }
            Event::End(_) => builder.end(keeps),
            Event::Text(text) => builder.append(&text.xml10_content())?,
            Event::CData(data) => builder.append(&data.xml10_content())?,
            Event::GeneralRef(reference) => {
                let char = reference
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?;
                let text = match (char, resolve_predefined_entity(&reference)) {
                    (Some(char), _) => Cow::Owned(char.to_string()),
                    (None, Some(text)) => Cow::Borrowed(text),
                    (None, None) => return Err("an entity that is not defined".to_owned()),
                };
                builder.append(&text)?;
            }
            Event::Comment(comment) => {
                let comment = comment.xml10_content();
                builder.leaf(Kind::Comment(Arc::from(&*comment)), keeps);
            }
            Event::PI(instruction) => {
                let (target, content) = (instruction.target(), instruction.content());
                let kind = Kind::Instruction {
                    target: Arc::from(target),
                    content: Arc::from(content.trim_start()),
                };
                builder.leaf(kind, keeps);
            }
            Event::Decl(_) => {}
            Event::DocType(_) => return Err("a document type declaration".to_owned()),
            Event::Eof if builder.open.len() > 1 => {
                return Err("an element is not closed".to_owned());
            }
            Event::Eof if !builder.has_root => return Err("there is no element".to_owned()),
            Event::Eof => {
                builder.document.close(0);
                return Ok(builder.document);
            }
        }
    }
}

impl Builder {
    fn parent(&self) -> u32 {
        self.open.last().copied().unwrap_or(0)
    }

    fn append(&mut self, text: &str) -> Result<(), ParseError> {
        if self.open.len() > 1 {
            self.text.push_str(text);
        } else if !text.trim().is_empty() {
            return Err("text outside of the root element".to_owned());
        }
        Ok(())
    }

    fn leaf(&mut self, kind: Kind, keeps: &dyn Fn(&Name) -> bool) {
        self.end_text(keeps);
        let parent = self.parent();
        self.document.push(kind, parent);
    }

    fn end_text(&mut self, keeps: &dyn Fn(&Name) -> bool) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        let parent = self.parent();
        let is_blank = text
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        if is_blank
            && !self.preserves_space(parent)
            && !self.document.name(parent).is_none_or(keeps)
        {
            return;
        }
        let text = Str::from(text);
        let is_raw = false;
        self.document.push(Kind::Text { text, is_raw }, parent);
    }

    /// Whether the nearest `xml:space` says `preserve`.
    fn preserves_space(&self, element: u32) -> bool {
        for open in self.open.iter().rev().filter(|open| **open <= element) {
            for attribute in self.document.attributes_so_far(*open) {
                if let Kind::Attribute { name, value } = attribute
                    && name.is(XML, "space")
                {
                    return &**value == "preserve";
                }
            }
        }
        false
    }

    fn begin(
        &mut self,
        start: &BytesStart<'_>,
        keeps: &dyn Fn(&Name) -> bool,
    ) -> Result<(), ParseError> {
        self.end_text(keeps);
        if self.open.len() > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels"));
        }
        if self.open.len() == 1 && std::mem::replace(&mut self.has_root, true) {
            return Err("a second root element".to_owned());
        }
        self.marks.push(self.scope.len());
        let mut declared = Vec::new();
        let mut attributes: Vec<(String, Str)> = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            let value = Str::from(&*value);
            let key = attribute.key.into_inner();
            if key == "xmlns" {
                declared.push((Str::from(""), value));
            } else if let Some(prefix) = key.strip_prefix("xmlns:") {
                declared.push((Str::from(prefix), value));
            } else {
                attributes.push((key.to_owned(), value));
            }
        }
        self.scope.extend(declared.iter().cloned());
        let name = self.resolve(start.name().into_inner(), true)?;
        let parent = self.parent();
        let element = self.document.push(Kind::Element { name, declared }, parent);
        self.open.push(element);
        for (key, value) in attributes {
            let name = self.resolve(&key, false)?;
            self.document.push(Kind::Attribute { name, value }, element);
        }
        Ok(())
    }

    /// The name of an element or attribute; only elements are in the default namespace.
    fn resolve(&self, written: &str, is_element: bool) -> Result<Name, ParseError> {
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        if local.is_empty() || local.contains(':') {
            return Err(format!("{written:?} is no name"));
        }
        let uri = if prefix.is_empty() && !is_element {
            Str::from("")
        } else {
            let declared = self
                .scope
                .iter()
                .rev()
                .find(|(known, _)| **known == *prefix);
            match declared {
                Some((_, uri)) => Arc::clone(uri),
                None if prefix.is_empty() => Str::from(""),
                None => return Err(format!("the prefix {prefix:?} is not declared")),
            }
        };
        Ok(Name {
            prefix: Str::from(prefix),
            uri,
            local: Str::from(local),
        })
    }

    /// The reader has checked that the end belongs to the element that is open.
    fn end(&mut self, keeps: &dyn Fn(&Name) -> bool) {
        self.end_text(keeps);
        if let Some(element) = self.open.pop() {
            self.document.close(element);
        }
        if let Some(mark) = self.marks.pop() {
            self.scope.truncate(mark);
        }
    }
}

impl Document {
    /// Attributes of an element that is not closed yet.
    fn attributes_so_far(&self, element: u32) -> impl Iterator<Item = &Kind> {
        let behind = self.nodes.get(element as usize + 1..).unwrap_or_default();
        let kinds = behind.iter().map(|node| &node.kind);
        kinds.take_while(|kind| matches!(kind, Kind::Attribute { .. }))
    }
}
