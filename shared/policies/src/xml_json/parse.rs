//! XML to JSON by the rules of `org.json`: elements and attributes are members, text is `content`.
//!
//! Document type declarations are refused, so there are no entities to expand and nothing is fetched.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 100;

/// Name of the member that holds text beside attributes or elements.
const CONTENT: &str = "content";

struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Element {
    /// Ends a run of text: blanks around it do not count.
    fn end_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        if !text.is_empty() {
            accumulate(&mut self.members, CONTENT, typed(text));
        }
    }

    /// What the element is as a value: text alone is no object.
    fn into_value(mut self) -> Value {
        self.end_text();
        match self.members.len() {
            0 => Value::from(""),
            1 => match self.members.remove(CONTENT) {
                Some(content) => content,
                None => Value::Object(self.members),
            },
            _ => Value::Object(self.members),
        }
    }
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = Map::new();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("byte {}: {error}", reader.error_position()))?;
        match event {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX {
                    return Err("elements are nested too deep".to_owned());
                }
                begin(&mut open, &root, &start)?;
            }
            Event::Empty(start) => {
                begin(&mut open, &root, &start)?;
                end(&mut open, &mut root);
            }
            Event::End(_) => end(&mut open, &mut root),
            Event::Text(text) => append(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let char = reference
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?;
                let text = match (char, resolve_predefined_entity(&reference)) {
                    (Some(char), _) => Cow::Owned(char.to_string()),
                    (None, Some(text)) => Cow::Borrowed(text),
                    (None, None) => return Err("an entity that is not defined".to_owned()),
                };
                append(&mut open, &text)?;
            }
            Event::CData(data) => match open.last_mut() {
                Some(element) => {
                    element.end_text();
                    let text = data.xml10_content();
                    if !text.is_empty() {
                        accumulate(&mut element.members, CONTENT, Value::from(&*text));
                    }
                }
                None => return Err("text outside of the root element".to_owned()),
            },
            Event::DocType(_) => return Err("a document type declaration".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if !open.is_empty() => return Err("an element is not closed".to_owned()),
            Event::Eof if root.is_empty() => return Err("there is no element".to_owned()),
            Event::Eof => return Ok(Value::Object(root)),
        }
    }
}

fn begin(
    open: &mut Vec<Element>,
    root: &Map<String, Value>,
    start: &BytesStart<'_>,
) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.end_text(),
        None if root.is_empty() => {}
        None => return Err("a second root element".to_owned()),
    }
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        accumulate(&mut members, attribute.key.into_inner(), typed(&value));
    }
    open.push(Element {
        name: start.name().into_inner().to_owned(),
        members,
        text: String::new(),
    });
    Ok(())
}

fn end(open: &mut Vec<Element>, root: &mut Map<String, Value>) {
    // The reader has checked that the end belongs to the element that is open.
    let Some(mut element) = open.pop() else {
        return;
    };
    let name = std::mem::take(&mut element.name);
    let members = open.last_mut().map_or(root, |parent| &mut parent.members);
    accumulate(members, &name, element.into_value());
}

fn append(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => {
            element.text.push_str(text);
            Ok(())
        }
        None if text.trim().trim_start_matches('\u{feff}').is_empty() => Ok(()),
        None => Err("text outside of the root element".to_owned()),
    }
}

/// Adds a member; one that exists becomes a list.
fn accumulate(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.entry(name) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
        }
        Entry::Occupied(mut occupied) => match occupied.get_mut() {
            Value::Array(values) => values.push(value),
            first => {
                let first_value = first.take();
                *first = Value::Array(vec![first_value, value]);
            }
        },
    }
}

/// Reads a text as the value it spells; whole numbers only if they would be written the same way.
fn typed(text: &str) -> Value {
    for (spelled, value) in [
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("null", Value::Null),
    ] {
        if text.eq_ignore_ascii_case(spelled) {
            return value;
        }
    }
    let begins_like_a_number = text.starts_with(|char: char| char.is_ascii_digit() || char == '-');
    if !begins_like_a_number {
        return Value::from(text);
    }
    let number = if text.contains(['.', 'e', 'E']) {
        let spells_one = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let number = text.parse::<f64>().ok().filter(|_| spells_one);
        number.and_then(Number::from_f64)
    } else {
        let number = text.parse::<i64>().ok();
        number
            .filter(|number| number.to_string() == text)
            .map(Number::from)
    };
    number.map_or_else(|| Value::from(text), Value::Number)
}
