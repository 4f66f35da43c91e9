//! GET requests to the HTTP APIs of sources.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Uri, uri::PathAndQuery};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::DiscoveryError;
use crate::{
    body::Body,
    upstream::{TargetOptions, TlsOptions, UpstreamPools, UpstreamTarget},
};

/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections to one source: each group holds one while it waits for a change.
const CONNECTIONS_MAX: usize = 65_536;

/// Where an API is, ready to be called.
#[derive(Debug, Clone)]
pub(crate) struct ApiPlace {
    pub(super) target: Arc<UpstreamTarget>,
    /// Path in front of all calls, without a slash at its end.
    pub(super) base: Box<str>,
}

/// What of a URL cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("a URL such as https://host:port")]
pub(crate) struct InvalidUrl;

impl ApiPlace {
    /// `tls` is used if the URL asks for it. An answer may take `answer_timeout`, and be silent as long.
    pub(super) fn new(
        url: &str,
        tls: TlsOptions,
        answer_timeout: Duration,
    ) -> Result<Self, InvalidUrl> {
        let uri: Uri = url.parse().map_err(|_invalid| InvalidUrl)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(InvalidUrl),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(InvalidUrl)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let mut options = TargetOptions::new(host, port);
        options.tls = is_tls.then_some(tls);
        options.connect_timeout = CONNECT_TIMEOUT;
        options.read_timeout = answer_timeout;
        options.idle_timeout = answer_timeout;
        options.connections_max = CONNECTIONS_MAX;
        Ok(Self {
            target: UpstreamTarget::intern(options).map_err(|_unusable| InvalidUrl)?,
            base: uri.path().trim_end_matches('/').into(),
        })
    }

    /// Asks for `path` (with its query) and returns the answer whatever its status.
    pub(super) async fn get(
        &self,
        pools: &UpstreamPools,
        path: &str,
        headers: HeaderMap,
    ) -> Result<http::Response<Body>, DiscoveryError> {
        let text = format!("{}{path}", self.base);
        let path: PathAndQuery = text
            .parse()
            .map_err(|_invalid| DiscoveryError::Unusable("no usable path"))?;
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = headers;
        let reply = pools.send(&self.target, request).await?;
        Ok(http::Response::from(reply.response))
    }

    /// Asks for `path` and reads an answer of status 200 whole.
    pub(super) async fn read(
        &self,
        pools: &UpstreamPools,
        path: &str,
        headers: HeaderMap,
        bytes_max: u64,
    ) -> Result<(HeaderMap, Bytes), DiscoveryError> {
        let (parts, body) = self.get(pools, path, headers).await?.into_parts();
        if parts.status != http::StatusCode::OK {
            return Err(DiscoveryError::Status(parts.status.as_u16()));
        }
        Ok((parts.headers, body.collect(bytes_max).await?))
    }
}

/// A part of a path or a query.
pub(super) fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
