//! `avro-json`: makes JSON of an Avro body, or Avro data of a JSON body.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{AvroConversion, AvroJsonConfig, SchemaLocation, SerializationFormat};

use crate::avro::Schema;
use crate::half::Half;
use crate::schema_registry::{SchemaRegistry, framed, unframed};

/// Key of the failure when body and schema do not fit.
pub const FAILURE_KEY: &str = "INVALID_AVRO_TRANSFORMATION";
/// The id in the header of data whose schema is in no registry.
const INLINE_SCHEMA_ID: u32 = 1;

/// The kind of policy.
#[derive(Debug)]
pub struct AvroJson;

impl PolicyKind for AvroJson {
    const NAME: &'static str = "avro-json";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = AvroJsonConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let schema = match config.schema_location.unwrap_or_default() {
            SchemaLocation::Inline => {
                let text = config.schema_definition.as_deref().unwrap_or_default();
                if text.trim().is_empty() {
                    return Err(ConfigError::new(
                        "schemaDefinition",
                        "nothing",
                        "an Avro schema",
                    ));
                }
                let schema = Schema::compile(text).map_err(|error| {
                    ConfigError::new("schemaDefinition", error.to_string(), "an Avro schema")
                })?;
                Source::Inline(Arc::new(schema))
            }
            SchemaLocation::SchemaRegistry => {
                let name = config.resource_name.as_deref().unwrap_or_default().trim();
                if name.is_empty() {
                    let expected = "the name of a schema registry";
                    return Err(ConfigError::new("resourceName", "nothing", expected));
                }
                Source::Registry(SchemaRegistry::new(name))
            }
        };
        let step = Step {
            schema,
            conversion: config.conversion,
            is_framed: config.serialization_format.unwrap_or_default()
                == SerializationFormat::Confluent,
        };
        Ok(Compiled::asynchronous(step, Half::needs_in(ctx.phase)))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        if config.schema_location.unwrap_or_default() == SchemaLocation::Inline {
            return None;
        }
        if config.conversion == AvroConversion::JsonToAvro {
            let expected = "avro-to-json: only data names its schema in a registry";
            return Some(ConfigError::new("conversion", "json-to-avro", expected));
        }
        let is_simple = config.serialization_format == Some(SerializationFormat::Simple);
        is_simple.then(|| {
            let expected = "confluent: the id of the schema stands in its header";
            ConfigError::new("serializationFormat", "simple", expected)
        })
    }
}

#[derive(Debug)]
struct Step {
    schema: Source,
    conversion: AvroConversion,
    is_framed: bool,
}

#[derive(Debug)]
enum Source {
    Inline(Arc<Schema>),
    Registry(SchemaRegistry<Schema>),
}

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.apply(exchange, services, Half::Request)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.apply(exchange, services, Half::Response)
    }
}

impl Step {
    fn apply<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        half: Half,
    ) -> Progress<'a> {
        let Some(body) = half.body(exchange).cloned() else {
            return Progress::CONTINUE;
        };
        match &self.schema {
            Source::Inline(schema) => Progress::Done(self.convert(exchange, half, &body, schema)),
            Source::Registry(registry) => Progress::waiting(async move {
                let id = unframed(&body).map(|(id, _)| id);
                let schema = match id {
                    Some(id) => registry.schema(id, exchange, services).await,
                    None => Err("no header with the id of a schema".to_owned()),
                };
                match schema {
                    Ok(schema) => self.convert(exchange, half, &body, &schema),
                    Err(cause) => failure(cause),
                }
            }),
        }
    }

    fn convert(
        &self,
        exchange: &mut Exchange,
        half: Half,
        body: &Bytes,
        schema: &Schema,
    ) -> Outcome {
        let (converted, content_type) = match self.conversion {
            AvroConversion::AvroToJson => (self.to_json(body, schema), "application/json"),
            AvroConversion::JsonToAvro => (self.to_avro(body, schema), "application/avro"),
        };
        match converted {
            Ok(converted) => {
                half.replace_body(exchange, converted);
                let value = HeaderValue::from_static(content_type);
                match half.headers_mut(exchange).try_insert(CONTENT_TYPE, value) {
                    Ok(_) => Outcome::Continue,
                    Err(_full) => failure("too many headers".to_owned()),
                }
            }
            Err(cause) => failure(cause),
        }
    }

    fn to_json(&self, body: &Bytes, schema: &Schema) -> Result<Bytes, String> {
        let data = match self.is_framed {
            true => unframed(body).ok_or("no header with the id of a schema")?.1,
            false => body,
        };
        let json = schema.to_json(data).map_err(|error| error.to_string())?;
        Ok(Bytes::from(json))
    }

    fn to_avro(&self, body: &Bytes, schema: &Schema) -> Result<Bytes, String> {
        let value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut out = match self.is_framed {
            true => framed(INLINE_SCHEMA_ID),
            false => Vec::new(),
        };
        schema
            .to_binary(&value, &mut out)
            .map_err(|error| error.to_string())?;
        Ok(Bytes::from(out))
    }
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(FAILURE_KEY)
            .with_message("Unable to transform the Avro content")
            .with_cause(cause),
    )
}
