//! Attributes that a policy sets from what it received, and the variable by which expressions see it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_expression::{
    Ambient, Lookup, Needs, Scope, Segment, Template, Text, Value, ValueMap,
};
use tidegate_policy::{ConfigError, Exchange};

/// An attribute with its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VariableConfig {
    /// Name of the attribute.
    pub name: String,
    /// Value with expressions, set as text; null removes the attribute.
    #[serde(default)]
    pub value: Option<String>,
}

/// Attributes to set, in order.
#[derive(Debug)]
pub(crate) struct Variables(Box<[(Text, Option<Template>)]>);

impl Variables {
    /// Compiles the variables of the list at `path`; one without a name is left out.
    pub(crate) fn compile(
        variables: &[VariableConfig],
        path: &str,
    ) -> Result<(Self, Needs), ConfigError> {
        let mut needs = Needs::NONE;
        let mut compiled = Vec::with_capacity(variables.len());
        for (index, variable) in variables.iter().enumerate() {
            let name = variable.name.trim();
            if name.is_empty() {
                continue;
            }
            let value = match &variable.value {
                None => None,
                Some(source) => {
                    let place = format!("{path}[{index}].value");
                    let template = ConfigError::template(place, source)?;
                    needs |= template.needs();
                    Some(template)
                }
            };
            compiled.push((Text::from(name), value));
        }
        Ok((Self(compiled.into()), needs))
    }

    /// Tells whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the attributes; each value sees `variable` and the attributes set before it.
    pub(crate) fn set(&self, exchange: &mut Exchange, variable: &Variable) -> Result<(), String> {
        for (name, template) in &self.0 {
            let value = match template {
                None => Value::Null,
                Some(template) => template
                    .evaluate(&variable.beside(exchange))
                    .map_err(|error| format!("variable {name}: {error}"))?
                    .to_text()
                    .into(),
            };
            if !exchange.attributes.set(name, value) {
                return Err("too many attributes".to_owned());
            }
        }
        Ok(())
    }
}

/// A variable that only the expressions of one policy see.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    name: &'static str,
    value: Value,
}

impl Variable {
    /// Names a value.
    pub(crate) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self {
            name,
            value: value.into(),
        }
    }

    /// Names a response: `status`, `headers` and `content`.
    pub(crate) fn response(name: &'static str, response: &http::Response<Bytes>) -> Self {
        let mut map = ValueMap::new();
        map.insert("status", response.status().as_u16());
        map.insert("headers", headers(response.headers()));
        map.insert("content", String::from_utf8_lossy(response.body()).as_ref());
        Self::new(name, map)
    }

    /// The scope of the exchange with this variable.
    pub(crate) fn beside<'s>(&'s self, exchange: &'s Exchange) -> Beside<'s> {
        Beside {
            variable: self,
            exchange,
        }
    }
}

/// Headers as expressions see them: name in any case, list of values.
pub(crate) fn headers(headers: &HeaderMap) -> ValueMap {
    let mut map = ValueMap::ignoring_case();
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).as_ref().into());
        map.insert(name.as_str(), Value::list(values));
    }
    map
}

/// An exchange and one more variable.
#[derive(Debug)]
pub(crate) struct Beside<'s> {
    variable: &'s Variable,
    exchange: &'s Exchange,
}

impl Scope for Beside<'_> {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        if variable != self.variable.name {
            return self.exchange.lookup(variable, path);
        }
        // One member at a time, so that a long body is not walked for a status.
        if let (Value::Map(map), Some(key)) =
            (&self.variable.value, path.first().and_then(Segment::as_key))
        {
            return Lookup::found(Arc::as_ref(map).get(key).cloned(), 1);
        }
        Lookup::found(self.variable.value.clone(), 0)
    }

    fn ambient(&self) -> &dyn Ambient {
        self.exchange.ambient()
    }
}
