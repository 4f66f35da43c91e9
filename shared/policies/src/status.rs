//! A status in a configuration; exported definitions write it as text.

use std::borrow::Cow;

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A status from 200 to 599, as a number or as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub StatusCode);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        let number = match Written::deserialize(deserializer) {
            Ok(Written::Number(number)) => Some(number),
            Ok(Written::Text(text)) => text.trim().parse().ok(),
            Err(_) => None,
        };
        number
            .filter(|number| (200..=599).contains(number))
            .and_then(|number| StatusCode::from_u16(number).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("a status from 200 to 599"))
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": 200, "maximum": 599},
                {"type": "string", "pattern": "^\\s*[2-5][0-9][0-9]\\s*$"}
            ]
        })
    }
}
