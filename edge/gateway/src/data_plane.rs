//! Starts the HTTP data plane: worker threads that share nothing but the live configuration.

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
use tokio_util::sync::CancellationToken;

use crate::config::{ClientAuth, Config, Https};

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
}

/// The running data plane.
#[derive(Debug)]
pub(crate) struct DataPlane {
    pub(crate) workers: Workers,
    access_log: Option<AccessLogWriter>,
    watch: Watch,
}

impl DataPlane {
    /// Binds the addresses of `config` and serves whatever `live` holds.
    pub(crate) fn start(
        config: &Config,
        node: &NodeFacts,
        live: &Arc<Live>,
        metrics: &Metrics,
        drain: CancellationToken,
    ) -> Result<Self, DataPlaneError> {
        let https = config.listen.https.as_ref().map(https_bind).transpose()?;
        let binds = Binds {
            http: Some(config.listen.http),
            https,
        };
        let (log, writer) = match config.access_log.clone() {
            None => (None, None),
            Some(target) => {
                let (log, writer) = AccessLog::start(target).map_err(DataPlaneError::AccessLog)?;
                (Some(log), Some(writer))
            }
        };
        let watched = Arc::clone(live);
        let (node, live, metrics) = (node.clone(), Arc::clone(live), metrics.clone());
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
            watch,
            access_log: writer,
        })
    }

    /// Stops taking connections and lets exchanges in flight finish; false if some did not in time.
    pub(crate) fn drain(self) -> bool {
        let in_time = self.workers.drain();
        drop(self.watch);
        if let (true, Some(writer)) = (in_time, self.access_log) {
            writer.join();
        }
        in_time
    }
}

fn https_bind(
    https: &Https,
) -> Result<(std::net::SocketAddr, Arc<ArcSwap<ServerConfig>>), DataPlaneError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| DataPlaneError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&https.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(&https.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&https.key).map_err(pem(&https.key))?;
    let builder = ServerConfig::builder();
    let builder = match client_verifier(&https.client_auth)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((https.address, Arc::new(ArcSwap::from_pointee(config))))
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
