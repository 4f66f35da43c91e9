//! What a script is given and what it gives back, as JSON.

use std::collections::BTreeMap;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use tidegate_expression::{Text, Value};
use tidegate_policy::{Exchange, Failure};

use crate::json::to_json;

/// Names of facts that scripts read as attributes.
const FACTS: [&str; 8] = [
    "api",
    "api.name",
    "application",
    "context-path",
    "environment",
    "organization",
    "plan",
    "user-id",
];

/// What a script changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    /// Value of the script as text.
    pub(super) value: Option<String>,
    is_failed: bool,
    code: i64,
    error: Option<String>,
    key: Option<String>,
    content_type: Option<String>,
    request_headers: Option<Vec<(String, String)>>,
    response_headers: Option<Vec<(String, String)>>,
    status: Option<i64>,
    attributes: BTreeMap<String, Json>,
    removed: Vec<String>,
}

/// Writes what a script sees of an exchange.
pub(super) fn input(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let query = request.query.parameters().iter();
    let query = query.map(|parameter| {
        let value = parameter.value.as_deref().unwrap_or_default();
        (parameter.name.as_str(), value)
    });
    let path = request.path_parameters.iter();
    let path = path.map(|parameter| (&*parameter.name, parameter.value.as_str()));
    let attributes: Map<String, Json> = exchange
        .attributes
        .iter()
        .map(|(name, value)| (name.to_string(), to_json(value)))
        .collect();
    let facts: Map<String, Json> = FACTS
        .iter()
        .map(|name| ((*name).to_owned(), to_json(&exchange.attribute(name))))
        .collect();
    json!({
        "request": {
            "id": request.id.as_str(),
            "transactionId": request.transaction_id.as_str(),
            "uri": request.path.uri(),
            "path": request.path.raw(),
            "pathInfo": request.path.info(),
            "contextPath": request.path.context_path(),
            "method": request.method.as_str(),
            "scheme": request.scheme,
            "host": request.host(),
            "version": format!("{:?}", request.version),
            "timestamp": request.timestamp_ms,
            "remoteAddress": request.remote_address.to_string(),
            "localAddress": request.local_address.ip().to_string(),
            "headers": headers(&request.headers),
            "parameters": grouped(query),
            "pathParameters": grouped(path),
            "content": request.content.bytes().map(|bytes| String::from_utf8_lossy(bytes)),
        },
        "response": {
            "status": exchange.response.status.as_u16(),
            "headers": headers(&exchange.response.headers),
            "content": exchange.response.content.bytes().map(|bytes| String::from_utf8_lossy(bytes)),
        },
        "attributes": attributes,
        "facts": facts,
    })
    .to_string()
}

impl Changes {
    /// Reads what the prelude collected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The failure that the script asked for.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.is_failed {
            return None;
        }
        let mut failure =
            Failure::new(status(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        failure.key = self.key.as_deref().map(Text::from);
        failure.message = self.error.as_deref().map(Text::from);
        failure.content_type = self.content_type.as_deref().map(Text::from);
        Some(failure)
    }

    /// Puts headers, status and attributes into the exchange.
    pub(super) fn apply(&self, exchange: &mut Exchange) -> Result<(), String> {
        if let Some(list) = &self.request_headers {
            exchange.request.headers = parsed(list)?.into();
        }
        if let Some(list) = &self.response_headers {
            exchange.response.headers = parsed(list)?.into();
        }
        if let Some(code) = self.status {
            exchange.response.status =
                status(code).ok_or_else(|| format!("response.status: {code} is no status"))?;
        }
        for name in &self.removed {
            exchange
                .attributes
                .set(&Text::from(name.as_str()), Value::Null);
        }
        for (name, value) in &self.attributes {
            if !exchange
                .attributes
                .set(&Text::from(name.as_str()), to_value(value))
            {
                return Err("too many attributes".to_owned());
            }
        }
        Ok(())
    }
}

fn status(code: i64) -> Option<StatusCode> {
    let code = u16::try_from(code).ok()?;
    StatusCode::from_u16(code)
        .ok()
        .filter(|status| (200..=599).contains(&status.as_u16()))
}

fn headers(headers: &HeaderMap) -> Vec<(&str, std::borrow::Cow<'_, str>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn parsed(list: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let invalid = || format!("header {name:?} cannot be sent");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_error| invalid())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_error| invalid())?;
        headers
            .try_append(name, value)
            .map_err(|error| error.to_string())?;
    }
    Ok(headers)
}

fn grouped<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Json {
    #[derive(Default, Serialize)]
    struct Grouped<'a>(BTreeMap<&'a str, Vec<&'a str>>);
    let mut grouped = Grouped::default();
    for (name, value) in entries {
        grouped.0.entry(name).or_default().push(value);
    }
    json!(grouped)
}

fn to_value(value: &Json) -> Value {
    match value {
        Json::String(text) => Value::from(text.as_str()),
        other => tidegate_expression::parse_json(other.to_string().as_bytes()).unwrap_or_default(),
    }
}
