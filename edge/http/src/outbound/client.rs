//! Calls over the connections of the worker's pools.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    error::Error,
    sync::Arc,
};

use bytes::Bytes;
use http::{
    Request, Response, Uri,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    uri::PathAndQuery,
};
use tidegate_keystore::pem_certificates;
use tidegate_policy::{BoxFuture, CallError, CallOptions, HttpClient, OutboundCall};

use super::{OutboundSettings, redirect};
use crate::{
    body::{Body, BodyError},
    upstream::{
        TargetError, TargetOptions, TlsOptions, UpstreamError, UpstreamPools, UpstreamTarget,
        Verification,
    },
};

/// Targets kept ready. A URL may hold expressions, so that requests choose hosts.
const TARGETS_MAX: usize = 256;

/// Calls other systems; calls with equal options to one place share connections.
#[derive(Debug)]
pub(super) struct PooledClient {
    pools: UpstreamPools,
    settings: OutboundSettings,
    targets: RefCell<HashMap<Place, Known, ahash::RandomState>>,
    /// Counts calls, to tell which target was used last.
    clock: Cell<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    is_tls: bool,
    host: Box<str>,
    port: u16,
    options: Arc<CallOptions>,
}

#[derive(Debug)]
struct Known {
    target: Arc<UpstreamTarget>,
    used: u64,
}

impl PooledClient {
    pub(super) fn new(pools: UpstreamPools, settings: OutboundSettings) -> Self {
        Self {
            pools,
            settings,
            targets: RefCell::default(),
            clock: Cell::new(0),
        }
    }

    async fn follow(
        &self,
        mut request: Request<Bytes>,
        options: &Arc<CallOptions>,
    ) -> Result<Response<Bytes>, CallError> {
        let mut redirects_left = options.redirects_max;
        loop {
            let copy = (redirects_left > 0).then(|| request.clone());
            let response = self.exchange(request, options).await?;
            match copy.and_then(|sent| redirect::following(sent, &response)) {
                None => return Ok(response),
                Some(following) => request = following,
            }
            redirects_left -= 1;
        }
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        options: &Arc<CallOptions>,
    ) -> Result<Response<Bytes>, CallError> {
        let place = Place::of(request.uri(), options)?;
        let target = self.target(place)?;
        let (mut parts, content) = request.into_parts();
        let path = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        // Framing follows from the content, and a call never switches protocols.
        for name in [CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE] {
            parts.headers.remove(name);
        }
        let request = Request::from_parts(parts, Body::full(content));
        let sent = self.pools.send(&target, request).await;
        let reply = sent.map_err(|error| unsent(&error, &target))?;
        let (parts, body) = Response::from(reply.response).into_parts();
        let bytes_max = options.response_bytes_max;
        let content = body.collect(bytes_max).await.map_err(|error| match error {
            BodyError::TooLarge { bytes_max } => CallError::TooLarge { bytes_max },
            BodyError::Timeout => CallError::Timeout,
            other => CallError::Broken(described(&other)),
        })?;
        Ok(Response::from_parts(parts, content))
    }

    /// The target of a place, made on the first call to it.
    fn target(&self, place: Place) -> Result<Arc<UpstreamTarget>, CallError> {
        let now = self.clock.get() + 1;
        self.clock.set(now);
        let mut targets = self.targets.borrow_mut();
        if let Some(known) = targets.get_mut(&place) {
            known.used = now;
            return Ok(Arc::clone(&known.target));
        }
        let target = UpstreamTarget::intern(self.target_options(&place)?)
            .map_err(|error| unusable(&error, &place.host))?;
        if targets.len() >= TARGETS_MAX {
            let oldest = targets.iter().min_by_key(|(_, known)| known.used);
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                targets.remove(&oldest);
            }
        }
        let known = Known {
            target: Arc::clone(&target),
            used: now,
        };
        targets.insert(place, known);
        Ok(target)
    }

    fn target_options(&self, place: &Place) -> Result<TargetOptions, CallError> {
        let call = &place.options;
        let pem = call.trusted_certificates.as_ref();
        let roots = pem
            .map(|pem| pem_certificates(pem.as_bytes()))
            .transpose()
            .map_err(|error| CallError::Connect(described(&error)))?;
        let mut options = TargetOptions::new(&*place.host, place.port);
        options.connect_timeout = call.connect_timeout;
        options.read_timeout = call.timeout;
        options.idle_timeout = call.timeout;
        options.addresses = self.settings.addresses;
        options.tls = place.is_tls.then(|| TlsOptions {
            verification: if call.verify_peer {
                Verification::Full
            } else {
                Verification::TrustAll
            },
            roots,
            adds_system_roots: true,
            ..TlsOptions::default()
        });
        if call.use_system_proxy {
            let proxy = self.settings.system_proxy.clone();
            let missing = || CallError::Refused("this edge has no system proxy".to_owned());
            options.proxy = Some(proxy.ok_or_else(missing)?);
        }
        Ok(options)
    }
}

impl HttpClient for PooledClient {
    fn send(&self, call: OutboundCall) -> BoxFuture<'_, Result<Response<Bytes>, CallError>> {
        Box::pin(async move {
            let OutboundCall { request, options } = call;
            let whole = tokio::time::timeout(options.timeout, self.follow(request, &options));
            whole.await.unwrap_or(Err(CallError::Timeout))
        })
    }
}

impl Place {
    fn of(uri: &Uri, options: &Arc<CallOptions>) -> Result<Self, CallError> {
        let invalid = |what: &str| CallError::InvalidUrl(what.to_owned());
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(invalid(other)),
            None => return Err(invalid("no scheme")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid("no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            is_tls,
            host: host.into(),
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            options: Arc::clone(options),
        })
    }
}

fn unusable(error: &TargetError, host: &str) -> CallError {
    match error {
        TargetError::Host => CallError::InvalidUrl(host.to_owned()),
        TargetError::Tls(error) => CallError::Connect(described(error)),
    }
}

fn unsent(error: &UpstreamError, target: &UpstreamTarget) -> CallError {
    match error {
        UpstreamError::Resolve(_) => CallError::UnknownHost(target.options().host.clone()),
        UpstreamError::Forbidden(_) => CallError::Refused(error.to_string()),
        UpstreamError::Connect(_)
        | UpstreamError::Proxy(_)
        | UpstreamError::Tls(_)
        | UpstreamError::PoolExhausted { .. } => CallError::Connect(described(error)),
        UpstreamError::Timeout(_) => CallError::Timeout,
        UpstreamError::Io(_)
        | UpstreamError::Closed
        | UpstreamError::Protocol(_)
        | UpstreamError::Http2(_)
        | UpstreamError::Request(_)
        | UpstreamError::RequestBody(_) => CallError::Broken(described(error)),
    }
}

/// An error with what caused it.
fn described(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
