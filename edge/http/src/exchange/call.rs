//! Phase 8: calling the endpoint, or giving the answer a policy put in its place.
//! Source: `gravitee-v4.md` §3.11.

use std::{sync::Arc, time::Duration, time::Instant};

use http::{
    Method, Request, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, PROXY_AUTHORIZATION, TRAILER, UPGRADE},
};
use tidegate_expression::{Text, Value};
use tidegate_policy::{Exchange, Failure, Invoker, MockResponse};

use super::{
    Gateway, client_closed_request, failover,
    life::{Interruption, Life},
    observed::CLIENT_ABORTED,
};
use crate::{
    body::{Body, BodyError},
    compile::CompiledApi,
    endpoint::{Destination, Endpoints},
    forward::{TargetPath, upstream_uri},
    upstream::{UpstreamError, UpstreamTarget},
};

/// A call that was made, for the access log.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) target: Arc<UpstreamTarget>,
    /// Path of the call, without its query.
    pub(super) path: Option<String>,
    /// Time to the response head.
    pub(super) duration: Duration,
}

/// Gets a response into the exchange.
pub(super) async fn invoke(
    life: &mut Life<'_>,
    gateway: &Gateway,
    api: &CompiledApi,
) -> Result<(), Interruption> {
    match std::mem::take(&mut life.exchange.invoker) {
        Invoker::Mock(mock) => {
            answer_mock(life, *mock);
            Ok(())
        }
        Invoker::Endpoint => match &api.failover {
            None => attempt(life, gateway, &api.endpoints, None)
                .await
                .map_err(AttemptError::into),
            // Boxed: its room would otherwise be part of every exchange.
            Some(failover) => {
                Box::pin(failover::call(life, gateway, &api.endpoints, failover)).await
            }
        },
    }
}

fn answer_mock(life: &mut Life<'_>, mock: MockResponse) {
    let response = &mut life.exchange.response;
    response.status = mock.status;
    // What request steps put on the response stays, as with a real endpoint.
    for (name, value) in &mock.headers {
        response.headers.insert(name.clone(), value.clone());
    }
    response.content.set(mock.content);
}

/// Why an attempt brought no response.
pub(super) enum AttemptError {
    /// No endpoint is alive, or none has the name that was asked for.
    NoEndpoint,
    /// The request itself cannot be sent anywhere.
    Request(Interruption),
    /// The endpoint did not answer.
    Upstream(UpstreamError),
    /// No response head came within the time of one attempt.
    Slow,
}

impl From<AttemptError> for Interruption {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::NoEndpoint => no_endpoint(),
            AttemptError::Request(interruption) => interruption,
            AttemptError::Upstream(error) => failure(error),
            AttemptError::Slow => Box::new(connection_error()).into(),
        }
    }
}

/// Calls the endpoint whose turn it is. With a `limit` on the time to the response head, the request
/// stays in the exchange, so that it can be sent again.
pub(super) async fn attempt(
    life: &mut Life<'_>,
    gateway: &Gateway,
    endpoints: &Endpoints,
    limit: Option<Duration>,
) -> Result<(), AttemptError> {
    let destination =
        destination(&life.exchange, gateway, endpoints).ok_or(AttemptError::NoEndpoint)?;
    let target = match &destination.elsewhere {
        Some((target, _)) => target,
        None => &destination.endpoint.target,
    };
    let request =
        build_request(life, &destination, limit.is_some()).map_err(AttemptError::Request)?;
    let path = gateway
        .access_log
        .as_ref()
        .map(|_| request.uri().path().to_owned());
    let begun = Instant::now();
    let sending = gateway.pools.send(target, request);
    let sent = match limit {
        None => Some(sending.await),
        Some(limit) => tokio::time::timeout(limit, Box::pin(sending)).await.ok(),
    };
    let (target, duration) = (Arc::clone(target), begun.elapsed());
    life.called = Some(Called {
        target,
        path,
        duration,
    });
    let reply = sent.ok_or(AttemptError::Slow)?.map_err(|error| {
        gateway.metrics.upstream_failed(&error);
        AttemptError::Upstream(error)
    })?;
    let (parts, body) = reply.response.into_parts();
    let response = &mut life.exchange.response;
    response.status = parts.status;
    merge(&mut response.headers, parts.headers);
    life.response_body = body;
    life.upgrade = reply.upgrade;
    Ok(())
}

/// The endpoint's fields join those that request steps put on the response.
fn merge(own: &mut http::HeaderMap, endpoint: http::HeaderMap) {
    if own.is_empty() {
        *own = endpoint;
        return;
    }
    let mut last = None;
    for (name, value) in endpoint {
        last = name.or(last);
        if let Some(name) = &last {
            own.append(name, value);
        }
    }
}

