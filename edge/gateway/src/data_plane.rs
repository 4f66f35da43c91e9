//! Starts the data plane: worker threads for HTTP that share nothing but the live configuration, and threads
//! for TCP if there is a listener for it.

use std::{io, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tidegate_edge_http::{
    Gateway, GatewayParts, GatewaySettings, Live,
    access_log::{AccessLog, AccessLogWriter},
    bind::{Binds, StartError, Workers, start_workers},
    compile::NodeFacts,
    metrics::Metrics,
    server::Limits,
    watch::Watch,
};
use tidegate_edge_tcp::{TcpEdge, TcpLimits, TcpListen, TcpLive, TcpMetrics, TcpParts};
use tokio_util::sync::CancellationToken;

use crate::config::{ClientAuth, Config, Tls};

/// Why the data plane cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataPlaneError {
    #[error("{path} is not a PEM certificate or key")]
    Pem {
        path: PathBuf,
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    #[error("certificate and key do not fit together")]
    Tls(#[from] rustls::Error),
    #[error("certificates of clients cannot be checked")]
    ClientVerifier(#[from] VerifierBuilderError),
    #[error("the access log cannot be opened")]
    AccessLog(#[source] io::Error),
    #[error("endpoints cannot be watched")]
    Watch(#[source] io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    StartTcp(#[from] tidegate_edge_tcp::StartError),
}

/// What the data plane serves, and where it counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Metrics,
    pub(crate) tcp_live: Arc<TcpLive>,
    pub(crate) tcp_metrics: TcpMetrics,
}

/// The running data plane.
#[derive(Debug)]
pub(crate) struct DataPlane {
    pub(crate) workers: Workers,
    pub(crate) tcp: Option<TcpEdge>,
    access_log: Option<AccessLogWriter>,
    watch: Watch,
}

impl DataPlane {
    /// Binds the addresses of `config` and serves whatever `shared` holds.
    pub(crate) fn start(
        config: &Config,
        node: &NodeFacts,
        shared: &Shared,
        drain: CancellationToken,
    ) -> Result<Self, DataPlaneError> {
        let listen = &config.listen;
        let tls = listen.tls.as_ref().map(server_config).transpose()?;
        let https = listen.https.as_ref().zip(tls.clone());
        let binds = Binds {
            http: Some(listen.http.address),
            https: https.map(|(server, tls)| (server.address, with_http_protocols(tls))),
        };
        let (log, writer) = match config.access_log.clone() {
            None => (None, None),
            Some(target) => {
                let (log, writer) = AccessLog::start(target).map_err(DataPlaneError::AccessLog)?;
                (Some(log), Some(writer))
            }
        };
        let tcp = tls.filter(|_| !listen.tcp.is_empty());
        let tcp = tcp.map(|tls| start_tcp(config, node, tls, shared, log.clone()));
        let tcp = tcp.transpose()?;
        let watched = Arc::clone(&shared.live);
        let (live, metrics) = (Arc::clone(&shared.live), shared.metrics.clone());
        let node = node.clone();
        let workers = config.workers;
        // Made once: the limits of clients hold for all workers together.
        let settings = GatewaySettings {
            outbound: config.outbound.clone(),
            policy_settings: config.policy_settings.clone(),
            ..GatewaySettings::default()
        };
        let make_handler = move |_worker: usize| {
            Gateway::new(GatewayParts {
                live: Arc::clone(&live),
                node: &node,
                metrics: metrics.worker(),
                access_log: log.clone(),
                settings: settings.clone(),
                workers,
            })
        };
        let limits = Limits {
            drain_timeout: config.drain_timeout,
            ..Limits::default()
        };
        let workers = start_workers(workers, &binds, make_handler, &limits, drain)?;
        let watch = Watch::start(watched).map_err(DataPlaneError::Watch)?;
        Ok(Self {
            workers,
            tcp,
            watch,
            access_log: writer,
        })
    }

    /// Stops taking connections and lets exchanges in flight finish; false if some did not in time.
    pub(crate) fn drain(self) -> bool {
        // Both sides drain at the same time.
        if let Some(tcp) = &self.tcp {
            tcp.stop();
        }
        let http_in_time = self.workers.drain();
        let tcp_in_time = self.tcp.is_none_or(TcpEdge::drain);
        let in_time = http_in_time && tcp_in_time;
        drop(self.watch);
        if let (true, Some(writer)) = (in_time, self.access_log) {
            writer.join();
        }
        in_time
    }
}

fn start_tcp(
    config: &Config,
    node: &NodeFacts,
    tls: ServerConfig,
    shared: &Shared,
    access_log: Option<AccessLog>,
) -> Result<TcpEdge, DataPlaneError> {
    let tls = Arc::new(ArcSwap::from_pointee(tls));
    let listeners = config.listen.tcp.iter().map(|server| TcpListen {
        id: server.id.clone(),
        address: server.address,
        tls: Arc::clone(&tls),
    });
    Ok(TcpEdge::start(TcpParts {
        listeners: listeners.collect(),
        live: Arc::clone(&shared.tcp_live),
        metrics: shared.tcp_metrics.clone(),
        access_log,
        edge_id: node.id.clone(),
        limits: TcpLimits {
            drain_timeout: config.drain_timeout,
            ..TcpLimits::default()
        },
        threads: config.workers,
    })?)
}

/// HTTPS clients choose between HTTP/2 and HTTP/1.1.
fn with_http_protocols(mut config: ServerConfig) -> Arc<ArcSwap<ServerConfig>> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(ArcSwap::from_pointee(config))
}

fn server_config(tls: &Tls) -> Result<ServerConfig, DataPlaneError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| DataPlaneError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(pem(&tls.key))?;
    let builder = ServerConfig::builder();
    let builder = match client_verifier(&tls.client_auth)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_single_cert(chain, key)?)
}

/// Who checks the certificates of clients; nobody if they are not asked.
fn client_verifier(
    client_auth: &ClientAuth,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, DataPlaneError> {
    let (path, is_required) = match client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Request(path) => (path, false),
        ClientAuth::Required(path) => (path, true),
    };
    let pem = |source| DataPlaneError::Pem {
        path: path.clone(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(pem)? {
        roots.add(certificate.map_err(pem)?)?;
    }
    let builder = WebPkiClientVerifier::builder(Arc::new(roots));
    let builder = if is_required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    Ok(Some(builder.build()?))
}
