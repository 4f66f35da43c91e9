//! One check of one endpoint: compiled at deployment, run on schedule.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use tidegate_expression::{Condition, EvalError, Scope};
use tidegate_model::{Schedule, api::Service};

use super::scope::CheckScope;
use crate::{
    body::{Body, BodyError},
    endpoint::{BuildError, deploy_text, invalid, retarget},
    forward::{TargetPath, upstream_uri},
    upstream::{UpstreamError, UpstreamPools, UpstreamTarget},
};

/// Longest body an assertion can look at: health pages are small, and a check must not fill the memory.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024;

/// How an endpoint is asked whether it is alive.
#[derive(Debug)]
pub struct HealthCheck {
    /// When it is asked.
    pub schedule: Schedule,
    /// Successes in a row that bring it back.
    pub success_threshold: u32,
    /// Failures in a row that take it away.
    pub failure_threshold: u32,
    target: Arc<UpstreamTarget>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    assertion: Arc<Condition>,
}

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckFailure {
    /// No response.
    #[error(transparent)]
    Unanswered(#[from] UpstreamError),
    /// The response broke off or was too long.
    #[error("the response cannot be read")]
    Content(#[from] BodyError),
    /// Neither came in time.
    #[error("no complete response in time")]
    Timeout,
    /// The response is not that of an endpoint that is alive.
    #[error("the assertion does not hold for a response with status {0}")]
    Assertion(u16),
    /// The assertion cannot be evaluated for this response.
    #[error("the assertion cannot be evaluated")]
    Evaluation(#[from] EvalError),
}

/// A check that is compiled and only lacks the endpoint that is asked.
#[derive(Debug)]
pub(crate) struct CheckTemplate {
    schedule: Schedule,
    success_threshold: u32,
    failure_threshold: u32,
    /// A path or an absolute URL, with its place for errors.
    text: String,
    place: String,
    overrides_path: bool,
    method: Method,
    headers: HeaderMap,
    assertion: Arc<Condition>,
}

impl CheckTemplate {
    /// Compiles the check of endpoints whose requests have the fields `own`.
    ///
    /// # Errors
    /// The first member of the configuration that cannot be used.
    pub(crate) fn compile(
        service: &Service,
        own: &[(HeaderName, HeaderValue)],
        path: &str,
        scope: &dyn Scope,
    ) -> Result<Self, BuildError> {
        let configuration = service.http_health_check().map_err(|violations| {
            let first = violations.into_iter().next();
            first.map_or_else(
                || invalid(path.to_owned(), "", "a configuration"),
                |violation| BuildError::Invalid(violation.under(path)),
            )
        })?;
        let member = |name: &str| format!("{path}.configuration.{name}");
        let place = member("target");
        let text = deploy_text(&configuration.target, &place, scope)?;
        let mut headers: HeaderMap = own.iter().cloned().collect();
        for (index, header) in configuration.headers.iter().enumerate() {
            let place = member(&format!("headers[{index}]"));
            let name: HeaderName = header
                .name
                .parse()
                .map_err(|_invalid| invalid(place.clone(), &header.name, "a header name"))?;
            let value = deploy_text(&header.value, &place, scope)?;
            let value = HeaderValue::from_str(&value)
                .map_err(|_invalid| invalid(place, "(not shown)", "a header value"))?;
            headers.insert(name, value);
        }
        let method = &configuration.method;
        let assertion = Condition::compile(&configuration.assertion)
            .map_err(|error| invalid(member("assertion"), &error.to_string(), "an expression"))?;
        Ok(Self {
            schedule: configuration.schedule,
            success_threshold: configuration.success_threshold,
            failure_threshold: configuration.failure_threshold,
            overrides_path: configuration.override_endpoint_path,
            method: Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                .map_err(|_invalid| invalid(member("method"), method, "an HTTP method"))?,
            assertion: Arc::new(assertion),
            text,
            place,
            headers,
        })
    }

    /// The check of the endpoint that is reached over `target`, below `base`.
    ///
    /// # Errors
    /// The target of the check is neither a path nor an absolute URL.
    pub(crate) fn for_endpoint(
        &self,
        target: &Arc<UpstreamTarget>,
        base: &TargetPath,
    ) -> Result<HealthCheck, BuildError> {
        let text = self.text.as_str();
        let (target, uri) = if text.contains("://") {
            elsewhere(target, text)
        } else {
            let root = TargetPath::default();
            let base = if self.overrides_path { &root } else { base };
            let (path, query) = match text.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (text, None),
            };
            upstream_uri(base, path, query).map(|uri| (Arc::clone(target), uri))
        }
        .ok_or_else(|| invalid(self.place.clone(), text, "a path or an absolute URL"))?;
        Ok(HealthCheck {
            schedule: self.schedule.clone(),
            success_threshold: self.success_threshold,
            failure_threshold: self.failure_threshold,
            target,
            method: self.method.clone(),
            uri,
            headers: self.headers.clone(),
            assertion: Arc::clone(&self.assertion),
        })
    }
}

impl HealthCheck {
    /// Asks once, over the connections of `pools`.
    ///
    /// # Errors
    /// Says why the endpoint does not count as alive.
    pub(crate) async fn run(&self, pools: &UpstreamPools) -> Result<(), CheckFailure> {
        match tokio::time::timeout(self.time_max(), self.ask(pools)).await {
            Ok(asked) => asked,
            Err(_elapsed) => Err(CheckFailure::Timeout),
        }
    }

    /// A connection, a response head, and as long again for the body.
    fn time_max(&self) -> Duration {
        let options = self.target.options();
        options.connect_timeout + options.read_timeout * 2
    }

    async fn ask(&self, pools: &UpstreamPools) -> Result<(), CheckFailure> {
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let reply = pools.send(&self.target, request).await?;
        let (parts, body) = http::Response::from(reply.response).into_parts();
        let content: Bytes = body.collect(CONTENT_BYTES_MAX).await?;
        let scope = CheckScope {
            status: parts.status,
            headers: &parts.headers,
            content: &content,
        };
        if self.assertion.evaluate(&scope)? {
            Ok(())
        } else {
            Err(CheckFailure::Assertion(parts.status.as_u16()))
        }
    }
}

/// An absolute URL is asked with the settings of the endpoint's own connector.
fn elsewhere(like: &UpstreamTarget, text: &str) -> Option<(Arc<UpstreamTarget>, Uri)> {
    let uri: Uri = text.parse().ok()?;
    let target = retarget(like, &uri)?;
    let path = TargetPath::new(uri.path(), uri.query());
    Some((target, upstream_uri(&path, "", None)?))
}
