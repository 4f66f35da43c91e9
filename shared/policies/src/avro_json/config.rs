//! Configuration of `avro-json`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Makes JSON of Avro data, or Avro data of JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvroJsonConfig {
    /// What becomes what.
    pub conversion: AvroConversion,
    /// Where the schema is; in the configuration if nothing is said.
    #[serde(default)]
    pub schema_location: Option<SchemaLocation>,
    /// The schema, if it is in the configuration.
    #[serde(default)]
    pub schema_definition: Option<String>,
    /// What stands before the data; the header of Confluent if nothing is said.
    #[serde(default)]
    pub serialization_format: Option<SerializationFormat>,
    /// Name of the schema registry among the resources of the API.
    #[serde(default)]
    pub resource_name: Option<String>,
}

/// The directions of the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AvroConversion {
    /// Avro data becomes JSON.
    AvroToJson,
    /// JSON becomes Avro data.
    JsonToAvro,
}

/// Where a schema is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaLocation {
    /// In the configuration.
    #[default]
    Inline,
    /// In a schema registry, under the id that stands before the data.
    SchemaRegistry,
}

/// What stands before the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SerializationFormat {
    /// Nothing.
    Simple,
    /// A zero byte and four bytes with the id of the schema.
    #[default]
    Confluent,
}
