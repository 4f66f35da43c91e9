//! Configuration of `mock`.

use std::borrow::Cow;

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::configuration::null_as_default;
use crate::header::HeaderConfig;

/// Answers with a fixed response instead of calling an endpoint.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MockConfig {
    /// Status of the response, from 200 to 599, as a number or as text.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<MockStatus>")]
    pub status: MockStatus,
    /// Headers of the response.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderConfig>>")]
    pub headers: Vec<HeaderConfig>,
    /// Body of the response, with expressions.
    pub content: Option<String>,
}

/// Status of a mock response; 200 if nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct MockStatus(pub(super) StatusCode);

impl<'de> Deserialize<'de> for MockStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        let number = match Written::deserialize(deserializer)? {
            Written::Number(number) => Some(number),
            Written::Text(text) => text.trim().parse().ok(),
        };
        number
            .filter(|number| (200..=599).contains(number))
            .and_then(|number| StatusCode::from_u16(number).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("a status from 200 to 599"))
    }
}

impl JsonSchema for MockStatus {
    fn schema_name() -> Cow<'static, str> {
        "MockStatus".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": 200, "maximum": 599},
                {"type": "string", "pattern": "^\\s*[2-5][0-9][0-9]\\s*$"}
            ],
            "default": 200
        })
    }
}
