//! The variables that expressions see, answered from the facts of the exchange without building maps.

use http::{HeaderMap, HeaderValue, Version};
use tidegate_expression::{Ambient, Key, Lookup, Scope, Segment, Text, Value, ValueMap};

use super::attributes::without_prefix;
use super::{Content, ErrorFacts, Exchange, RequestFacts};

impl Scope for Exchange {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        match variable {
            "request" => request(&self.request, path),
            "response" => response(self, path),
            "context" => context(self, path),
            "api" => api(self, path),
            "properties" => in_map(&self.api.properties, path, 0),
            "endpoints" => in_map(&self.api.endpoints, path, 0),
            "dictionaries" => in_map(&self.api.dictionaries, path, 0),
            "subscription" => subscription(self, path),
            "node" => node(self, path),
            "error" => error(self.error.as_deref(), path),
            "parameters" => parameters(self.error.as_deref(), path),
            _ => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        &*self.ambient
    }
}

fn request(request: &RequestFacts, path: &[Segment]) -> Lookup {
    let Some(name) = path.first().and_then(Segment::as_key) else {
        return Lookup::NoProperty(0);
    };
    let value: Value = match name {
        "id" => request.id.clone().into(),
        "transactionId" => request.transaction_id.clone().into(),
        "uri" => request.path.uri().into(),
        "path" => request.path.raw().into(),
        "paths" => segments(request.path.raw()),
        "pathInfo" => request.path.info().into(),
        "pathInfos" => segments(request.path.info()),
        "contextPath" => request.path.shared_context_path().into(),
        "params" => return params(request, path),
        "pathParams" => return path_params(request, path),
        "headers" => return request_headers(request, path),
        "method" => method(request).into(),
        "scheme" => Text::constant(request.scheme).into(),
        "host" => request.host().into(),
        "version" => version(request.version).into(),
        "timestamp" => request.timestamp_ms.into(),
        "remoteAddress" => request.remote_address.to_string().into(),
        "localAddress" => request.local_address.ip().to_string().into(),
        "ssl" => request.ssl.clone().unwrap_or_else(no_tls),
        _ => return content(&request.content, name),
    };
    Lookup::found(value, 1)
}

fn response(exchange: &Exchange, path: &[Segment]) -> Lookup {
    let response = &exchange.response;
    match path.first().and_then(Segment::as_key) {
        Some("status") => Lookup::found(response.status.as_u16(), 1),
        Some("headers") => headers(&response.headers, path),
        Some(name) => content(&response.content, name),
        None => Lookup::NoProperty(0),
    }
}

fn content(content: &Content, name: &str) -> Lookup {
    match name {
        "content" => Lookup::found(content.text(), 1),
        "jsonContent" => Lookup::found(content.json(), 1),
        _ => Lookup::NoProperty(0),
    }
}

fn context(exchange: &Exchange, path: &[Segment]) -> Lookup {
    match (path.first().and_then(Segment::as_key), path.get(1)) {
        (Some("attributes"), Some(Segment::Key(key))) => {
            Lookup::found(attribute(exchange, key.as_str()), 2)
        }
        (Some("attributes"), _) => {
            let mut map = ValueMap::new();
            for (name, value) in exchange.attributes.iter() {
                map.insert(name, value.clone());
            }
            Lookup::found(map, 1)
        }
        _ => Lookup::NoProperty(0),
    }
}

/// Returns a set attribute, else the fact of the exchange that the name stands for, else null.
pub(super) fn attribute(exchange: &Exchange, name: &str) -> Value {
    if let Some(value) = exchange.attributes.get(name) {
        return value.clone();
    }
    let subscription = exchange.subscription.as_deref();
    match without_prefix(name) {
        "api" => exchange.api.id.clone().into(),
        "api.name" => exchange.api.name.clone().into(),
        "organization" => exchange.api.organization.clone().into(),
        "environment" => exchange.api.environment.clone().into(),
        "plan" => exchange.plan.as_ref().map(|plan| plan.id.clone()).into(),
        "application" => subscription.map(|known| known.application.clone()).into(),
        "user-id" => subscription.map(|known| known.id.clone()).into(),
        "context-path" => exchange.request.path.shared_context_path().into(),
        _ => Value::Null,
    }
}

