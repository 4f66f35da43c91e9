//! Walks XML text without building anything of it.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use thiserror::Error;

use super::entities::{Entities, is_declared, references};

/// What XML text may be; lengths in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) elements: usize,
    pub(super) depth: usize,
    pub(super) length: usize,
    pub(super) attributes: usize,
    pub(super) attribute_length: usize,
    pub(super) children: usize,
    pub(super) text_length: usize,
    pub(super) entities: usize,
    pub(super) entity_depth: usize,
    pub(super) allows_external: bool,
}

/// What XML text is that it may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Threat {
    #[error("no well-formed XML")]
    Malformed,
    #[error("too many elements")]
    Elements,
    #[error("nested too deep")]
    Depth,
    #[error("the document is too long")]
    Length,
    #[error("an element has too many attributes")]
    Attributes,
    #[error("the value of an attribute is too long")]
    AttributeLength,
    #[error("an element has too many children")]
    Children,
    #[error("a text is too long")]
    TextLength,
    #[error("too many entities")]
    Entities,
    #[error("entities are nested too deep")]
    EntityDepth,
    #[error("the document names something outside of itself")]
    External,
}

impl Threat {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Malformed => "XML_THREAT_DETECTED",
            Self::Elements => "XML_THREAT_MAX_ELEMENTS",
            Self::Depth => "XML_THREAT_MAX_DEPTH",
            Self::Length => "XML_THREAT_MAX_LENGTH",
            Self::Attributes => "XML_THREAT_MAX_ATTRIBUTES",
            Self::AttributeLength => "XML_THREAT_MAX_ATTRIBUTE_VALUE_LENGTH",
            Self::Children => "XML_THREAT_MAX_CHILD_ELEMENTS",
            Self::TextLength => "XML_THREAT_MAX_TEXT_VALUE_LENGTH",
            Self::Entities => "XML_THREAT_MAX_ENTITIES",
            Self::EntityDepth => "XML_THREAT_MAX_ENTITY_DEPTH",
            Self::External => "XML_THREAT_EXTERNAL_ENTITY_FORBIDDEN",
        }
    }
}

fn within(value: usize, limit: usize, threat: Threat) -> Result<(), Threat> {
    if value <= limit { Ok(()) } else { Err(threat) }
}

impl Limits {
    /// Checks one document.
    pub(super) fn check(&self, text: &str) -> Result<(), Threat> {
        within(text.chars().count(), self.length, Threat::Length)?;
        let mut reader = Reader::from_str(text);
        let mut walk = Walk {
            limits: self,
            children: Vec::new(),
            elements: 0,
            has_root: false,
            has_doctype: false,
            text_length: 0,
            entities: Entities::default(),
            expanded: 0,
        };
        loop {
            match reader.read_event().map_err(|_error| Threat::Malformed)? {
                Event::Eof => return walk.finish(),
                event => walk.take(&event)?,
            }
        }
    }
}

struct Walk<'w> {
    limits: &'w Limits,
    /// Elements seen so far in each open element.
    children: Vec<usize>,
    elements: usize,
    has_root: bool,
    has_doctype: bool,
    text_length: usize,
    entities: Entities,
    expanded: usize,
}

impl Walk<'_> {
    fn take(&mut self, event: &Event<'_>) -> Result<(), Threat> {
        match event {
            Event::Start(start) => self.open(start),
            Event::Empty(start) => {
                self.open(start)?;
                self.children.pop();
                Ok(())
            }
            Event::End(_) => {
                self.text_length = 0;
                self.children.pop();
                Ok(())
            }
            Event::Text(text) => self.text(text),
            Event::CData(text) if self.children.is_empty() || text.contains("]]>") => {
                Err(Threat::Malformed)
            }
            Event::CData(text) => self.text(text),
            Event::GeneralRef(name) => {
                if self.children.is_empty() {
                    return Err(Threat::Malformed);
                }
                self.add_text(1)?;
                if is_declared(name) {
                    self.expand(name)?;
                }
                Ok(())
            }
            Event::DocType(declaration) => {
                if self.has_doctype || self.has_root {
                    return Err(Threat::Malformed);
                }
                self.has_doctype = true;
                self.entities = Entities::read(declaration, self.limits.allows_external)?;
                Ok(())
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Threat> {
        self.text_length = 0;
        match self.children.last_mut() {
            Some(count) => {
                *count += 1;
                within(*count, self.limits.children, Threat::Children)?;
            }
            None if self.has_root => return Err(Threat::Malformed),
            None => self.has_root = true,
        }
        self.elements += 1;
        within(self.elements, self.limits.elements, Threat::Elements)?;
        self.children.push(0);
        within(self.children.len(), self.limits.depth, Threat::Depth)?;
        for (index, attribute) in start.attributes().enumerate() {
            within(index + 1, self.limits.attributes, Threat::Attributes)?;
            let attribute = attribute.map_err(|_error| Threat::Malformed)?;
            let length = attribute.value.chars().count();
            within(
                length,
                self.limits.attribute_length,
                Threat::AttributeLength,
            )?;
            for name in references(&attribute.value) {
                self.expand(name)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Threat> {
        if self.children.is_empty() && !text.trim_start_matches('\u{feff}').trim().is_empty() {
            return Err(Threat::Malformed);
        }
        self.add_text(text.chars().count())
    }

    /// Text in pieces, between references and sections, is one run.
    fn add_text(&mut self, length: usize) -> Result<(), Threat> {
        self.text_length += length;
        within(
            self.text_length,
            self.limits.text_length,
            Threat::TextLength,
        )
    }

    fn expand(&mut self, name: &str) -> Result<(), Threat> {
        let cost = self.entities.cost(name)?;
        self.expanded = self.expanded.saturating_add(cost.count);
        within(cost.depth, self.limits.entity_depth, Threat::EntityDepth)?;
        within(self.expanded, self.limits.entities, Threat::Entities)
    }

    fn finish(self) -> Result<(), Threat> {
        if self.has_root && self.children.is_empty() {
            Ok(())
        } else {
            Err(Threat::Malformed)
        }
    }
}
