//! A document as events with expanded names.
//!
//! Well-formedness is checked, namespaces are resolved. Document type declarations are refused, so there are no
//! entities to expand and nothing is ever fetched.

use std::sync::Arc;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::name::{Name, Namespace, XML, is_ncname};

/// Most attributes of an element.
const ATTRIBUTES_MAX: usize = 256;

/// A part of a document.
#[derive(Debug)]
pub(crate) enum Item {
    Start(Start),
    /// Never empty, and always within an element.
    Text(String),
    End,
    /// The end of the document.
    Done,
}

/// The beginning of an element.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) name: Name,
    pub(crate) attributes: Vec<(Name, String)>,
}

/// Reads a document.
pub(crate) struct Events<'t> {
    reader: Reader<&'t [u8]>,
    depth_max: usize,
    /// Names of open elements as written.
    open: Vec<usize>,
    /// Prefixes in scope, with what they stand for; the innermost last.
    bindings: Vec<(Box<str>, Namespace)>,
    has_root: bool,
    /// Whether the element that began is empty.
    is_ending: bool,
}

impl<'t> Events<'t> {
    pub(crate) fn new(text: &'t str, depth_max: usize) -> Self {
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().check_comments = true;
        Self {
            reader,
            depth_max,
            open: Vec::new(),
            bindings: vec![("xml".into(), Some(Arc::from(XML)))],
            has_root: false,
            is_ending: false,
        }
    }

    /// Reads the next part.
    ///
    /// # Errors
    /// The document is not well-formed, or nested too deep.
    pub(crate) fn next(&mut self) -> Result<Item, String> {
        if std::mem::take(&mut self.is_ending) {
            self.leave();
            return Ok(Item::End);
        }
        loop {
            let event = self.reader.read_event();
            let position = self.reader.error_position();
            let event = event.map_err(|error| format!("byte {position}: {error}"))?;
            match event {
                Event::Start(start) => return self.begin(&start).map(Item::Start),
                Event::Empty(start) => {
                    let start = self.begin(&start)?;
                    self.is_ending = true;
                    return Ok(Item::Start(start));
                }
                Event::End(_) => {
                    // The reader has checked that the end belongs to the element that is open.
                    self.leave();
                    return Ok(Item::End);
                }
                Event::Text(text) => {
                    let text = text.xml10_content();
                    if text.contains("]]>") {
                        return Err("the end of a CDATA section outside of one".to_owned());
                    }
                    if let Some(text) = self.text(&text)? {
                        return Ok(Item::Text(text));
                    }
                }
                Event::CData(data) => {
                    if self.open.is_empty() {
                        return Err("text outside of the root element".to_owned());
                    }
                    if let Some(text) = self.text(&data.xml10_content())? {
                        return Ok(Item::Text(text));
                    }
                }
                Event::GeneralRef(reference) => {
                    let character = reference
                        .resolve_char_ref()
                        .map_err(|error| error.to_string())?;
                    let text = match (character, resolve_predefined_entity(&reference)) {
                        (Some(character), _) => character.to_string(),
                        (None, Some(text)) => text.to_owned(),
                        (None, None) => return Err("an entity that is not defined".to_owned()),
                    };
                    if self.open.is_empty() {
                        return Err("text outside of the root element".to_owned());
                    }
                    if let Some(text) = self.text(&text)? {
                        return Ok(Item::Text(text));
                    }
                }
                Event::DocType(_) => return Err("a document type declaration".to_owned()),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof if !self.open.is_empty() => {
                    return Err("an element is not closed".to_owned());
                }
                Event::Eof if !self.has_root => return Err("there is no element".to_owned()),
                Event::Eof => return Ok(Item::Done),
            }
        }
    }

    /// What a prefix stands for; `None` if it stands for nothing.
    pub(crate) fn resolve(&self, prefix: &str) -> Option<Namespace> {
        let bound = self
            .bindings
            .iter()
            .rev()
            .find(|(known, _)| **known == *prefix);
        match bound {
            Some((_, namespace)) => Some(namespace.clone()),
            None => prefix.is_empty().then_some(None),
        }
    }

    /// Expands a name in the content of a document; without a prefix it is in the default namespace.
    pub(crate) fn expand(&self, qualified: &str) -> Option<Name> {
        let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
        if !is_ncname(local) {
            return None;
        }
        Some(Name::new(self.resolve(prefix)?, local))
    }

    /// Where the reader stands, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<Start, String> {
        if self.open.is_empty() && std::mem::replace(&mut self.has_root, true) {
            return Err("a second root element".to_owned());
        }
        if self.open.len() >= self.depth_max {
            return Err("elements are nested too deep".to_owned());
        }
        let before = self.bindings.len();
        let mut written: Vec<(String, String)> = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            check_characters(&value)?;
            let name = attribute.key.into_inner();
            if name == "xmlns" {
                self.bind("", &value)?;
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                self.bind(prefix, &value)?;
            } else {
                written.push((name.to_owned(), value.into_owned()));
            }
            if written.len() > ATTRIBUTES_MAX || self.bindings.len() - before > ATTRIBUTES_MAX {
                return Err(format!("more than {ATTRIBUTES_MAX} attributes"));
            }
        }
        self.open.push(before);
        let qualified = start.name().into_inner();
        let name = self
            .expand(qualified)
            .ok_or_else(|| format!("the name {qualified:?}"))?;
        let mut attributes: Vec<(Name, String)> = Vec::with_capacity(written.len());
        for (qualified, value) in written {
            let name = match qualified.split_once(':') {
                Some(_) => self.expand(&qualified),
                // A default namespace is not for attributes.
                None => is_ncname(&qualified).then(|| Name::new(None, &qualified)),
            };
            let name = name.ok_or_else(|| format!("the name {qualified:?}"))?;
            if attributes.iter().any(|(known, _)| *known == name) {
                return Err(format!("attribute {name} twice"));
            }
            attributes.push((name, value));
        }
        Ok(Start { name, attributes })
    }

    fn bind(&mut self, prefix: &str, namespace: &str) -> Result<(), String> {
        if prefix == "xmlns" || (prefix == "xml") != (namespace == XML) {
            return Err("a prefix that is reserved".to_owned());
        }
        if !prefix.is_empty() && (namespace.is_empty() || !is_ncname(prefix)) {
            return Err(format!("the prefix {prefix:?}"));
        }
        let namespace = (!namespace.is_empty()).then(|| Arc::from(namespace));
        self.bindings.push((prefix.into(), namespace));
        Ok(())
    }

    fn leave(&mut self) {
        if let Some(before) = self.open.pop() {
            self.bindings.truncate(before);
        }
    }

    fn text(&self, text: &str) -> Result<Option<String>, String> {
        check_characters(text)?;
        if self.open.is_empty() {
            return if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                Ok(None)
            } else {
                Err("text outside of the root element".to_owned())
            };
        }
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

/// `Char` of XML 1.0 §2.2.
fn check_characters(text: &str) -> Result<(), String> {
    let is_allowed = |character: char| {
        matches!(character,
            '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
            | '\u{10000}'..='\u{10FFFF}')
    };
    if text.chars().all(is_allowed) {
        Ok(())
    } else {
        Err("a character that XML does not have".to_owned())
    }
}
