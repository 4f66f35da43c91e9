//! What a client is told about a failure: the API's response template, or the default body.
//! Source: `gravitee-v4.md` §3.8.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{ACCEPT, CONNECTION, CONTENT_TYPE},
};
use serde::Serialize;
use tidegate_expression::{CompileError, Template};
use tidegate_model::api::ResponseTemplates;
use tidegate_policy::{ErrorFacts, Exchange, Failure};

use crate::body::Body;

/// Key of the templates for failures without templates of their own.
const DEFAULT_KEY: &str = "DEFAULT";

/// Media type of the templates for every client.
const ANY: &str = "*/*";

const JSON: &str = "application/json";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// Response templates of an API: by error key, then by media type.
#[derive(Debug, Default)]
pub struct ErrorTemplates(BTreeMap<String, BTreeMap<String, ErrorTemplate>>);

#[derive(Debug)]
struct ErrorTemplate {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Template>,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The status is no HTTP status.
    #[error("expected a status between 100 and 599")]
    Status,
    /// A header cannot be sent.
    #[error("expected a header name and value")]
    Header,
    /// The body's expressions do not parse.
    #[error("invalid expression")]
    Body(#[source] CompileError),
}

impl ErrorTemplates {
    /// Compiles the templates of a definition.
    ///
    /// # Errors
    /// The first unusable template with its place in the definition.
    pub fn compile(templates: &ResponseTemplates) -> Result<Self, (String, TemplateError)> {
        let mut compiled = BTreeMap::new();
        for (key, by_type) in templates {
            let mut entries = BTreeMap::new();
            for (media_type, template) in by_type {
                let entry = ErrorTemplate::compile(template)
                    .map_err(|error| (format!("responseTemplates.{key}.{media_type}"), error))?;
                entries.insert(media_type.clone(), entry);
            }
            compiled.insert(key.clone(), entries);
        }
        Ok(Self(compiled))
    }

    fn find(&self, failure: &Failure, accept: &HeaderMap) -> Option<&ErrorTemplate> {
        let by_type = self
            .0
            .get(failure.key.as_deref()?)
            .or_else(|| self.0.get(DEFAULT_KEY))?;
        let mut wanted: Vec<(u16, &str)> = accepted(accept).collect();
        wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let exact = wanted
            .iter()
            .find_map(|(_, media_type)| by_type.get(*media_type));
        exact.or_else(|| by_type.get(ANY))
    }
}

impl ErrorTemplate {
    fn compile(template: &tidegate_model::api::ResponseTemplate) -> Result<Self, TemplateError> {
        let status = template.status.map(StatusCode::from_u16).transpose();
        let headers = template.headers.iter().map(|(name, value)| {
            Some((
                name.parse::<HeaderName>().ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        });
        let body = template.body.as_deref().map(Template::compile).transpose();
        Ok(Self {
            status: status.map_err(|_invalid| TemplateError::Status)?,
            headers: headers
                .collect::<Option<_>>()
                .ok_or(TemplateError::Header)?,
            body: body.map_err(TemplateError::Body)?,
        })
    }
}

/// Renders a failure of an exchange.
pub(crate) fn render(
    exchange: &mut Exchange,
    templates: &ErrorTemplates,
    mut failure: Failure,
) -> Response<Body> {
    let own_headers = std::mem::take(&mut failure.headers);
    let mut response = match templates.find(&failure, &exchange.request.headers) {
        Some(template) => render_template(exchange, template, failure),
        None => render_default(&exchange.request.headers, &failure),
    };
    for (name, value) in own_headers {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

fn render_template(
    exchange: &mut Exchange,
    template: &ErrorTemplate,
    failure: Failure,
) -> Response<Body> {
    exchange.error = Some(Box::new(ErrorFacts {
        status: failure.status,
        key: failure.key,
        message: failure.message,
        parameters: failure.parameters,
    }));
    let body = template
        .body
        .as_ref()
        .and_then(|body| body.evaluate_text(exchange).ok().flatten());
    let body = Bytes::from(body.map(std::borrow::Cow::into_owned).unwrap_or_default());
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = template.status.unwrap_or(failure.status);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if !body.is_empty() {
        let accept = exchange.request.headers.get(ACCEPT).cloned();
        headers.insert(CONTENT_TYPE, accept.unwrap_or(TEXT));
    }
    for (name, value) in &template.headers {
        headers.insert(name.clone(), value.clone());
    }
    *response.body_mut() = Body::full(body);
    response
}

/// Renders a failure without templates: JSON for clients that say they take it, else plain text.
pub(crate) fn render_default(accept: &HeaderMap, failure: &Failure) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = failure.status;
    if !failure.status.is_client_error() {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let Some(message) = failure.message.as_deref() else {
        return response;
    };
    let (content_type, body) = match failure.content_type.as_deref() {
        Some(own) if own.starts_with(JSON) => (HeaderValue::from_static(JSON), message.to_owned()),
        Some(_) | None if takes_json(accept) => (
            HeaderValue::from_static(JSON),
            json_body(failure.status, message),
        ),
        Some(_) | None => (TEXT, message.to_owned()),
    };
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    *response.body_mut() = Body::full(body);
    response
}

fn json_body(status: StatusCode, message: &str) -> String {
    #[derive(Serialize)]
    struct ErrorBody<'a> {
        message: &'a str,
        http_status_code: u16,
    }
    let body = ErrorBody {
        message,
        http_status_code: status.as_u16(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}

fn takes_json(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .into_iter()
        .any(|value| value.contains(JSON) || value.contains(ANY))
}

/// Media types of `Accept` with their quality in thousandths, in order of appearance.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (u16, &str)> {
    let values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or("");
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
        let quality = quality
            .and_then(|quality| quality.parse::<f32>().ok())
            .unwrap_or(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is clamped to 0..=1000"
        )]
        let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
        (thousandths, media_type)
    })
}
