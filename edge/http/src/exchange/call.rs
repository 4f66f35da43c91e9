//! Phase 8: calling the endpoint, or giving the answer a policy put in its place.
//! Source: `gravitee-v4.md` §3.11.

use std::{
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    Method, StatusCode, Version,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, PROXY_AUTHORIZATION, TRAILER, UPGRADE},
};
use http_body::{Body as _, Frame, SizeHint};
use tidegate_expression::{Text, Value};
use tidegate_policy::{
    BodyLimit, BoxFuture, Exchange, Failure, Headers, Interceptor, Invocation, Invoker,
    MockResponse, ResponseFacts,
};

use super::{
    Gateway, client_closed_request, failover,
    life::{Interruption, Life},
    observed::CLIENT_ABORTED,
};
use crate::{
    analytics::Capture,
    body::{Body, BodyError},
    compile::CompiledApi,
    endpoint::{Destination, Endpoints},
    forward::{TargetPath, upstream_uri},
    message::{RequestParts, Response},
    upstream::{UpgradedIo, UpstreamError, UpstreamTarget},
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

/// What of an exchange is on the wire, beside the facts that policies see.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    pub(super) request_body: Body,
    pub(super) response_body: Body,
    pub(super) upgrade: Option<UpgradedIo>,
    pub(super) called: Option<Called>,
    /// Present while the messages of the exchange are logged.
    pub(super) capture: Option<Box<Capture>>,
}

impl Transfer {
    /// Reads the request's body into the exchange, if it is not there yet.
    pub(super) async fn read_request(
        &mut self,
        exchange: &mut Exchange,
        bytes_max: u64,
    ) -> Result<(), Box<Failure>> {
        if exchange.request.content.bytes().is_some() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.request_body);
        let limit = exchange.request.body_limit.as_deref();
        let bytes_max = limit.map_or(bytes_max, |limit| bytes_max.min(limit.bytes_max));
        let content = body.collect(bytes_max).await.map_err(|error| {
            let failure = match &error {
                BodyError::TooLarge { .. } => too_large(exchange),
                BodyError::ClientAborted => client_aborted(),
                _ => Failure::new(StatusCode::BAD_REQUEST),
            };
            Box::new(failure.with_cause(error))
        })?;
        exchange.request.content.set(content);
        Ok(())
    }

    /// Reads the response's body into the exchange, if it is not there yet.
    pub(super) async fn read_response(
        &mut self,
        exchange: &mut Exchange,
        bytes_max: u64,
    ) -> Result<(), Box<Failure>> {
        if self.upgrade.is_some() || exchange.response.content.bytes().is_some() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.response_body);
        let content = body.collect(bytes_max).await;
        let content = content.map_err(|error| Box::new(connection_error().with_cause(error)))?;
        exchange.response.content.set(content);
        Ok(())
    }
}

/// Gets a response into the exchange: from the endpoint or what a policy put in its place, through what policies put
/// around that.
pub(super) async fn invoke(
    life: &mut Life<'_>,
    gateway: &Gateway,
    api: &CompiledApi,
) -> Result<(), Interruption> {
    let (exchange, transfer) = (&mut life.exchange, &mut life.transfer);
    if exchange.interceptors.is_empty() {
        return Ok(answer(exchange, transfer, gateway, api).await?);
    }
    let around = std::mem::take(&mut exchange.interceptors);
    let before = exchange.response.headers.clone();
    let mut outermost = Layer {
        around: &around,
        before: &before,
        transfer,
        gateway,
        api,
    };
    Ok(outermost.call(exchange).await?)
}

/// The invoker with the interceptors around it, innermost first.
struct Layer<'a> {
    around: &'a [Arc<dyn Interceptor>],
    /// The response's fields that request steps had set before the first call.
    before: &'a Headers,
    transfer: &'a mut Transfer,
    gateway: &'a Gateway,
    api: &'a CompiledApi,
}

impl Invocation for Layer<'_> {
    fn call<'a>(
        &'a mut self,
        exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        let (gateway, api) = (self.gateway, self.api);
        let transfer = &mut *self.transfer;
        match self.around.split_last() {
            None => Box::pin(answer(exchange, transfer, gateway, api)),
            Some((outermost, around)) => {
                let before = self.before;
                Box::pin(async move {
                    let mut inner = Layer {
                        around,
                        before,
                        transfer,
                        gateway,
                        api,
                    };
                    let services = &gateway.context.services;
                    outermost.around(exchange, services, &mut inner).await
                })
            }
        }
    }

    fn read_response<'a>(
        &'a mut self,
        exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        let bytes_max = self.gateway.context.settings.content_bytes_max;
        Box::pin(self.transfer.read_response(exchange, bytes_max))
    }

    fn discard_response(&mut self, exchange: &mut Exchange) {
        self.transfer.response_body = Body::Empty;
        self.transfer.upgrade = None;
        exchange.response = ResponseFacts {
            headers: self.before.clone(),
            ..ResponseFacts::default()
        };
    }
}

