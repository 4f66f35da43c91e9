//! How a node comes up and goes down: every part and its wiring, in order.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tidegate_consensus::{Consensus, Member, Options, PeerTls, Timing};
use tidegate_proto::admin::v1::{
    api_service_server::ApiServiceServer, application_service_server::ApplicationServiceServer,
    asset_service_server::AssetServiceServer, cluster_service_server::ClusterServiceServer,
    edge_service_server::EdgeServiceServer, subscription_service_server::SubscriptionServiceServer,
    token_service_server::TokenServiceServer, watch_service_server::WatchServiceServer,
};
use tidegate_telemetry::tasks::Tasks;
use tidegate_view::Signer;
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::ClientTlsConfig};

use crate::{
    admin::{
        ApiService, ApplicationService, AssetService, ClusterService, EdgeService, Mint, Store,
        SubscriptionService, TokenService, WatchService,
    },
    auth::{Authenticator, GateLayer},
    bootstrap,
    config::{self, Config},
    edges::{self, EdgeDirectory, Peers},
    ports::{self, Addresses, Ports},
    sync::{self, SyncParts},
    tls::Material,
    views::Views,
};

/// Largest message about APIs: several documents of 4 MiB, and the answer to them.
const API_MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Time leadership, calls in progress and background tasks each get to end.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Time connections get to close once the streams of edges were given theirs.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Runs a node until it is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let stop = ports::stop_signal().context("cannot listen for signals")?;
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    let ports = Ports::bind(&config).await?;
    let tls = Material::load(
        config.tls.as_ref(),
        &config.data_dir,
        &[ports.addresses.grpc, ports.addresses.raft],
    )?;
    let cluster_id = cluster_id(&config)?;
    let consensus = Consensus::open(options(&config, &cluster_id, &ports.addresses, &tls))
        .await
        .context("cannot open consensus")?;
    let tasks = Tasks::new();
    let raft_stop = CancellationToken::new();
    let node = Node {
        config,
        cluster_id,
        addresses: ports.addresses,
        tls,
        consensus: consensus.clone(),
        tasks: tasks.clone(),
    };
    let mut raft = None;
    let outcome = node.serve(ports, stop, &raft_stop, &mut raft).await;
    // However serving ended: consensus that is dropped while it runs looks dead to its supervisor.
    tasks.stop(DRAIN_TIME).await;
    consensus.shutdown().await;
    raft_stop.cancel();
    if let Some(raft) = raft.filter(|raft| !raft.is_finished()) {
        let _ = tokio::time::timeout(DRAIN_TIME, raft).await;
    }
    tracing::info!("stopped");
    outcome
}

type Serving = JoinHandle<Result<(), tonic::transport::Error>>;

/// A node whose storage is open.
struct Node {
    config: Config,
    cluster_id: String,
    addresses: Addresses,
    tls: Material,
    consensus: Consensus,
    tasks: Tasks,
}

impl Node {
    /// Serves both ports until `stop`, then drains the one of operators and edges. The one between nodes, left in
    /// `raft_port`, is needed until consensus has ended.
    async fn serve(
        &self,
        ports: Ports,
        stop: impl Future<Output = ()>,
        raft_stop: &CancellationToken,
        raft_port: &mut Option<Serving>,
    ) -> anyhow::Result<()> {
        // Streams of operators end at once when the node leaves; those of edges get time to move.
        let calls = Tasks::new();
        let drain = CancellationToken::new();
        let node_id = self.config.placement.node_id;
        let peers = Peers::new(
            self.consensus.clone(),
            self.cluster_id.clone(),
            node_id,
            self.tls.mutual_client(),
        );
        let edges = EdgeDirectory::start(node_id, peers, &self.tasks);
        let raft = ports::server(self.tls.mutual_server())?
            .add_service(self.consensus.raft_service())
            .add_service(edges::peer_service(Arc::clone(&edges)))
            .serve_with_incoming_shutdown(
                ports::incoming(ports.raft),
                raft_stop.clone().cancelled_owned(),
            );
        let raft = raft_port.insert(tokio::spawn(raft));
        tokio::pin!(stop);
        let mut grpc = tokio::select! {
            () = &mut stop => return Ok(()),
            grpc = self.serve_clients(ports.grpc, &edges, &calls, &drain) => grpc?,
        };
        let outcome = tokio::select! {
            () = &mut stop => Ok(()),
            ended = &mut grpc => return port_ended(ended, "gRPC"),
            ended = raft => port_ended(ended, "Raft"),
        };
        tracing::info!("draining");
        drain.cancel();
        hand_over(&self.consensus).await;
        calls.stop(DRAIN_TIME).await;
        let _ = tokio::time::timeout(sync::Settings::default().drain + CLOSE_TIME, grpc).await;
        outcome
    }

