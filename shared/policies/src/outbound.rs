//! Calls whose URL, headers and body have expressions.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use tidegate_expression::{Needs, Scope, Template};
use tidegate_policy::{CallOptions, ConfigError, OutboundCall};

use crate::header::{CompiledHeader, HeaderConfig, compile_headers};

/// A call ready to be made.
#[derive(Debug)]
pub(crate) struct CompiledCall {
    method: Method,
    url: Template,
    headers: Box<[CompiledHeader]>,
    body: Option<Template>,
    options: Arc<CallOptions>,
}

/// A call as configured.
#[derive(Debug)]
pub(crate) struct CallConfig<'c> {
    pub(crate) method: &'c str,
    pub(crate) url: &'c str,
    pub(crate) headers: &'c [HeaderConfig],
    pub(crate) body: Option<&'c str>,
    pub(crate) options: CallOptions,
}

impl CompiledCall {
    /// Compiles the members `method`, `url`, `headers` and `body`; tells which bodies they read.
    pub(crate) fn compile(config: CallConfig<'_>) -> Result<(Self, Needs), ConfigError> {
        let method = config.method.trim().to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_error| ConfigError::new("method", config.method, "an HTTP method"))?;
        let url = ConfigError::template("url", config.url.trim())?;
        if let Some(literal) = url.as_literal() {
            absolute(literal).map_err(|reason| {
                ConfigError::new("url", format!("{literal:?} ({reason})"), "an absolute URL")
            })?;
        }
        let (headers, mut needs) = compile_headers(config.headers, "headers")?;
        needs |= url.needs();
        let body = config
            .body
            .filter(|body| !body.is_empty())
            .map(|body| ConfigError::template("body", body))
            .transpose()?;
        if let Some(body) = &body {
            needs |= body.needs();
        }
        let call = Self {
            method,
            url,
            headers,
            body,
            options: Arc::new(config.options),
        };
        Ok((call, needs))
    }

    /// Evaluates the call in a scope.
    pub(crate) fn evaluate(&self, scope: &dyn Scope) -> Result<OutboundCall, String> {
        let url = text(&self.url, scope, "url")?;
        let uri = absolute(url.trim())?;
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            if let Some(value) = header.value(scope)? {
                header.put(value, &mut headers)?;
            }
        }
        let body = match &self.body {
            None => Bytes::new(),
            Some(body) => Bytes::from(text(body, scope, "body")?.into_owned()),
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(OutboundCall {
            request,
            options: Arc::clone(&self.options),
        })
    }
}

fn text<'t>(template: &'t Template, scope: &dyn Scope, name: &str) -> Result<Cow<'t, str>, String> {
    let text = template
        .evaluate_text(scope)
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(text.unwrap_or_default())
}

/// Parses a URL that names scheme and host.
pub(crate) fn absolute(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("url: {error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(uri),
        _ => Err("url: not an absolute http or https URL".to_owned()),
    }
}
