//! One connection: the name a client asks for, the endpoint it gets, and how it ends.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tidegate_edge_http::access_log::AccessLog;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

use crate::{
    live::TcpLive,
    metrics::{Ending, Refused, TcpMetrics},
    pipe::{Broken, Flows, Stream, pipe},
    record::{Facts, record},
    routes::TcpApi,
    target::{ConnectError, Target},
};

/// What connections of one listener share.
#[derive(Debug)]
pub(crate) struct Server {
    /// Id that `servers` of a TCP listener may name.
    pub(crate) id: Box<str>,
    pub(crate) tls: Arc<ArcSwap<ServerConfig>>,
    pub(crate) live: Arc<TcpLive>,
    pub(crate) metrics: TcpMetrics,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) edge_id: Arc<str>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retire_grace: Duration,
}

impl Server {
    pub(crate) async fn serve(&self, stream: TcpStream, remote: SocketAddr) {
        let begun = Instant::now();
        let local = stream.local_addr().ok().map(|local| local.ip());
        let shaken = tokio::time::timeout(self.handshake_timeout, self.shake(stream)).await;
        let (client, api, name) = match shaken {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(refused)) => return self.metrics.refused(refused),
            Err(_elapsed) => return self.metrics.refused(Refused::Handshake),
        };
        let counted = self
            .metrics
            .api(api.id.as_str(), |id| self.live.load().api(id).is_some());
        let _open = counted.opened();
        let flows = Flows::new();
        let connected = tokio::time::timeout(self.connect_timeout, reach(&api)).await;
        let (endpoint, ending) = match connected.unwrap_or(Err(Some(ConnectError::Timeout))) {
            Ok((target, endpoint)) => {
                let piping = pipe(client, endpoint, target.idle, &flows);
                let ending = self.until_retired(&api, piping).await;
                (Some(target), ending)
            }
            Err(error) => {
                let api = api.id.as_str();
                let cause = error.map(|error| error.to_string()).unwrap_or_default();
                tracing::debug!(cause, tidegate.api.id = api, "endpoint not reached");
                self.metrics.refused(Refused::Endpoint);
                (None, Ending::Endpoint)
            }
        };
        let passed = flows.passed();
        counted.ended(passed, ending);
        let facts = Facts {
            api: &api,
            name,
            endpoint: endpoint.as_deref(),
            passed,
            ending,
            lasted: begun.elapsed(),
            remote,
            local,
            edge_id: &self.edge_id,
        };
        self.log(facts);
    }

    fn log(&self, facts: Facts<'_>) {
        let Some(log) = &self.access_log else { return };
        if log.record(record(facts)).is_err() {
            self.metrics.record_dropped();
        }
    }

    /// Pipes until both sides have ended, or the API was undeployed and the grace is over.
    async fn until_retired(
        &self,
        api: &TcpApi,
        piping: impl Future<Output = Result<(), Broken>>,
    ) -> Ending {
        let grace = async {
            api.retired.cancelled().await;
            tokio::time::sleep(self.retire_grace).await;
        };
        tokio::select! {
            ended = piping => match ended {
                Ok(()) => Ending::Complete,
                Err(Broken::Idle) => Ending::Idle,
                Err(Broken::Io(error)) => {
                    tracing::debug!(%error, tidegate.api.id = api.id.as_str(), "connection broken");
                    Ending::Broken
                }
            },
            () = grace => Ending::Undeployed,
        }
    }

    /// Reads the name the client asks for; only a known one gets a handshake.
    async fn shake(
        &self,
        stream: TcpStream,
    ) -> Result<(impl Stream + use<>, Arc<TcpApi>, String), Refused> {
        let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
        let hello = acceptor.await.map_err(|_error| Refused::Handshake)?;
        let (api, name) = {
            let hello = hello.client_hello();
            let name = hello.server_name().ok_or(Refused::UnknownName)?;
            let routes = self.live.load();
            let api = routes.find(&self.id, name).ok_or(Refused::UnknownName)?;
            (Arc::clone(api), name.to_owned())
        };
        let client = hello.into_stream(self.tls.load_full()).await;
        Ok((client.map_err(|_error| Refused::Handshake)?, api, name))
    }
}

/// Connects to the first endpoint that answers. When all have failed they are tried again after a wait, as
/// often as the most patient of them wants.
async fn reach(api: &TcpApi) -> Result<(Arc<Target>, Box<dyn Stream>), Option<ConnectError>> {
    let candidates = api.candidates();
    let retries = candidates.iter().map(|target| target.retries()).max();
    let mut failure = None;
    for round in 0..=retries.unwrap_or(0) {
        let trying = candidates.iter().filter(|target| target.retries() >= round);
        if round > 0 {
            let wait = trying.clone().map(|target| target.interval()).min();
            tokio::time::sleep(wait.unwrap_or_default()).await;
        }
        for target in trying {
            match target.connect().await {
                Ok(stream) => return Ok((Arc::clone(target), stream)),
                Err(error) => {
                    let endpoint = &*target.name;
                    tracing::debug!(%error, endpoint, tidegate.api.id = api.id.as_str(), "attempt failed");
                    failure = Some(error);
                }
            }
        }
    }
    Err(failure)
}

/// The address of a client as it is logged: IPv4 in IPv6 is IPv4.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