    /// Joins the cluster, then serves operators and edges in the background.
    async fn serve_clients(
        &self,
        listener: TcpListener,
        edges: &Arc<EdgeDirectory>,
        calls: &Tasks,
        drain: &CancellationToken,
    ) -> anyhow::Result<Serving> {
        let consensus = &self.consensus;
        let signer = join(&self.config, &self.cluster_id, &self.addresses, consensus).await?;
        crate::feeds::start(
            consensus.clone(),
            self.config.allows_link_local,
            &self.tasks,
        )
        .context("cannot prepare calls to providers of entries")?;
        let services = services(consensus, signer, edges, (&self.tasks, calls), drain).await?;
        let authenticator = Authenticator::new(Arc::new(consensus.state()));
        let grpc = ports::server(self.tls.server())?
            .layer(GateLayer::new(authenticator))
            .add_routes(services)
            .serve_with_incoming_shutdown(
                ports::incoming(listener),
                drain.clone().cancelled_owned(),
            );
        let grpc = tokio::spawn(grpc);
        announce(&self.config, &self.addresses)?;
        Ok(grpc)
    }
}

/// A port that stops serving on its own has failed.
fn port_ended(
    ended: Result<Result<(), tonic::transport::Error>, JoinError>,
    port: &str,
) -> anyhow::Result<()> {
    ended
        .map_err(anyhow::Error::from)
        .and_then(|served| Ok(served?))
        .with_context(|| format!("the {port} port failed"))
}

fn cluster_id(config: &Config) -> anyhow::Result<String> {
    match &config.placement.cluster_id {
        Some(id) => Ok(id.clone()),
        None => Ok(bootstrap::cluster_id(&config.data_dir)?),
    }
}

fn options(config: &Config, cluster_id: &str, addresses: &Addresses, tls: &Material) -> Options {
    let me = member(config, addresses);
    Options {
        node_id: config.placement.node_id,
        cluster_id: cluster_id.to_owned(),
        data_dir: config.data_dir.clone(),
        raft_address: me.raft_address,
        grpc_address: me.grpc_address,
        tls: PeerTls {
            ca_pem: String::from_utf8_lossy(&tls.ca_pem).into_owned(),
            cert_pem: String::from_utf8_lossy(&tls.cert_pem).into_owned(),
            key_pem: String::from_utf8_lossy(&tls.key_pem).into_owned(),
        },
        timing: match config.placement.timing {
            config::Timing::Lan => Timing::lan(),
            config::Timing::Dev => Timing::dev(),
        },
        peers: members(config, addresses),
    }
}

/// This node as others reach it: as the list of peers says, else where it listens.
fn member(config: &Config, addresses: &Addresses) -> Member {
    let placement = &config.placement;
    match placement
        .peers
        .iter()
        .find(|peer| peer.id == placement.node_id)
    {
        Some(peer) => Member {
            id: peer.id,
            raft_address: peer.raft_address(),
            grpc_address: peer.grpc_address(),
        },
        None => Member {
            id: placement.node_id,
            raft_address: addresses.raft.to_string(),
            grpc_address: addresses.grpc.to_string(),
        },
    }
}

fn members(config: &Config, addresses: &Addresses) -> Vec<Member> {
    let placement = &config.placement;
    if placement.peers.is_empty() {
        return vec![member(config, addresses)];
    }
    placement
        .peers
        .iter()
        .map(|peer| Member {
            id: peer.id,
            raft_address: peer.raft_address(),
            grpc_address: peer.grpc_address(),
        })
        .collect()
}