fn api(exchange: &Exchange, path: &[Segment]) -> Lookup {
    let api = &exchange.api;
    match path.first().and_then(Segment::as_key) {
        Some("id") => Lookup::found(api.id.clone(), 1),
        Some("name") => Lookup::found(api.name.clone(), 1),
        Some("version") => Lookup::found(api.version.clone(), 1),
        Some("properties") => in_map(&api.properties, path, 1),
        _ => Lookup::NoProperty(0),
    }
}

fn subscription(exchange: &Exchange, path: &[Segment]) -> Lookup {
    let Some(subscription) = exchange.subscription.as_deref() else {
        return Lookup::Undefined;
    };
    match path.first().and_then(Segment::as_key) {
        Some("id") => Lookup::found(subscription.id.clone(), 1),
        Some("type") => Lookup::found(Text::constant("STANDARD"), 1),
        Some("metadata") => match path.get(1).and_then(Segment::as_key) {
            Some(key) => Lookup::found(subscription.metadata.get(key).map(String::as_str), 2),
            None => Lookup::found(
                subscription
                    .metadata
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect::<ValueMap>(),
                1,
            ),
        },
        _ => Lookup::NoProperty(0),
    }
}

fn node(exchange: &Exchange, path: &[Segment]) -> Lookup {
    let node = &exchange.node;
    match path.first().and_then(Segment::as_key) {
        Some("id") => Lookup::found(node.id.clone(), 1),
        Some("version") => Lookup::found(node.version.clone(), 1),
        Some("tenant") => Lookup::found(node.tenant.clone(), 1),
        Some("shardingTags") => Lookup::found(node.tags(), 1),
        Some("zone") => Lookup::found(node.zone.clone(), 1),
        _ => Lookup::NoProperty(0),
    }
}

fn error(error: Option<&ErrorFacts>, path: &[Segment]) -> Lookup {
    let Some(error) = error else {
        return Lookup::Undefined;
    };
    match path.first().and_then(Segment::as_key) {
        Some("statusCode") => Lookup::found(error.status.as_u16(), 1),
        Some("key") => Lookup::found(error.key.clone(), 1),
        Some("message") => Lookup::found(error.message.clone(), 1),
        _ => Lookup::NoProperty(0),
    }
}

fn parameters(error: Option<&ErrorFacts>, path: &[Segment]) -> Lookup {
    let parameters = error.map_or(&[][..], |error| &error.parameters);
    match path.first().and_then(Segment::as_key) {
        Some(name) => {
            let found = parameters.iter().find(|(known, _)| known.as_str() == name);
            Lookup::found(found.map(|(_, value)| value.clone()), 1)
        }
        None => Lookup::found(parameters.iter().cloned().collect::<ValueMap>(), 0),
    }
}

/// Answers from a map that the segment at `at` indexes; a missing key is null.
fn in_map(map: &std::sync::Arc<ValueMap>, path: &[Segment], at: usize) -> Lookup {
    match path.get(at).and_then(Segment::as_key) {
        Some(key) => Lookup::found(map.get(key).cloned(), at + 1),
        None => Lookup::found(Value::Map(std::sync::Arc::clone(map)), at),
    }
}

/// What `#request.ssl` is without TLS: both sides exist and are empty, as the reference engine has it.
fn no_tls() -> Value {
    let side = || {
        let mut side = ValueMap::new();
        side.insert("defined", false);
        side.insert("dn", Value::Null);
        side.insert("cn", Value::Null);
        side.insert("attributes", ValueMap::new());
        Value::from(side)
    };
    ValueMap::from_iter([("client", side()), ("server", side())]).into()
}

fn method(request: &RequestFacts) -> Text {
    match request.method.as_str() {
        "GET" => Text::constant("GET"),
        "POST" => Text::constant("POST"),
        "PUT" => Text::constant("PUT"),
        "DELETE" => Text::constant("DELETE"),
        "PATCH" => Text::constant("PATCH"),
        "HEAD" => Text::constant("HEAD"),
        "OPTIONS" => Text::constant("OPTIONS"),
        other => Text::from(other),
    }
}