async fn answer(
    exchange: &mut Exchange,
    transfer: &mut Transfer,
    gateway: &Gateway,
    api: &CompiledApi,
) -> Result<(), Box<Failure>> {
    match (&exchange.invoker, &api.failover) {
        (Invoker::Mock(mock), _) => {
            answer_mock(&mut exchange.response, mock);
            Ok(())
        }
        (Invoker::Endpoint, None) => {
            let attempted = attempt(exchange, transfer, gateway, &api.endpoints, None);
            attempted
                .await
                .map_err(|error| error.into_failure(exchange))
        }
        // Boxed: its room would otherwise be part of every exchange.
        (Invoker::Endpoint, Some(failover)) => {
            let endpoints = &api.endpoints;
            Box::pin(failover::call(
                exchange, transfer, gateway, endpoints, failover,
            ))
            .await
        }
    }
}

fn answer_mock(response: &mut ResponseFacts, mock: &MockResponse) {
    response.status = mock.status;
    // What request steps put on the response stays, as with a real endpoint.
    for (name, value) in &mock.headers {
        response.headers.insert(name.clone(), value.clone());
    }
    response.content.set(mock.content.clone());
}

/// Why an attempt brought no response.
pub(super) enum AttemptError {
    /// No endpoint is alive, or none has the name that was asked for.
    NoEndpoint,
    /// The request itself cannot be sent anywhere.
    Request(Box<Failure>),
    /// The endpoint did not answer.
    Upstream(UpstreamError),
    /// No response head came within the time of one attempt.
    Slow,
}

impl AttemptError {
    fn into_failure(self, exchange: &Exchange) -> Box<Failure> {
        match self {
            AttemptError::NoEndpoint => no_endpoint(),
            AttemptError::Request(failure) => failure,
            AttemptError::Upstream(error) => failure(error, exchange),
            AttemptError::Slow => Box::new(connection_error()),
        }
    }
}

/// Calls the endpoint whose turn it is, with a `limit` on the time to the response head.
pub(super) async fn attempt(
    exchange: &mut Exchange,
    transfer: &mut Transfer,
    gateway: &Gateway,
    endpoints: &Endpoints,
    limit: Option<Duration>,
) -> Result<(), AttemptError> {
    let destination = destination(exchange, gateway, endpoints).ok_or(AttemptError::NoEndpoint)?;
    let target = match &destination.elsewhere {
        Some((target, _)) => target,
        None => &destination.endpoint.target,
    };
    let mut parts = build_head(exchange, &destination).map_err(AttemptError::Request)?;
    let mut body = build_body(exchange, &mut transfer.request_body);
    if let Some(capture) = &mut transfer.capture {
        let line = (&parts.method, parts.uri.path());
        body = capture.endpoint_request(line, &parts.headers, body);
    }
    let path = gateway
        .access_log
        .as_ref()
        .map(|_| parts.uri.path().to_owned());
    let begun = Instant::now();
    let sending = gateway.pools.send_parts(target, &mut parts, body);
    let sent = match limit {
        None => Some(sending.await),
        Some(limit) => tokio::time::timeout(limit, Box::pin(sending)).await.ok(),
    };
    let (target, duration) = (Arc::clone(target), begun.elapsed());
    let answered = sent.as_ref().and_then(|sent| sent.as_ref().ok());
    destination.endpoint.traffic.count(
        gateway.metrics.number(),
        answered.map(|reply| reply.response.status),
        duration,
    );
    transfer.called = Some(Called {
        target,
        path,
        duration,
    });
    let mut reply = sent.ok_or(AttemptError::Slow)?.map_err(|error| {
        gateway.metrics.upstream_failed(&error);
        AttemptError::Upstream(error)
    })?;
    if let Some(capture) = &mut transfer.capture {
        let Response {
            status,
            headers,
            body,
        } = &mut reply.response;
        *body = capture.endpoint_response(*status, headers, std::mem::take(body));
    }
    let response = &mut exchange.response;
    response.status = reply.response.status;
    merge(&mut response.headers, reply.response.headers);
    transfer.response_body = reply.response.body;
    transfer.upgrade = reply.upgrade;
    Ok(())
}

