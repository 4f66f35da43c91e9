//! Binary data to JSON.

use super::schema::{Node, Schema};
use super::{DEPTH_MAX, DataError, RESULT_BYTES_MAX};

impl Schema {
    /// Writes binary data as JSON, in the JSON encoding of Avro.
    ///
    /// # Errors
    /// The data does not fit the schema, or a limit.
    pub(crate) fn to_json(&self, data: &[u8]) -> Result<String, DataError> {
        let mut reader = Reader {
            schema: self,
            rest: data,
            out: String::new(),
        };
        reader.value(self.root, 0)?;
        match reader.rest.len() {
            0 => Ok(reader.out),
            more => Err(DataError::Rest(more)),
        }
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
    out: String,
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: usize, depth: usize) -> Result<(), DataError> {
        if depth > DEPTH_MAX {
            return Err(DataError::Depth);
        }
        // Every value writes at least a character, so that this bounds the work as well.
        if self.out.len() > RESULT_BYTES_MAX {
            return Err(DataError::Size);
        }
        let node = self
            .schema
            .nodes
            .get(node)
            .ok_or(DataError::Invalid("type"))?;
        match node {
            Node::Array(items) => {
                self.blocks(['[', ']'], |reader| reader.value(*items, depth + 1))?
            }
            Node::Map(values) => self.blocks(['{', '}'], |reader| {
                let key = reader.text()?;
                reader.quoted(key);
                reader.out.push(':');
                reader.value(*values, depth + 1)
            })?,
            Node::Union(branches) => self.union(branches, depth)?,
            Node::Record { fields, .. } => {
                self.out.push('{');
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.quoted(&field.name);
                    self.out.push(':');
                    self.value(field.node, depth + 1)?;
                }
                self.out.push('}');
            }
            scalar => self.scalar(scalar)?,
        }
        Ok(())
    }

    fn scalar(&mut self, node: &Node) -> Result<(), DataError> {
        match node {
            Node::Null => self.out.push_str("null"),
            Node::Boolean => {
                let text = match self.bytes(1)? {
                    [0] => "false",
                    [1] => "true",
                    _ => return Err(DataError::Invalid("boolean")),
                };
                self.out.push_str(text);
            }
            Node::Int => {
                let number = i32::try_from(self.long()?);
                let number = number.map_err(|_large| DataError::Invalid("int"))?;
                self.out.push_str(&number.to_string());
            }
            Node::Long => {
                let number = self.long()?;
                self.out.push_str(&number.to_string());
            }
            Node::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.float(f64::from(number), &number.to_string());
            }
            Node::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.float(number, &number.to_string());
            }
            Node::Bytes => {
                let length = self.length()?;
                self.latin(length)?;
            }
            Node::Text => {
                let text = self.text()?;
                self.quoted(text);
            }
            Node::Fixed { size, .. } => self.latin(*size)?,
            Node::Enum { symbols, .. } => {
                let symbol = usize::try_from(self.long()?).ok();
                let symbol = symbol.and_then(|index| symbols.get(index));
                let symbol = symbol.ok_or(DataError::Invalid("symbol of an enum"))?;
                self.quoted(symbol);
            }
            Node::Array(_) | Node::Map(_) | Node::Union(_) | Node::Record { .. } => {
                return Err(DataError::Invalid("type"));
            }
        }
        Ok(())
    }

    /// Null stands for itself, every other branch in an object with its name.
    fn union(&mut self, branches: &[usize], depth: usize) -> Result<(), DataError> {
        let index = usize::try_from(self.long()?).ok();
        let branch = index.and_then(|index| branches.get(index)).copied();
        let branch = branch.ok_or(DataError::Invalid("branch of a union"))?;
        match self.schema.nodes.get(branch) {
            Some(Node::Null) => self.out.push_str("null"),
            Some(node) => {
                self.out.push('{');
                self.quoted(node.name());
                self.out.push(':');
                self.value(branch, depth + 1)?;
                self.out.push('}');
            }
            None => return Err(DataError::Invalid("type")),
        }
        Ok(())
    }

    /// Blocks of items: a count, negative if the size of the block follows, until a count of zero.
    fn blocks(
        &mut self,
        [open, close]: [char; 2],
        mut item: impl FnMut(&mut Self) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        self.out.push(open);
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !is_first {
                    self.out.push(',');
                }
                is_first = false;
                item(self)?;
            }
        }
        self.out.push(close);
        Ok(())
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DataError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DataError::CutOff)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DataError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(DataError::CutOff)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A zig-zag number of 1 to 10 bytes.
    fn long(&mut self) -> Result<i64, DataError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(DataError::Invalid("number of 64 bits"))
    }

    fn length(&mut self) -> Result<usize, DataError> {
        usize::try_from(self.long()?).map_err(|_negative| DataError::Invalid("length"))
    }

    fn text(&mut self) -> Result<&'a str, DataError> {
        let length = self.length()?;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|_invalid| DataError::Invalid("UTF-8 text"))
    }

    /// Bytes are written as text in which each character stands for a byte.
    fn latin(&mut self, length: usize) -> Result<(), DataError> {
        let text: String = self
            .bytes(length)?
            .iter()
            .copied()
            .map(char::from)
            .collect();
        self.quoted(&text);
        Ok(())
    }

    /// JSON has no number for what is not finite; Avro's own library writes its name.
    fn float(&mut self, number: f64, text: &str) {
        if number.is_finite() {
            self.out.push_str(text);
            // A whole number keeps its type.
            if !text.contains(['.', 'e']) {
                self.out.push_str(".0");
            }
        } else if number.is_nan() {
            self.out.push_str("\"NaN\"");
        } else if number > 0.0 {
            self.out.push_str("\"Infinity\"");
        } else {
            self.out.push_str("\"-Infinity\"");
        }
    }

    fn quoted(&mut self, text: &str) {
        // Writing text as JSON cannot fail.
        self.out
            .push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}
