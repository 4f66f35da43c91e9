//! Compiled schemas, the header before data, and values as JSON in the mapping of Protocol Buffers
//! (<https://protobuf.dev/programming-guides/json/>).

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor,
    SerializeOptions,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::{Map, Value};

use super::config::JsonOptions;
use crate::schema_registry::{RegisteredSchema, framed, unframed};

/// Longest text of a schema, in bytes.
const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of a schema: its compiler descends with it.
const SOURCE_DEPTH_MAX: usize = 50;
/// Longest data, in bytes. In memory a value takes many times what it takes in a packed list.
const DATA_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest result, in bytes.
const RESULT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most steps from a file to a nested message.
const INDEXES_MAX: u64 = 16;
/// The name under which the text of a schema is compiled.
const FILE: &str = "schema.proto";

/// A compiled `.proto` file with at least one message.
#[derive(Debug)]
pub(super) struct Schema {
    messages: Box<[MessageDescriptor]>,
}

/// Gives the one file that is compiled; the standard files are known to the compiler.
struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == FILE {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

impl RegisteredSchema for Schema {
    fn compile(text: &str) -> Result<Self, String> {
        if text.len() > SOURCE_BYTES_MAX {
            return Err(format!("a text of more than {SOURCE_BYTES_MAX} bytes"));
        }
        if depth(text) > SOURCE_DEPTH_MAX {
            return Err(format!("more than {SOURCE_DEPTH_MAX} levels"));
        }
        let mut resolver = ChainFileResolver::new();
        resolver.add(Source(text.to_owned()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler
            .open_file(FILE)
            .map_err(|error| error.to_string())?;
        let pool: DescriptorPool = compiler.descriptor_pool();
        let file = pool.get_file_by_name(FILE).ok_or("no file")?;
        let messages: Box<[MessageDescriptor]> = file.messages().collect();
        if messages.is_empty() {
            return Err("no message".to_owned());
        }
        Ok(Self { messages })
    }
}

/// Deepest nesting of brackets, also of those in comments and texts.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' | b'<' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Schema {
    /// Writes data as JSON.
    pub(super) fn to_json(
        &self,
        body: &[u8],
        is_framed: bool,
        options: &JsonOptions,
    ) -> Result<Vec<u8>, String> {
        let (message, data) = match is_framed {
            true => self.message(body)?,
            false => (self.first()?, body),
        };
        if data.len() > DATA_BYTES_MAX {
            return Err(format!("more than {DATA_BYTES_MAX} bytes"));
        }
        let value =
            DynamicMessage::decode(message.clone(), data).map_err(|error| error.to_string())?;
        let settings = SerializeOptions::new()
            .skip_default_fields(!options.including_default_value_fields)
            .use_proto_field_name(options.preserving_proto_field_names);
        let mut json = value
            .serialize_with_options(serde_json::value::Serializer, &settings)
            .map_err(|error| error.to_string())?;
        sort_maps(&mut json, &message);
        let text = match options.omitting_insignificant_whitespace {
            true => serde_json::to_vec(&json),
            false => serde_json::to_vec_pretty(&json),
        };
        let text = text.map_err(|error| error.to_string())?;
        if text.len() > RESULT_BYTES_MAX {
            return Err(format!("more than {RESULT_BYTES_MAX} bytes of JSON"));
        }
        Ok(text)
    }

    /// Writes JSON as data of the first message, behind a header with `id` if there is one.
    pub(super) fn to_data(&self, body: &[u8], id: Option<u32>) -> Result<Vec<u8>, String> {
        if body.len() > DATA_BYTES_MAX {
            return Err(format!("more than {DATA_BYTES_MAX} bytes"));
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let options = DeserializeOptions::new().deny_unknown_fields(false);
        let message = self.first()?;
        let value = DynamicMessage::deserialize_with_options(message, &mut json, &options)
            .map_err(|error| error.to_string())?;
        json.end().map_err(|error| error.to_string())?;
        let mut out = id.map(framed).unwrap_or_default();
        if id.is_some() {
            // The list of indexes that means the first message.
            out.push(0);
        }
        value.encode(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    fn first(&self) -> Result<MessageDescriptor, String> {
        self.messages
            .first()
            .cloned()
            .ok_or_else(|| "no message".to_owned())
    }

    /// The message that the header names, and the data. Behind the id stands a list of indexes, from the file to the
    /// message; none means the first.
    fn message<'b>(&self, body: &'b [u8]) -> Result<(MessageDescriptor, &'b [u8]), String> {
        let no_header = || "no header with the id of a schema".to_owned();
        let (_, mut rest) = unframed(body).ok_or_else(no_header)?;
        let mut next = || index(&mut rest).ok_or_else(no_header);
        let count = next()?;
        if count > INDEXES_MAX {
            return Err("too many indexes".to_owned());
        }
        let mut message = None;
        for _ in 0..count {
            let index = usize::try_from(next()?).unwrap_or(usize::MAX);
            let found = match message {
                None => self.messages.get(index).cloned(),
                Some(outer) => nested(&outer, index),
            };
            message = Some(found.ok_or("a message that the schema does not have")?);
        }
        match message {
            Some(message) => Ok((message, rest)),
            None => Ok((self.first()?, rest)),
        }
    }
}

/// A message within another; the entries of maps, which no file spells out, do not count.
fn nested(outer: &MessageDescriptor, index: usize) -> Option<MessageDescriptor> {
    let mut spelled = outer.child_messages().filter(|inner| !inner.is_map_entry());
    spelled.nth(index)
}

/// A zig-zag number that is not negative.
fn index(bytes: &mut &[u8]) -> Option<u64> {
    let number = prost::encoding::decode_varint(bytes).ok()?;
    (number & 1 == 0).then_some(number >> 1)
}

/// Sorts the keys of maps, which have no order in the data.
fn sort_maps(json: &mut Value, message: &MessageDescriptor) {
    // Well-known types have forms of their own.
    if message.full_name().starts_with("google.protobuf.") {
        return;
    }
    let Value::Object(members) = json else { return };
    for (name, value) in members.iter_mut() {
        let field = message
            .get_field_by_json_name(name)
            .or_else(|| message.get_field_by_name(name));
        if let Some(field) = field {
            sort_field(value, &field);
        }
    }
}

fn sort_field(value: &mut Value, field: &FieldDescriptor) {
    let Kind::Message(message) = field.kind() else {
        return;
    };
    match value {
        Value::Object(entries) if field.is_map() => {
            let mut sorted: Vec<(String, Value)> = std::mem::take(entries).into_iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            if let Kind::Message(inner) = message.map_entry_value_field().kind() {
                for (_, value) in &mut sorted {
                    sort_maps(value, &inner);
                }
            }
            *entries = Map::from_iter(sorted);
        }
        Value::Array(items) => {
            for item in items {
                sort_maps(item, &message);
            }
        }
        value => sort_maps(value, &message),
    }
}
