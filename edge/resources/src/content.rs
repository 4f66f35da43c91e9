//! Documents: in the definition, or behind a URL.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use tidegate_policies::resources::{HttpContentConfig, InlineContentConfig, SchemaRegistryConfig};
use tidegate_policy::{
    BoxFuture, CallOptions, ConfigError, ContentProvider, OutboundCall, ResourceError, Services,
};

const DEFAULT_TIMEOUT_MS: u64 = 5000;

/// The types in which a registry answers.
const REGISTRY_TYPES: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// Longest timeout that can be configured.
const TIMEOUT_MS_MAX: u64 = 60_000;

/// A document in the definition; it has no others.
#[derive(Debug)]
pub(crate) struct InlineDocument(Bytes);

impl InlineDocument {
    pub(crate) fn new(config: &InlineContentConfig) -> Self {
        Self(Bytes::from(config.content.clone()))
    }
}

impl ContentProvider for InlineDocument {
    fn fetch<'a>(
        &'a self,
        _reference: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Bytes, ResourceError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// Documents below a URL.
#[derive(Debug)]
pub(crate) struct HttpDocument {
    url: Uri,
    headers: HeaderMap,
    options: Arc<CallOptions>,
}

impl HttpDocument {
    pub(crate) fn new(config: &HttpContentConfig) -> Result<Self, ConfigError> {
        let url = config.url.trim();
        let mut headers = HeaderMap::new();
        for (index, header) in config.headers.iter().enumerate() {
            let wrong = |member: &str, expected: &str| {
                ConfigError::new(format!("headers[{index}].{member}"), "another", expected)
            };
            let name = HeaderName::from_bytes(header.name.as_bytes())
                .map_err(|_invalid| wrong("name", "a header name"))?;
            let mut value = HeaderValue::from_str(&header.value)
                .map_err(|_invalid| wrong("value", "text without control characters"))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let timeout = config.timeout.unwrap_or(DEFAULT_TIMEOUT_MS);
        Ok(Self {
            url: url.parse().map_err(|_invalid| {
                ConfigError::new("url", format!("{url:?}"), "an absolute URL")
            })?,
            headers,
            options: Arc::new(CallOptions {
                timeout: Duration::from_millis(timeout.clamp(1, TIMEOUT_MS_MAX)),
                ..CallOptions::default()
            }),
        })
    }

    /// The schemas of a registry, which lie below its URL by their ids.
    pub(crate) fn of_registry(config: &SchemaRegistryConfig) -> Result<Self, ConfigError> {
        let url = config.registry_url.trim();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(REGISTRY_TYPES));
        let user = config.authentication.as_ref();
        let name = user
            .and_then(|user| user.username.as_deref())
            .unwrap_or_default();
        if let Some(user) = user.filter(|_| !name.is_empty()) {
            let credentials = BASE64_STANDARD.encode(format!("{name}:{}", user.password.expose()));
            let mut value =
                HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_long| {
                    ConfigError::new("authentication", "(not shown)", "a user and a password")
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let timeout = config.timeout.unwrap_or(DEFAULT_TIMEOUT_MS);
        Ok(Self {
            url: url.parse().map_err(|_invalid| {
                ConfigError::new("registryUrl", format!("{url:?}"), "an absolute URL")
            })?,
            headers,
            options: Arc::new(CallOptions {
                timeout: Duration::from_millis(timeout.clamp(1, TIMEOUT_MS_MAX)),
                ..CallOptions::default()
            }),
        })
    }

    /// The URL of a document. References stay below the configured URL.
    fn url(&self, reference: &str) -> Result<Uri, ResourceError> {
        let reference = reference.trim_start_matches('/');
        if reference.is_empty() {
            return Ok(self.url.clone());
        }
        let refused = || ResourceError::Unexpected("a reference out of the resource".to_owned());
        if reference.contains("://") || reference.split(['/', '\\']).any(|part| part == "..") {
            return Err(refused());
        }
        let base = self.url.to_string();
        let url = format!("{}/{reference}", base.trim_end_matches('/'));
        url.parse().map_err(|_invalid| refused())
    }
}

impl ContentProvider for HttpDocument {
    fn fetch<'a>(
        &'a self,
        reference: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Bytes, ResourceError>> {
        Box::pin(async move {
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = self.url(reference)?;
            *request.headers_mut() = self.headers.clone();
            let options = Arc::clone(&self.options);
            let answer = services.http.send(OutboundCall { request, options }).await;
            let answer = answer.map_err(|error| ResourceError::Unavailable(error.to_string()))?;
            match answer.status() {
                status if status.is_success() => Ok(answer.into_body()),
                status if status.is_server_error() => {
                    Err(ResourceError::Unavailable(format!("status {status}")))
                }
                status => Err(ResourceError::Unexpected(format!("status {status}"))),
            }
        })
    }
}
