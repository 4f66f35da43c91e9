//! Configuration of `protobuf-json`.

use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::avro_json::{SchemaLocation, SerializationFormat};
use crate::configuration::null_as_default;

/// Makes JSON of Protocol Buffers data, or the other way round.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtobufJsonConfig {
    /// What becomes what.
    pub conversion: ProtobufConversion,
    /// The schema of data that becomes JSON.
    #[serde(default)]
    pub protobuf_in: Option<ProtobufSource>,
    /// The schema of data that is made of JSON.
    #[serde(default)]
    pub protobuf_out: Option<ProtobufTarget>,
    /// How JSON is written.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<JsonOptions>")]
    pub json: JsonOptions,
}

/// The directions of the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProtobufConversion {
    /// Protocol Buffers data becomes JSON.
    ProtobufToJson,
    /// JSON becomes Protocol Buffers data.
    JsonToProtobuf,
}

/// The schema of data that becomes JSON.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProtobufSource {
    /// Where the schema is; in the configuration if nothing is said.
    pub schema_location: Option<SchemaLocation>,
    /// The schema, if it is in the configuration.
    pub inline_in: Option<InlineProtobuf>,
    /// The registry, if the schema is there.
    pub schema_registry_in: Option<RegistryProtobuf>,
}

/// The schema of data that is made of JSON.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProtobufTarget {
    /// Where the schema is; in the configuration if nothing is said.
    pub schema_location: Option<SchemaLocation>,
    /// The schema, if it is in the configuration.
    pub inline_out: Option<InlineProtobuf>,
    /// The registry, if the schema is there.
    pub schema_registry_out: Option<RegistryProtobuf>,
}

/// A schema in the configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InlineProtobuf {
    /// The text of a `.proto` file. Data is its first message, unless the header names another.
    pub schema_definition: Option<String>,
    /// What stands before the data; the header of Confluent if nothing is said.
    pub serialization_format: Option<SerializationFormat>,
    /// Read and without effect: the schema is compiled anyway.
    pub normalize_schema: Option<bool>,
}

/// A schema in a registry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryProtobuf {
    /// Name of the schema registry among the resources of the API.
    pub resource_name: Option<String>,
    /// What stands before the data; only the header of Confluent names a schema.
    pub serialization_format: Option<SerializationFormat>,
    /// The id of the schema for data that is made.
    pub id: Option<RegistryId>,
}

/// The id of a schema.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryId {
    /// Where the id is; only `inline` is known.
    pub origin: Option<String>,
    /// The id.
    pub value: Option<u32>,
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of the configuration, each on its own"
)]
pub struct JsonOptions {
    /// Whether fields with their default value are written.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub including_default_value_fields: bool,
    /// Whether names are those of the schema instead of `lowerCamelCase`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub preserving_proto_field_names: bool,
    /// Read and without effect: keys of maps are always sorted.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub sorting_map_keys: bool,
    /// Whether JSON is written without line breaks and blanks.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub omitting_insignificant_whitespace: bool,
}