fn destination(
    exchange: &Exchange,
    gateway: &Gateway,
    endpoints: &Endpoints,
) -> Option<Destination> {
    match exchange.attributes.get_platform("request.endpoint") {
        None | Some(Value::Null) => {
            let endpoint = gateway.random(|random| endpoints.next(random))?;
            Some(Destination {
                endpoint,
                elsewhere: None,
                path: None,
            })
        }
        Some(routed) => {
            let text = text_of(routed)?;
            gateway.random(|random| endpoints.route(&text, random))
        }
    }
}

fn build_request(
    life: &mut Life<'_>,
    destination: &Destination,
    is_repeatable: bool,
) -> Result<Request<Body>, Interruption> {
    let exchange = &mut life.exchange;
    let method = method(exchange)?;
    let overrides = exchange
        .attributes
        .get_platform("request.endpoint.override");
    let is_overridden = overrides
        .and_then(text_of)
        .is_some_and(|text| text.as_str() == "true");
    let replaced = TargetPath::default();
    let base = match (
        &destination.elsewhere,
        is_overridden && destination.path.is_some(),
    ) {
        (Some((_, path)), _) => path,
        (None, true) => &replaced,
        (None, false) => &destination.endpoint.path,
    };
    let own_query = exchange.request.query.to_text();
    let (path, query) = match &destination.path {
        None => (exchange.request.path.info(), own_query),
        Some((path, routed)) => (path.as_str(), joined(own_query, routed.as_deref())),
    };
    let Some(uri) = upstream_uri(base, path, query.as_deref()) else {
        let failure = Failure::new(StatusCode::BAD_REQUEST);
        return Err(Box::new(failure.with_cause("the endpoint's URL cannot be written")).into());
    };
    let body = if is_repeatable {
        let content = exchange.request.content.bytes();
        Body::full(content.cloned().unwrap_or_default())
    } else {
        match exchange.request.content.take() {
            Some(content) => Body::full(content),
            None => std::mem::take(&mut life.request_body),
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let mut headers = if is_repeatable {
        exchange.request.headers.clone()
    } else {
        std::mem::take(&mut exchange.request.headers)
    };
    headers.remove(CONTENT_LENGTH);
    headers.remove(PROXY_AUTHORIZATION);
    if !headers.contains_key(UPGRADE) {
        headers.remove(TRAILER);
    }
    if !destination.endpoint.passes_accept_encoding {
        headers.remove(ACCEPT_ENCODING);
    }
    for (name, value) in &destination.endpoint.headers {
        headers.insert(name, value.clone());
    }
    *request.headers_mut() = headers;
    Ok(request)
}

fn joined(own: Option<Text>, routed: Option<&str>) -> Option<Text> {
    match (own, routed) {
        (own, None | Some("")) => own,
        (None, Some(routed)) => Some(Text::from(routed)),
        (Some(own), Some(routed)) => Some(Text::from(format!("{own}&{routed}"))),
    }
}

/// The client's method, unless a policy chose another.
fn method(exchange: &Exchange) -> Result<Method, Interruption> {
    let Some(chosen) = exchange
        .attributes
        .get_platform("request.method")
        .and_then(text_of)
    else {
        return Ok(exchange.request.method.clone());
    };
    Method::from_bytes(chosen.as_bytes()).map_err(|_invalid| {
        let failure = Failure::new(StatusCode::BAD_REQUEST).with_key("INVALID_HTTP_METHOD");
        Box::new(failure.with_message("Invalid HTTP method")).into()
    })
}

fn text_of(value: &Value) -> Option<Text> {
    value.to_text()
}

fn no_endpoint() -> Interruption {
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE);
    Box::new(failure.with_key("NO_ENDPOINT_FOUND")).into()
}

/// The failure of an endpoint that cannot be reached or broke off.
pub(super) fn connection_error() -> Failure {
    Failure::new(StatusCode::BAD_GATEWAY).with_key("GATEWAY_CLIENT_CONNECTION_ERROR")
}

/// The failure of a request whose client left while its body was read.
pub(super) fn client_aborted() -> Failure {
    Failure::new(client_closed_request()).with_key(CLIENT_ABORTED)
}

fn failure(error: UpstreamError) -> Interruption {
    let failure = match &error {
        UpstreamError::RequestBody(BodyError::ClientAborted) => client_aborted(),
        error if error.is_timeout() => {
            Failure::new(StatusCode::GATEWAY_TIMEOUT).with_key("REQUEST_TIMEOUT")
        }
        _ => connection_error(),
    };
    Box::new(failure.with_cause(error)).into()
}
