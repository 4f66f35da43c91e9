//! Schemas of a registry, and the header of Confluent that names them before the data: a zero byte and four bytes
//! with the id, most significant first.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tidegate_policy::{Exchange, Services};

/// Bytes of the header.
const HEADER_BYTES: usize = 5;
/// Schemas a step keeps: an id never changes its meaning, but clients choose ids.
const SCHEMAS_MAX: usize = 256;

/// What can be made of the text of a schema.
pub(crate) trait RegisteredSchema: Sized {
    /// Compiles the text of a schema.
    ///
    /// # Errors
    /// Says what is wrong with it.
    fn compile(text: &str) -> Result<Self, String>;
}

impl RegisteredSchema for crate::avro::Schema {
    fn compile(text: &str) -> Result<Self, String> {
        Self::compile(text).map_err(|error| error.to_string())
    }
}

/// A schema registry among the resources of an API, with the schemas that were fetched from it.
pub(crate) struct SchemaRegistry<S> {
    resource: String,
    known: Mutex<HashMap<u32, Arc<S>>>,
}

impl<S> fmt::Debug for SchemaRegistry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaRegistry")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl<S: RegisteredSchema> SchemaRegistry<S> {
    pub(crate) fn new(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            known: Mutex::default(),
        }
    }

    /// Returns the schema of an id, from the registry when it is met first.
    ///
    /// # Errors
    /// Says why there is none.
    pub(crate) async fn schema(
        &self,
        id: u32,
        exchange: &Exchange,
        services: &Services,
    ) -> Result<Arc<S>, String> {
        if let Some(known) = self.known.lock().get(&id) {
            return Ok(Arc::clone(known));
        }
        let provider = exchange.api.resources.content(&self.resource);
        let provider = provider.map_err(|error| error.to_string())?;
        let answer = provider.fetch(&format!("schemas/ids/{id}"), services).await;
        let answer = answer.map_err(|error| format!("schema {id}: {error}"))?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_no_json| format!("schema {id}: the registry answers no JSON"))?;
        if answer
            .get("references")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
        {
            return Err(format!("schema {id}: it refers to other schemas"));
        }
        let text = answer.get("schema").and_then(Value::as_str);
        let text = text.ok_or_else(|| format!("schema {id}: the registry answers no schema"))?;
        let schema = Arc::new(S::compile(text).map_err(|error| format!("schema {id}: {error}"))?);
        let mut known = self.known.lock();
        if known.len() >= SCHEMAS_MAX {
            known.clear();
        }
        known.insert(id, Arc::clone(&schema));
        Ok(schema)
    }
}

/// The id in the header before the data, and the data.
pub(crate) fn unframed(body: &[u8]) -> Option<(u32, &[u8])> {
    let (header, data) = body.split_first_chunk::<HEADER_BYTES>()?;
    let [0, id @ ..] = header else {
        return None;
    };
    Some((u32::from_be_bytes(*id), data))
}

/// A header for the id of a schema.
pub(crate) fn framed(id: u32) -> Vec<u8> {
    let mut header = vec![0];
    header.extend_from_slice(&id.to_be_bytes());
    header
}