/// Creates the cluster if this node is to, waits until it is part of it, and gives its signing key.
async fn join(
    config: &Config,
    cluster_id: &str,
    addresses: &Addresses,
    consensus: &Consensus,
) -> anyhow::Result<Arc<dyn Signer>> {
    let placement = &config.placement;
    let lone = placement.peers.is_empty();
    if lone && !placement.bootstrap && !consensus.is_initialized() {
        return Err(bootstrap::BootstrapError::NoCluster.into());
    }
    let signer = bootstrap::signer(&config.keys.signing_key, placement.bootstrap).await?;
    if placement.bootstrap {
        let members = members(config, addresses);
        bootstrap::create(consensus, cluster_id, members, &config.keys, &*signer).await?;
    }
    bootstrap::await_cluster(consensus, &*signer).await?;
    Ok(signer)
}

/// Everything the gRPC port serves.
async fn services(
    consensus: &Consensus,
    signer: Arc<dyn Signer>,
    edges: &Arc<EdgeDirectory>,
    (tasks, calls): (&Tasks, &Tasks),
    drain: &CancellationToken,
) -> anyhow::Result<Routes> {
    let store = Store::new(consensus.clone());
    let mint = Mint::new(Arc::clone(&signer));
    let views = Views::start(consensus.clone(), signer, tasks);
    let parts = SyncParts {
        consensus: consensus.clone(),
        views,
        edges: Arc::clone(edges),
        auth: Arc::new(Authenticator::new(Arc::new(consensus.state()))),
        settings: sync::Settings::default(),
        drain: drain.clone(),
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_service_status("", tonic_health::ServingStatus::Serving)
        .await;
    let leaving = drain.clone();
    tasks.spawn("health", async move {
        leaving.cancelled().await;
        health
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
    });
    let apis = ApiService::new(store.clone(), Arc::clone(edges), calls.clone());
    let apis = ApiServiceServer::new(apis)
        .max_decoding_message_size(API_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(API_MESSAGE_BYTES_MAX);
    let assets = AssetService::new(store.clone(), Arc::clone(edges));
    let assets = AssetServiceServer::new(assets)
        .max_decoding_message_size(API_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(API_MESSAGE_BYTES_MAX);
    let subscriptions = SubscriptionService::new(store.clone(), mint.clone(), Arc::clone(edges));
    Ok(Routes::new(apis)
        .add_service(ApplicationServiceServer::new(ApplicationService::new(
            store.clone(),
        )))
        .add_service(assets)
        .add_service(SubscriptionServiceServer::new(subscriptions))
        .add_service(TokenServiceServer::new(TokenService::new(
            store.clone(),
            mint,
        )))
        .add_service(EdgeServiceServer::new(EdgeService::new(
            store.clone(),
            Arc::clone(edges),
        )))
        .add_service(ClusterServiceServer::new(ClusterService::new(
            store.clone(),
        )))
        .add_service(WatchServiceServer::new(WatchService::new(
            store,
            calls.clone(),
        )))
        .add_service(sync::service(parts, tasks))
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tidegate_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Gives leadership away before leaving, so that writes do not wait for an election.
async fn hand_over(consensus: &Consensus) {
    let status = consensus.status();
    if !status.is_leader || status.members.len() < 2 {
        return;
    }
    match tokio::time::timeout(DRAIN_TIME, consensus.transfer_leader(None)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "leadership was not handed over"),
        Err(_elapsed) => tracing::warn!("leadership was not handed over in time"),
    }
}

/// Tells scripts and people that the node serves, and where.
fn announce(config: &Config, addresses: &Addresses) -> anyhow::Result<()> {
    addresses.write(&config.data_dir)?;
    let ca = match &config.tls {
        Some(files) => files.ca.clone(),
        None => config.data_dir.join("tls").join("ca.pem"),
    };
    let line = serde_json::json!({
        "ready": true,
        "id": addresses.id,
        "grpc": addresses.grpc.to_string(),
        "raft": addresses.raft.to_string(),
        "admin_token_file": config.keys.admin_token,
        "edge_token_file": config.keys.edge_token,
        "trust_pin_file": config.keys.trust_pin,
        "ca_file": ca,
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("cannot print the ready line")?;
    tracing::info!(grpc = %addresses.grpc, raft = %addresses.raft, "serving");
    Ok(())
}

impl Material {
    /// The client side of the Raft port.
    fn mutual_client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(tonic::transport::Certificate::from_pem(&self.ca_pem))
            .identity(tonic::transport::Identity::from_pem(
                &self.cert_pem,
                &self.key_pem,
            ))
    }
}
