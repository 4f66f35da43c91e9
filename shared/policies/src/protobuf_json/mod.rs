//! `protobuf-json`: makes JSON of a Protocol Buffers body, or Protocol Buffers data of a JSON body.

mod config;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{
    InlineProtobuf, JsonOptions, ProtobufConversion, ProtobufJsonConfig, ProtobufSource,
    ProtobufTarget, RegistryId, RegistryProtobuf, SchemaLocation, SerializationFormat,
};

use self::schema::Schema;
use crate::half::Half;
use crate::schema_registry::{RegisteredSchema as _, SchemaRegistry, unframed};

/// Key of the failure when body and schema do not fit.
pub const FAILURE_KEY: &str = "INVALID_PROTOBUF_TRANSFORMATION";
/// The id in the header of data whose schema is in no registry.
const INLINE_SCHEMA_ID: u32 = 1;

/// The kind of policy.
#[derive(Debug)]
pub struct ProtobufJson;

/// The part of a configuration that its direction asks for, with the names of its members.
struct Asked {
    member: &'static str,
    location: SchemaLocation,
    inline: (&'static str, InlineProtobuf),
    registry: (&'static str, RegistryProtobuf),
}

impl Asked {
    fn by(config: &ProtobufJsonConfig) -> Self {
        match config.conversion {
            ProtobufConversion::ProtobufToJson => {
                let source = config.protobuf_in.clone().unwrap_or_default();
                Self {
                    member: "protobufIn",
                    location: source.schema_location.unwrap_or_default(),
                    inline: ("inlineIn", source.inline_in.unwrap_or_default()),
                    registry: (
                        "schemaRegistryIn",
                        source.schema_registry_in.unwrap_or_default(),
                    ),
                }
            }
            ProtobufConversion::JsonToProtobuf => {
                let target = config.protobuf_out.clone().unwrap_or_default();
                Self {
                    member: "protobufOut",
                    location: target.schema_location.unwrap_or_default(),
                    inline: ("inlineOut", target.inline_out.unwrap_or_default()),
                    registry: (
                        "schemaRegistryOut",
                        target.schema_registry_out.unwrap_or_default(),
                    ),
                }
            }
        }
    }

    fn place(&self, part: &str, name: &str) -> String {
        format!("{}.{part}.{name}", self.member)
    }
}

impl PolicyKind for ProtobufJson {
    const NAME: &'static str = "protobuf-json";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = ProtobufJsonConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let asked = Asked::by(&config);
        let (schema, is_framed, id) = match asked.location {
            SchemaLocation::Inline => {
                let (part, inline) = &asked.inline;
                let place = asked.place(part, "schemaDefinition");
                let text = inline.schema_definition.as_deref().unwrap_or_default();
                if text.trim().is_empty() {
                    return Err(ConfigError::new(
                        place,
                        "nothing",
                        "the text of a .proto file",
                    ));
                }
                let schema = Schema::compile(text)
                    .map_err(|error| ConfigError::new(place, error, "the text of a .proto file"))?;
                let format = inline.serialization_format.unwrap_or_default();
                let is_framed = format == SerializationFormat::Confluent;
                (
                    Source::Inline(Arc::new(schema)),
                    is_framed,
                    INLINE_SCHEMA_ID,
                )
            }
            SchemaLocation::SchemaRegistry => {
                let (part, registry) = &asked.registry;
                let name = registry.resource_name.as_deref().unwrap_or_default().trim();
                if name.is_empty() {
                    let expected = "the name of a schema registry";
                    let place = asked.place(part, "resourceName");
                    return Err(ConfigError::new(place, "nothing", expected));
                }
                let id = registry.id.as_ref().and_then(|id| id.value);
                if id.is_none() && config.conversion == ProtobufConversion::JsonToProtobuf {
                    let place = asked.place(part, "id.value");
                    return Err(ConfigError::new(place, "nothing", "the id of a schema"));
                }
                let source = Source::Registry(SchemaRegistry::new(name));
                (source, true, id.unwrap_or(INLINE_SCHEMA_ID))
            }
        };
        let step = Step {
            schema,
            conversion: config.conversion,
            is_framed,
            id,
            json: config.json,
        };
        Ok(Compiled::asynchronous(step, Half::needs_in(ctx.phase)))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        let asked = Asked::by(config);
        if asked.location == SchemaLocation::Inline {
            return None;
        }
        let (part, registry) = &asked.registry;
        if registry.serialization_format == Some(SerializationFormat::Simple) {
            let expected = "confluent: the id of the schema stands in its header";
            let place = asked.place(part, "serializationFormat");
            return Some(ConfigError::new(place, "simple", expected));
        }
        let origin = registry.id.as_ref()?.origin.as_deref()?;
        (!origin.is_empty() && origin != "inline").then(|| {
            let place = asked.place(part, "id.origin");
            ConfigError::new(place, origin, "inline")
        })
    }
}

#[derive(Debug)]
struct Step {
    schema: Source,
    conversion: ProtobufConversion,
    is_framed: bool,
    id: u32,
    json: JsonOptions,
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
                let id = match self.conversion {
                    ProtobufConversion::ProtobufToJson => unframed(&body).map(|(id, _)| id),
                    ProtobufConversion::JsonToProtobuf => Some(self.id),
                };
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
            ProtobufConversion::ProtobufToJson => (
                schema.to_json(body, self.is_framed, &self.json),
                "application/json",
            ),
            ProtobufConversion::JsonToProtobuf => (
                schema.to_data(body, self.is_framed.then_some(self.id)),
                "application/x-protobuf",
            ),
        };
        match converted {
            Ok(converted) => {
                half.replace_body(exchange, Bytes::from(converted));
                let value = HeaderValue::from_static(content_type);
                match half.headers_mut(exchange).try_insert(CONTENT_TYPE, value) {
                    Ok(_) => Outcome::Continue,
                    Err(_full) => failure("too many headers".to_owned()),
                }
            }
            Err(cause) => failure(cause),
        }
    }
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(FAILURE_KEY)
            .with_message("Unable to transform the Protobuf content")
            .with_cause(cause),
    )
}
