//! Kubernetes: the EndpointSlices of a service are listed once and then watched from the version of the list.

mod slices;
#[cfg(test)]
mod tests;

use std::{
    io::Read as _,
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::future::LocalBoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;

use self::slices::{Event, SliceList, Slices};
use super::{
    DiscoveryError, Instance, Provider,
    api_client::{ApiPlace, encoded},
};
use crate::{body::Body, upstream::UpstreamPools};

/// How long one watch may last; the API server ends it then, and the next begins where it was.
const WATCH_SECONDS: u32 = 290;

/// Time for an answer, and longest silence of a watch: a connection that died is noticed then.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(305);

/// Time for a list: unlike a watch it is answered at once.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Slices of one page of a list.
const PAGE_SLICES: u32 = 250;

/// Pages of one list: with the slices of a page, more endpoints than are kept.
const PAGES_MAX: usize = 40;

/// Largest page. A slice holds 100 endpoints, rarely 1000.
const PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest line of a watch: one slice.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest token.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// The EndpointSlices of a service.
#[derive(Debug, Clone)]
pub(crate) struct KubernetesSource {
    pub(super) place: ApiPlace,
    pub(super) namespace: Box<str>,
    pub(super) service: Box<str>,
    pub(super) port: Option<Box<str>>,
    pub(super) token_file: Option<Box<str>>,
}

/// Follows the slices of a service.
pub(super) struct Kubernetes {
    source: KubernetesSource,
    pools: UpstreamPools,
    slices: Slices,
    /// The version up to which `slices` is known; `None` asks for a list.
    version: Option<String>,
    watch: Option<Watch>,
}

/// An open watch.
struct Watch {
    body: Body,
    read: BytesMut,
    begun: Instant,
}

/// How reading an event ended without one.
enum End {
    /// The server ended the watch in order.
    Over,
    /// The version is too old to go on from.
    Gone,
    Failed(DiscoveryError),
}

impl<E: Into<DiscoveryError>> From<E> for End {
    fn from(error: E) -> Self {
        End::Failed(error.into())
    }
}

impl Kubernetes {
    pub(super) fn new(source: KubernetesSource, pools: UpstreamPools) -> Self {
        let slices = Slices::new(source.port.clone());
        Self {
            source,
            pools,
            slices,
            version: None,
            watch: None,
        }
    }

    /// Where the slices of the service are; `query` is added to their selection.
    fn path(&self, query: &str) -> String {
        let KubernetesSource {
            namespace, service, ..
        } = &self.source;
        format!(
            "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?labelSelector={}{}{query}",
            encoded(namespace),
            "kubernetes.io%2Fservice-name%3D",
            encoded(service),
        )
    }

    fn headers(&self) -> Result<HeaderMap, DiscoveryError> {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json);
        if let Some(file) = &self.source.token_file {
            headers.insert(header::AUTHORIZATION, bearer(file)?);
        }
        Ok(headers)
    }

    /// Reads all slices, page by page.
    async fn list(&mut self) -> Result<(), DiscoveryError> {
        let mut slices = Slices::new(self.source.port.clone());
        let mut following = String::new();
        for _ in 0..PAGES_MAX {
            let path = self.path(&format!("&limit={PAGE_SLICES}{following}"));
            let place = &self.source.place;
            let page = place.read(&self.pools, &path, self.headers()?, PAGE_BYTES_MAX);
            let (_, content) = page.await?;
            let SliceList { metadata, items } = serde_json::from_slice(&content)?;
            for slice in items.unwrap_or_default() {
                slices.put(slice);
            }
            match metadata.next_page {
                Some(token) if !token.is_empty() => {
                    following = format!("&continue={}", encoded(&token));
                }
                Some(_) | None => {
                    self.version = Some(metadata.resource_version);
                    self.slices = slices;
                    return Ok(());
                }
            }
        }
        Err(DiscoveryError::Unusable("too many pages"))
    }

    /// Begins to watch from the version that is known.
    async fn watch(&self, version: &str) -> Result<Watch, End> {
        let version = encoded(version);
        let path = self.path(&format!(
            "&watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}"
        ));
        let headers = self.headers().map_err(End::Failed)?;
        let place = &self.source.place;
        let (parts, body) = place.get(&self.pools, &path, headers).await?.into_parts();
        match parts.status {
            StatusCode::OK => Ok(Watch {
                body,
                read: BytesMut::new(),
                begun: Instant::now(),
            }),
            StatusCode::GONE => Err(End::Gone),
            other => Err(End::Failed(DiscoveryError::Status(other.as_u16()))),
        }
    }

    /// Lists at the first time, and watches from then on; tells when endpoints may have changed.
    async fn follow(&mut self) -> Result<(), DiscoveryError> {
        loop {
            let Some(version) = self.version.clone() else {
                self.watch = None;
                let listed = tokio::time::timeout(LIST_TIMEOUT, self.list()).await;
                return listed.unwrap_or(Err(DiscoveryError::Timeout));
            };
            let mut watch = match self.watch.take() {
                Some(watch) => watch,
                None => match self.watch(&version).await {
                    Ok(watch) => watch,
                    Err(End::Failed(error)) => return Err(error),
                    Err(End::Gone | End::Over) => {
                        self.version = None;
                        continue;
                    }
                },
            };
            match watch.next().await {
                Ok(event) => {
                    self.watch = Some(watch);
                    if self.take(event)? {
                        return Ok(());
                    }
                }
                Err(End::Gone) => self.version = None,
                // Going on from the same version loses nothing; a server that ends every watch at once
                // is as good as one that fails.
                Err(End::Over) if watch.begun.elapsed() >= Duration::from_secs(1) => {}
                Err(End::Over) => return Err(DiscoveryError::Unusable("an early end")),
                Err(End::Failed(error)) => return Err(error),
            }
        }
    }

    /// Notes an event; true if it may have changed the endpoints.
    fn take(&mut self, event: Event) -> Result<bool, DiscoveryError> {
        match event {
            Event::Changed(slice) => {
                self.version = Some(slice.version().to_owned());
                self.slices.put(slice);
                Ok(true)
            }
            Event::Deleted(slice) => {
                self.version = Some(slice.version().to_owned());
                self.slices.remove(&slice);
                Ok(true)
            }
            Event::Bookmark(version) => {
                self.version = Some(version);
                Ok(false)
            }
            Event::Gone => {
                self.version = None;
                Ok(false)
            }
            Event::Failed(status) => {
                self.version = None;
                Err(DiscoveryError::Status(status))
            }
        }
    }
}

