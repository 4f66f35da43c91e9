//! YAML to values, from the events of the parser: nothing is built before it is paid for, so that aliases and
//! nesting cannot blow up.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::{Budget, DEPTH_MAX, DOCUMENTS_MAX, Located, Place, SourceError, member_path, scalar};

/// Reads every document of a stream; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Located>, SourceError> {
    let mut loader = Loader::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = next(&mut parser)? {
        loader.take(event.0, place_of(&event.1))?;
    }
    Ok(loader.documents)
}

fn next<'a>(
    parser: &mut Parser<'a, StrInput<'a>>,
) -> Result<Option<(Event<'a>, Span)>, SourceError> {
    parser.next_event().transpose().map_err(|error| {
        let marker = error.marker();
        let place = Place {
            line: marker.line(),
            column: marker.col() + 1,
        };
        SourceError::new(place, error.info(), "YAML")
    })
}

fn place_of(span: &Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// A list or an object that is not complete yet.
enum Open {
    List {
        items: Vec<Value>,
        anchor: usize,
        path: String,
        height: usize,
    },
    Object {
        members: Map<String, Value>,
        key: Option<String>,
        anchor: usize,
        path: String,
        height: usize,
    },
}

/// A value behind an anchor and what an alias to it costs.
struct Anchored {
    value: Value,
    values: usize,
    text_bytes: usize,
    /// Levels of nesting inside it.
    height: usize,
}

struct Loader {
    documents: Vec<Located>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    budget: Budget,
    root: Option<Located>,
    /// The line of the first value of the document.
    first_line: Option<usize>,
}

impl Loader {
    fn new() -> Self {
        Self {
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            budget: Budget::new(),
            root: None,
            first_line: None,
        }
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), SourceError> {
        if matches!(
            event,
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)
        ) {
            self.first_line.get_or_insert(place.line);
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match self.pending_path() {
                    Some(path) => self
                        .scalar(&text, style, tag.as_deref(), place)
                        .map_err(|error| error.at(&path))?,
                    None => self.key(&text, style, place)?,
                };
                self.complete(value, anchor, 0, place)
            }
            Event::SequenceStart(anchor, _) => {
                let path = self.begin(place)?;
                self.open.push(Open::List {
                    items: Vec::new(),
                    anchor,
                    path,
                    height: 1,
                });
                Ok(())
            }
            Event::MappingStart(anchor, _) => {
                let path = self.begin(place)?;
                self.open.push(Open::Object {
                    members: Map::new(),
                    key: None,
                    anchor,
                    path,
                    height: 1,
                });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List {
                    items,
                    anchor,
                    height,
                    ..
                }) => self.complete(Value::Array(items), anchor, height, place),
                Some(Open::Object {
                    members,
                    anchor,
                    height,
                    ..
                }) => self.complete(Value::Object(members), anchor, height, place),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::DocumentEnd => self.end_document(place),
            Event::StreamStart | Event::StreamEnd | Event::Nothing => Ok(()),
        }
    }

    fn end_document(&mut self, place: Place) -> Result<(), SourceError> {
        let Some(document) = self
            .root
            .take()
            .filter(|document| !document.value.is_null())
        else {
            return Ok(());
        };
        if self.documents.len() >= DOCUMENTS_MAX {
            return Err(SourceError::new(
                place,
                "more documents",
                format!("at most {DOCUMENTS_MAX}"),
            ));
        }
        self.documents.push(document);
        Ok(())
    }

    /// The path of the value that comes next; `None` if a key comes next.
    fn pending_path(&self) -> Option<String> {
        match self.open.last() {
            None => Some(String::new()),
            Some(Open::List { items, path, .. }) => Some(format!("{path}[{}]", items.len())),
            Some(Open::Object {
                key: Some(key),
                path,
                ..
            }) => Some(member_path(path, key)),
            Some(Open::Object { key: None, .. }) => None,
        }
    }

    /// Checks that a list or object may begin here, and gives its path.
    fn begin(&mut self, place: Place) -> Result<String, SourceError> {
        let Some(path) = self.pending_path() else {
            return Err(SourceError::new(
                place,
                "a list or object as a key",
                "a text as a key",
            ));
        };
        if self.open.len() >= DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} levels");
            return Err(SourceError::new(place, "a deeper nesting", expected).at(&path));
        }
        self.budget.spend(1, 0, place)?;
        Ok(path)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<Value, SourceError> {
        self.budget.spend(1, text.len(), place)?;
        let kind = tag
            .filter(|tag| tag.is_yaml_core_schema())
            .map(|tag| tag.suffix.as_str());
        match (kind, style) {
            (Some("str"), _) | (None, _) if kind.is_some() || style != ScalarStyle::Plain => {
                Ok(Value::from(text))
            }
            _ => scalar::plain(text).map_err(|expected| SourceError::new(place, text, expected)),
        }
    }

    /// A scalar as a key: always a text, whatever it looks like.
    fn key(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<Value, SourceError> {
        if text == "<<" && style == ScalarStyle::Plain {
            let expected = "members written out, or an alias as a value";
            return Err(SourceError::new(place, "a merge key", expected));
        }
        self.budget.spend(0, text.len(), place)?;
        Ok(Value::from(text))
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), SourceError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(SourceError::new(
                place,
                "an alias inside what it stands for",
                "a complete value",
            ));
        };
        if self.open.len() + anchored.height > DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} levels with aliases replaced");
            return Err(SourceError::new(place, "a deeper nesting", expected));
        }
        self.budget
            .spend(anchored.values, anchored.text_bytes, place)?;
        let (value, height) = (anchored.value.clone(), anchored.height);
        self.complete(value, 0, height, place)
    }

    /// Puts a complete value where it belongs.
    fn complete(
        &mut self,
        value: Value,
        anchor: usize,
        height: usize,
        place: Place,
    ) -> Result<(), SourceError> {
        if anchor > 0 {
            let (values, text_bytes) = weigh(&value);
            self.budget.spend(values, text_bytes, place)?;
            self.anchors.insert(
                anchor,
                Anchored {
                    value: value.clone(),
                    values,
                    text_bytes,
                    height,
                },
            );
        }
        match self.open.last_mut() {
            None => {
                let line = self.first_line.take().unwrap_or(place.line);
                self.root = Some(Located { value, line });
            }
            Some(Open::List {
                items, height: own, ..
            }) => {
                *own = (*own).max(height + 1);
                items.push(value);
            }
            Some(Open::Object {
                members,
                key,
                path,
                height: own,
                ..
            }) => match key.take() {
                Some(key) => {
                    *own = (*own).max(height + 1);
                    members.insert(key, value);
                }
                None => *key = Some(new_key(members, value, path, place)?),
            },
        }
        Ok(())
    }
}

/// The key that a value makes, which must be new.
fn new_key(
    members: &Map<String, Value>,
    value: Value,
    path: &str,
    place: Place,
) -> Result<String, SourceError> {
    let Value::String(key) = value else {
        return Err(SourceError::new(place, "a key that is no text", "a text as a key").at(path));
    };
    if members.contains_key(&key) {
        let error = SourceError::new(place, "a key that is there already", "each key once");
        return Err(error.at(&member_path(path, &key)));
    }
    Ok(key)
}

/// The number of values and the bytes of text in a value.
fn weigh(value: &Value) -> (usize, usize) {
    let add = |sum: (usize, usize), part: (usize, usize)| (sum.0 + part.0, sum.1 + part.1);
    match value {
        Value::String(text) => (1, text.len()),
        Value::Array(items) => items.iter().map(weigh).fold((1, 0), add),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| add(weigh(value), (0, key.len())))
            .fold((1, 0), add),
        Value::Null | Value::Bool(_) | Value::Number(_) => (1, 0),
    }
}
