//! JSON to binary data.

use serde_json::{Map, Value};

use super::schema::{Field, Node, Schema};
use super::{DEPTH_MAX, DataError, RESULT_BYTES_MAX};

/// Most values that are tried: a value may be tried once for each branch of each union around it.
const TRIES_MAX: usize = 2_000_000;

impl Schema {
    /// Writes JSON as binary data. Branches of unions may be named, as in the JSON encoding of Avro, or stand for
    /// themselves: then the first branch that fits is taken. Missing members take the default of their field, unknown
    /// ones are left out.
    ///
    /// # Errors
    /// The value does not fit the schema, or a limit.
    pub(crate) fn to_binary(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), DataError> {
        let mut writer = Writer {
            schema: self,
            out,
            tries: 0,
        };
        writer.value(self.root, value, 0).map_err(|mut error| {
            if let DataError::Expected { place, .. } = &mut error {
                *place = place.trim_start_matches('.').to_owned();
            }
            error
        })
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    out: &'a mut Vec<u8>,
    tries: usize,
}

fn expected(what: impl Into<String>) -> DataError {
    DataError::Expected {
        place: String::new(),
        expected: what.into(),
    }
}

/// Puts the place of a part before the place in it.
fn within(error: DataError, part: &str) -> DataError {
    match error {
        DataError::Expected { place, expected } => DataError::Expected {
            place: format!("{part}{place}"),
            expected,
        },
        other => other,
    }
}

impl Writer<'_> {
    fn value(&mut self, node: usize, value: &Value, depth: usize) -> Result<(), DataError> {
        self.tries += 1;
        if depth > DEPTH_MAX {
            return Err(DataError::Depth);
        }
        if self.out.len() > RESULT_BYTES_MAX || self.tries > TRIES_MAX {
            return Err(DataError::Size);
        }
        let schema = self.schema;
        let node = schema.nodes.get(node).ok_or(DataError::Invalid("type"))?;
        match (node, value) {
            (Node::Array(items), Value::Array(values)) => {
                self.block(values.len());
                for (index, value) in values.iter().enumerate() {
                    let written = self.value(*items, value, depth + 1);
                    written.map_err(|error| within(error, &format!("[{index}]")))?;
                }
                self.end(values.len());
            }
            (Node::Map(values), Value::Object(members)) => {
                self.block(members.len());
                for (name, value) in members {
                    self.sized(name.as_bytes());
                    let written = self.value(*values, value, depth + 1);
                    written.map_err(|error| within(error, &format!(".{name}")))?;
                }
                self.end(members.len());
            }
            (Node::Union(branches), value) => self.union(branches, value, depth)?,
            (Node::Record { fields, .. }, Value::Object(members)) => {
                for field in fields {
                    let written = self.field(field, members, depth + 1);
                    written.map_err(|error| within(error, &format!(".{}", field.name)))?;
                }
            }
            (scalar, value) => self.scalar(scalar, value)?,
        }
        Ok(())
    }

    fn scalar(&mut self, node: &Node, value: &Value) -> Result<(), DataError> {
        match (node, value) {
            (Node::Null, Value::Null) => {}
            (Node::Boolean, Value::Bool(flag)) => self.out.push(u8::from(*flag)),
            (Node::Int, Value::Number(number)) => {
                let number = number
                    .as_i64()
                    .and_then(|number| i32::try_from(number).ok());
                self.long(number.ok_or_else(|| expected("int"))?.into());
            }
            (Node::Long, Value::Number(number)) => {
                self.long(number.as_i64().ok_or_else(|| expected("long"))?);
            }
            (Node::Float, value) => {
                let number = float(value).ok_or_else(|| expected("float"))?;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a float is what is asked for"
                )]
                self.out.extend_from_slice(&(number as f32).to_le_bytes());
            }
            (Node::Double, value) => {
                let number = float(value).ok_or_else(|| expected("double"))?;
                self.out.extend_from_slice(&number.to_le_bytes());
            }
            (Node::Bytes, Value::String(text)) => {
                let bytes = latin(text).ok_or_else(|| expected("characters up to U+00FF"))?;
                self.sized(&bytes);
            }
            (Node::Text, Value::String(text)) => self.sized(text.as_bytes()),
            (Node::Fixed { size, .. }, Value::String(text)) => {
                let bytes = latin(text).filter(|bytes| bytes.len() == *size);
                let bytes =
                    bytes.ok_or_else(|| expected(format!("{size} characters up to U+00FF")))?;
                self.out.extend_from_slice(&bytes);
            }
            (Node::Enum { symbols, .. }, Value::String(text)) => {
                let index = symbols.iter().position(|symbol| symbol == text);
                let index = index.and_then(|index| i64::try_from(index).ok());
                self.long(index.ok_or_else(|| expected(format!("one of {}", symbols.join(", "))))?);
            }
            (node, _) => return Err(expected(node.name())),
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Result<(), DataError> {
        if let Some(value) = members.get(&*field.name) {
            return self.value(field.node, value, depth);
        }
        let default = field.default.as_ref().ok_or_else(|| expected("a value"))?;
        match self.schema.nodes.get(field.node) {
            // The default of a union is one of its first branch.
            Some(Node::Union(branches)) => {
                let first = branches
                    .first()
                    .ok_or(DataError::Invalid("branch of a union"))?;
                self.long(0);
                self.value(*first, default, depth)
            }
            _ => self.value(field.node, default, depth),
        }
    }

    fn union(&mut self, branches: &[usize], value: &Value, depth: usize) -> Result<(), DataError> {
        let schema = self.schema;
        let numbered = || (0_i64..).zip(branches.iter().copied());
        let named = value.as_object().filter(|members| members.len() == 1);
        if let Some((name, inner)) = named.and_then(|members| members.iter().next()) {
            let is_named = |(_, branch): &(i64, usize)| {
                let node = schema.nodes.get(*branch);
                node.is_some_and(|node| node.name() == name)
            };
            if let Some((index, branch)) = numbered().find(is_named) {
                self.long(index);
                return self.value(branch, inner, depth + 1);
            }
        }
        let start = self.out.len();
        for (index, branch) in numbered() {
            self.long(index);
            match self.value(branch, value, depth + 1) {
                Err(DataError::Expected { .. }) => self.out.truncate(start),
                written => return written,
            }
        }
        let names = branches
            .iter()
            .filter_map(|branch| schema.nodes.get(*branch));
        let names: Vec<&str> = names.map(Node::name).collect();
        Err(expected(format!("one of {}", names.join(", "))))
    }

    fn long(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.out
                .push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
            rest >>= 7;
        }
        self.out.push(u8::try_from(rest).unwrap_or_default());
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.block(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn block(&mut self, length: usize) {
        self.long(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// Items end with an empty block, which the only block of none is already.
    fn end(&mut self, count: usize) {
        if count > 0 {
            self.long(0);
        }
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" | "INF" => Some(f64::INFINITY),
            "-Infinity" | "-INF" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The bytes of a text in which each character stands for one.
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}