/// Names the version as the reference engine does.
fn version(version: Version) -> Text {
    Text::constant(match version {
        Version::HTTP_10 => "HTTP_1_0",
        Version::HTTP_2 => "HTTP_2",
        _ => "HTTP_1_1",
    })
}

/// Splits a path at its slashes; the text before the first slash is the first, empty, element.
fn segments(path: &str) -> Value {
    Value::list(path.split('/').map(Value::from))
}

fn params(request: &RequestFacts, path: &[Segment]) -> Lookup {
    if let Some(Segment::Key(key)) = path.get(1) {
        let values = request.query.values(key.as_str());
        return values_of(values.map(|value| value.cloned().into()), path);
    }
    let grouped = grouped(
        request
            .query
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.as_str(), parameter.value.clone().into())),
    );
    Lookup::found(grouped, 1)
}

fn path_params(request: &RequestFacts, path: &[Segment]) -> Lookup {
    let parameters = request.path_parameters.iter();
    if let Some(Segment::Key(key)) = path.get(1) {
        let values = parameters.filter(|parameter| *parameter.name == *key.as_str());
        return values_of(values.map(|parameter| parameter.value.clone().into()), path);
    }
    let grouped =
        grouped(parameters.map(|parameter| (&*parameter.name, parameter.value.clone().into())));
    Lookup::found(grouped, 1)
}

/// The `Host` header stays out of the header map until a policy sets it; expressions still see it.
fn request_headers(request: &RequestFacts, path: &[Segment]) -> Lookup {
    let is_host = |key: &Key| key.header() == Some(&http::header::HOST);
    match path.get(1) {
        Some(Segment::Key(key)) if is_host(key) && !request.host().is_empty() => {
            values_of(std::iter::once(request.host().into()), path)
        }
        Some(Segment::Key(_)) => headers(&request.headers, path),
        _ => {
            let mut map = header_map(&request.headers);
            if !request.host().is_empty() {
                map.insert("host", Value::list([request.host().into()]));
            }
            Lookup::found(map, 1)
        }
    }
}

/// Answers `headers`, `headers['X']` and `headers['X'][n]`.
fn headers(headers: &HeaderMap, path: &[Segment]) -> Lookup {
    match path.get(1) {
        Some(Segment::Key(key)) => match key.header() {
            Some(name) => values_of(headers.get_all(name).iter().map(header_text), path),
            None => Lookup::found(Value::Null, 2),
        },
        _ => Lookup::found(header_map(headers), 1),
    }
}

fn header_map(headers: &HeaderMap) -> ValueMap {
    let mut map = ValueMap::ignoring_case();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(header_text);
        map.insert(name.as_str(), Value::list(values));
    }
    map
}

fn header_text(value: &HeaderValue) -> Value {
    match value.to_str() {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()),
    }
}

/// Answers `['name']` (a list, or null if there is none) and `['name'][n]` at once.
///
/// A position outside of the list is left to the evaluator, which reports it.
fn values_of(mut values: impl Iterator<Item = Value>, path: &[Segment]) -> Lookup {
    let position = path.get(2).and_then(Segment::as_index);
    if position == Some(0) {
        return match values.next() {
            Some(value) => Lookup::found(value, 3),
            None => Lookup::found(Value::Null, 2),
        };
    }
    let values: Vec<Value> = values.collect();
    if values.is_empty() {
        return Lookup::found(Value::Null, 2);
    }
    Lookup::found(values, 2)
}

fn grouped<'a>(entries: impl Iterator<Item = (&'a str, Value)>) -> ValueMap {
    let mut names: Vec<(&str, Vec<Value>)> = Vec::new();
    for (name, value) in entries {
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => names.push((name, vec![value])),
        }
    }
    names
        .into_iter()
        .map(|(name, values)| (name, Value::from(values)))
        .collect()
}