impl Provider for Kubernetes {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Vec<Instance>, DiscoveryError>> {
        Box::pin(async move {
            self.follow().await?;
            Ok(self.slices.instances())
        })
    }
}

impl Watch {
    /// Reads one line. Called again after it was dropped it goes on where it was: what was read is kept.
    async fn next(&mut self) -> Result<Event, End> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.read) {
                let line = self.read.split_to(end + 1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Event::parse(&line)?);
            }
            if self.read.len() > LINE_BYTES_MAX {
                return Err(DiscoveryError::Unusable("a line that is too long").into());
            }
            match self.frame().await? {
                Some(data) => self.read.extend_from_slice(&data),
                None if self.read.is_empty() => return Err(End::Over),
                None => return Err(DiscoveryError::Unusable("half a line at its end").into()),
            }
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, DiscoveryError> {
        let body = &mut self.body;
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
        {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// The token, read each time: Kubernetes replaces it before it expires.
fn bearer(file: &str) -> Result<HeaderValue, DiscoveryError> {
    let failed = |source| DiscoveryError::File {
        file: file.into(),
        source,
    };
    let mut token = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(TOKEN_BYTES_MAX).read_to_string(&mut token))
        .map_err(failed)?;
    let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
    let mut value = value.map_err(|_invalid| failed(std::io::ErrorKind::InvalidData.into()))?;
    value.set_sensitive(true);
    Ok(value)
}
