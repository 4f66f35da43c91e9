//! Holds a request or a response against its operation and lists what does not fit.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE};
use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Number, Value};
use tidegate_policy::Exchange;

use super::config::{ParameterKind, ValidationOptions};
use super::spec::{Form, Found, Media, Parameter, Place};

/// Most findings that are listed.
const FINDINGS_MAX: usize = 20;

/// What does not fit, bounded.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<String>);

impl Findings {
    fn add(&mut self, finding: impl FnOnce() -> String) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(finding());
        }
    }

    fn schema(&mut self, validator: &Validator, value: &Value, what: &str) {
        for error in validator.iter_errors(value) {
            if self.0.len() >= FINDINGS_MAX {
                return;
            }
            let at = error.instance_path().as_str().to_owned();
            // Without the value: it may be long, or a secret of the client.
            let masked = error.masked();
            self.add(|| format!("{what}{at}: {masked}"));
        }
    }
}

/// Checks a request.
pub(super) fn request(
    exchange: &Exchange,
    found: &Found<'_>,
    options: &ValidationOptions,
) -> Findings {
    let mut findings = Findings::default();
    if options.validate_request_parameters {
        for parameter in &found.operation.parameters {
            if is_checked(parameter.place, options) {
                check_parameter(exchange, found, parameter, &mut findings);
            }
        }
    }
    if options.validate_request_query_params_unexpected {
        for given in exchange.request.query.parameters() {
            let name = decoded(&given.name);
            let mut known = found.operation.parameters.iter();
            if !known.any(|known| known.place == Place::Query && known.name == name) {
                findings.add(|| format!("query parameter {name}: not described"));
            }
        }
    }
    let body = exchange
        .request
        .content
        .bytes()
        .filter(|body| !body.is_empty());
    let is_empty = body.is_none() && !has_body(&exchange.request.headers);
    let is_missing = is_empty && found.operation.is_request_required;
    match &found.operation.request {
        Some(_) if is_missing && options.validate_request_body => {
            findings.add(|| "body: required".to_owned());
        }
        Some(described) if !is_empty => check_body(
            described,
            &exchange.request.headers,
            body.filter(|_| options.validate_request_body),
            options.validate_request_content_type,
            &mut findings,
        ),
        None if !is_empty && options.validate_request_content_type => {
            findings.add(|| "body: none is described".to_owned());
        }
        _ => {}
    }
    findings
}

/// Checks a response.
pub(super) fn response(
    exchange: &Exchange,
    found: &Found<'_>,
    options: &ValidationOptions,
) -> Findings {
    let mut findings = Findings::default();
    let status = exchange.response.status.as_u16();
    let responses = &found.operation.responses;
    let described = responses
        .get(&status.to_string())
        .or_else(|| responses.get(&format!("{}XX", status / 100)))
        .or_else(|| responses.get("DEFAULT"));
    let Some(described) = described else {
        if options.validate_response_status_code {
            findings.add(|| format!("status {status}: not described"));
        }
        return findings;
    };
    let body = exchange
        .response
        .content
        .bytes()
        .filter(|body| !body.is_empty());
    if body.is_some() && !described.is_empty() {
        check_body(
            described,
            &exchange.response.headers,
            body.filter(|_| options.validate_response_body),
            options.validate_response_content_type,
            &mut findings,
        );
    }
    findings
}

fn is_checked(place: Place, options: &ValidationOptions) -> bool {
    let kind = match place {
        Place::Path => return true,
        Place::Query => ParameterKind::QueryParams,
        Place::Header => ParameterKind::Headers,
        Place::Cookie => ParameterKind::Cookies,
    };
    options.validate_request_parameters_options.contains(&kind)
}

fn check_parameter(
    exchange: &Exchange,
    found: &Found<'_>,
    parameter: &Parameter,
    findings: &mut Findings,
) {
    // OpenAPI leaves these to the media types and security schemes.
    let is_reserved = |name: &str| {
        ["accept", "content-type", "authorization"]
            .iter()
            .any(|reserved| name.eq_ignore_ascii_case(reserved))
    };
    if parameter.place == Place::Header && is_reserved(&parameter.name) {
        return;
    }
    let texts = texts(exchange, found, parameter);
    let what = format!("{:?} parameter {}", parameter.place, parameter.name).to_lowercase();
    let Some(first) = texts.first() else {
        if parameter.is_required {
            findings.add(|| format!("{what}: required"));
        }
        return;
    };
    let value = match &parameter.form {
        Form::Unchecked => return,
        Form::Single(types) => typed(first, types),
        Form::List {
            is_repeated: true,
            item,
        } => texts.iter().map(|text| typed(text, item)).collect(),
        Form::List {
            is_repeated: false,
            item,
        } => first.split(',').map(|text| typed(text, item)).collect(),
    };
    if let Some(schema) = &parameter.schema {
        findings.schema(schema, &value, &what);
    }
}

/// The texts of a parameter, decoded.
fn texts(exchange: &Exchange, found: &Found<'_>, parameter: &Parameter) -> Vec<String> {
    let request = &exchange.request;
    let name = parameter.name.as_str();
    match parameter.place {
        Place::Path => {
            let values = found.path_values.iter().filter(|(known, _)| *known == name);
            values
                .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
                .collect()
        }
        Place::Query => {
            let given = request.query.parameters().iter();
            let given = given.filter(|given| decoded(&given.name) == name);
            given
                .map(|given| decoded(given.value.as_deref().unwrap_or_default()))
                .collect()
        }
        Place::Header => {
            let values = request.headers.get_all(name).iter();
            values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect()
        }
        Place::Cookie => {
            let values = request.headers.get_all(COOKIE).iter();
            let pairs = values.filter_map(|value| value.to_str().ok());
            let pairs = pairs.flat_map(|value| value.split(';'));
            let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
            let pairs = pairs.filter(|(known, _)| *known == name);
            pairs.map(|(_, value)| value.to_owned()).collect()
        }
    }
}

/// Decodes a part of the query, where a plus is a blank.
fn decoded(raw: &str) -> String {
    let raw = raw.replace('+', " ");
    percent_decode_str(&raw).decode_utf8_lossy().into_owned()
}

/// Reads text as the first of the types it can be; text that is none of them stays text.
fn typed(text: &str, types: &[String]) -> Value {
    for name in types {
        let value = match name.as_str() {
            "integer" => text.parse().ok().map(|number: i64| Value::from(number)),
            "number" => text
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::from),
            "boolean" => text.parse().ok().map(|truth: bool| Value::from(truth)),
            "null" if text.is_empty() => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = value {
            return value;
        }
    }
    Value::from(text)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::TRANSFER_ENCODING)
        || headers
            .get(http::header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

fn check_body(
    described: &[Media],
    headers: &HeaderMap,
    body: Option<&Bytes>,
    checks_type: bool,
    findings: &mut Findings,
) {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let Some(media) = described.iter().find(|media| media.matches(&essence)) else {
        if checks_type {
            findings.add(|| format!("content type {essence:?}: not described"));
        }
        return;
    };
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let (Some(schema), Some(body), true) = (&media.schema, body, is_json) else {
        return;
    };
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => findings.schema(schema, &value, "body"),
        Err(error) => findings.add(|| format!("body: not JSON ({error})")),
    }
}

impl Media {
    fn matches(&self, essence: &str) -> bool {
        let range = self.range.split(';').next().unwrap_or_default().trim();
        match range.strip_suffix('*') {
            Some("*/") => true,
            Some(begin) => essence.starts_with(begin),
            None => range == essence,
        }
    }
}