/// The endpoint's fields join those that request steps put on the response.
fn merge(own: &mut Headers, endpoint: Headers) {
    if own.has_none() {
        *own = endpoint;
        return;
    }
    let mut last = None;
    for (name, value) in endpoint.into_map() {
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

fn build_head(
    exchange: &Exchange,
    destination: &Destination,
) -> Result<RequestParts, Box<Failure>> {
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
        return Err(Box::new(
            failure.with_cause("the endpoint's URL cannot be written"),
        ));
    };
    // The exchange keeps its own: a call may be repeated, and response steps and errors look at the request.
    let mut headers = exchange.request.headers.clone();
    headers.discard(&CONTENT_LENGTH);
    headers.discard(&PROXY_AUTHORIZATION);
    if headers.find(&UPGRADE).is_none() {
        headers.discard(&TRAILER);
    }
    if !destination.endpoint.passes_accept_encoding {
        headers.discard(&ACCEPT_ENCODING);
    }
    for (name, value) in &destination.endpoint.headers {
        headers.set(name.clone(), value.clone());
    }
    Ok(RequestParts {
        method,
        uri,
        version: Version::HTTP_11,
        headers,
    })
}

fn build_body(exchange: &Exchange, streamed: &mut Body) -> Body {
    let facts = &exchange.request;
    match facts.content.bytes() {
        Some(content) => Body::full(content.clone()),
        None => limited(std::mem::take(streamed), facts.body_limit.as_deref()),
    }
}

/// Holds a streaming body to the limit that a policy set.
fn limited(body: Body, limit: Option<&BodyLimit>) -> Body {
    match limit {
        Some(limit) if !body.is_end_stream() => Body::stream(Limited {
            body,
            left: limit.bytes_max,
            bytes_max: limit.bytes_max,
        }),
        _ => body,
    }
}

/// A body that fails when it turns out longer than it may be.
struct Limited {
    body: Body,
    left: u64,
    bytes_max: u64,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(left) = self.left.checked_sub(length) else {
                let bytes_max = self.bytes_max;
                return Poll::Ready(Some(Err(BodyError::TooLarge { bytes_max })));
            };
            self.left = left;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn joined(own: Option<Text>, routed: Option<&str>) -> Option<Text> {
    match (own, routed) {
        (own, None | Some("")) => own,
        (None, Some(routed)) => Some(Text::from(routed)),
        (Some(own), Some(routed)) => Some(Text::from(format!("{own}&{routed}"))),
    }
}

/// The client's method, unless a policy chose another.
fn method(exchange: &Exchange) -> Result<Method, Box<Failure>> {
    let Some(chosen) = exchange
        .attributes
        .get_platform("request.method")
        .and_then(text_of)
    else {
        return Ok(exchange.request.method.clone());
    };
    Method::from_bytes(chosen.as_bytes()).map_err(|_invalid| {
        let failure = Failure::new(StatusCode::BAD_REQUEST).with_key("INVALID_HTTP_METHOD");
        Box::new(failure.with_message("Invalid HTTP method"))
    })
}

fn text_of(value: &Value) -> Option<Text> {
    value.to_text()
}

fn no_endpoint() -> Box<Failure> {
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE);
    Box::new(failure.with_key("NO_ENDPOINT_FOUND"))
}

/// The failure of an endpoint that cannot be reached or broke off.
pub(super) fn connection_error() -> Failure {
    Failure::new(StatusCode::BAD_GATEWAY).with_key("GATEWAY_CLIENT_CONNECTION_ERROR")
}

/// The failure of a request body longer than it may be: what the policy that set the limit says.
fn too_large(exchange: &Exchange) -> Failure {
    let limit = exchange.request.body_limit.as_deref();
    limit.map_or_else(
        || Failure::new(StatusCode::PAYLOAD_TOO_LARGE),
        |limit| limit.failure.clone(),
    )
}

/// The failure of a request whose client left while its body was read.
pub(super) fn client_aborted() -> Failure {
    Failure::new(client_closed_request()).with_key(CLIENT_ABORTED)
}

fn failure(error: UpstreamError, exchange: &Exchange) -> Box<Failure> {
    let failure = match &error {
        UpstreamError::RequestBody(BodyError::TooLarge { .. }) => too_large(exchange),
        UpstreamError::RequestBody(BodyError::ClientAborted) => client_aborted(),
        error if error.is_timeout() => {
            Failure::new(StatusCode::GATEWAY_TIMEOUT).with_key("REQUEST_TIMEOUT")
        }
        _ => connection_error(),
    };
    Box::new(failure.with_cause(error))
}
