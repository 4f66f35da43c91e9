//! Wires one edge together, runs it, and stops it in order.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context as _;
use tidegate_edge_http::compile::{NodeFacts, ServerIds};
use tidegate_model::TagSelector;
use tidegate_sync::edge::{self, EdgeFacts, EdgeSession};
use tidegate_telemetry::tasks::Tasks;
use tokio_util::sync::CancellationToken;

use crate::{
    activation::Activation,
    cache::{Boot, Cache},
    config::Config,
    data_plane::{DataPlane, Shared},
    node_state::NodeState,
    sync_client::{Credentials, Local, SyncClient},
    technical,
};

/// Threads of the control side: the stream, timers, nothing heavy.
const CONTROL_THREADS: usize = 2;
/// Threads that store and compile; one at a time does the work.
const BLOCKING_THREADS: usize = 4;
/// Time for tasks of the control side to end at a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Where this edge listens, as `endpoints.json` and the ready line say it.
#[derive(Debug, Clone, serde::Serialize)]
struct Endpoints {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    https: Option<SocketAddr>,
    /// Listeners of TCP APIs, by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tcp: BTreeMap<String, SocketAddr>,
    technical: SocketAddr,
}

impl Endpoints {
    fn of(id: String, data_plane: &DataPlane, technical: SocketAddr) -> Self {
        let addresses = data_plane.workers.addresses();
        let tcp = data_plane.tcp.iter();
        Self {
            id,
            http: addresses.http,
            https: addresses.https,
            tcp: tcp
                .flat_map(|tcp| tcp.addresses().iter().cloned())
                .collect(),
            technical,
        }
    }
}

/// Runs an edge until it is told to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    let runtime = control_runtime().context("cannot start the control runtime")?;
    // Before anything listens, so that a stop during the start is not lost.
    let stop = runtime
        .block_on(async { stop_signal() })
        .context("cannot listen for signals")?;

    let edge_id = edge_id(config)?;
    let state = Arc::new(NodeState::default());
    let (cache, boot) = Cache::open(&config.data_dir, &config.control.pin)?;
    for alarm in &boot.alarms {
        state.raise(alarm);
    }
    let shared = Shared::default();
    let node = node_facts(config, &edge_id)?;
    let activation = Arc::new(Activation::new(
        node.clone(),
        config.identity.environment.clone(),
        boot.pepper.clone(),
        shared.clone(),
    ));
    // Before the listeners: an edge with a good cache answers its first request from it.
    let refusals = activate_cached(&boot, &activation, &state);

    let drain = CancellationToken::new();
    let data_plane = DataPlane::start(config, &node, &shared, drain)?;
    let facts = technical::Facts {
        edge_id: edge_id.clone(),
        region: config.identity.region.clone(),
        environment: config.identity.environment.clone(),
        tags: config.identity.tags.clone(),
        state: Arc::clone(&state),
        registry: technical::registry(Arc::clone(&state), &shared),
        live: shared.live,
    };
    let technical = technical::start(config.listen.technical, facts)?;
    let endpoints = Endpoints::of(edge_id, &data_plane, technical);
    announce(&endpoints, &config.data_dir)?;

    let session = session(config, &endpoints, boot, refusals);
    let local = Local {
        cache: Mutex::new(cache),
        activation,
        state: Arc::clone(&state),
    };
    let credentials = Credentials {
        ca: config.control.ca.clone(),
        token_file: config.control.token_file.clone(),
    };
    let tasks = Tasks::new();
    {
        let _entered = runtime.enter();
        let client = SyncClient::new(session, &config.control.urls, credentials, local);
        tasks.spawn("sync client", client.run());
    }

    runtime.block_on(stop);
    tracing::info!("stopping");
    state.drain();
    let in_time = data_plane.drain();
    runtime.block_on(tasks.stop(STOP_TIMEOUT));
    runtime.shutdown_timeout(STOP_TIMEOUT);
    if !in_time {
        tracing::warn!("exchanges in flight did not finish within the drain timeout");
    }
    Ok(())
}

fn control_runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
}

/// Compiles and activates what the cache held, if that may be served.
fn activate_cached(
    boot: &Boot,
    activation: &Activation,
    state: &NodeState,
) -> Vec<edge::PreparedObjectRefusal> {
    match &boot.held {
        Some(view) if boot.is_servable => {
            let refusals = activation.prepare(view);
            activation.activate(view, state);
            refusals
        }
        _ => Vec::new(),
    }
}

fn session(
    config: &Config,
    endpoints: &Endpoints,
    boot: Boot,
    refusals: Vec<edge::PreparedObjectRefusal>,
) -> EdgeSession {
    let named = [
        ("http", endpoints.http),
        ("https", endpoints.https),
        ("technical", Some(endpoints.technical)),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, address)| Some((name.to_owned(), address?)));
    let tcp = endpoints
        .tcp
        .iter()
        .map(|(id, address)| (id.clone(), *address));
    let addresses = named
        .chain(tcp)
        .map(|(name, address)| (name, address.to_string()))
        .collect();
    let boot_id = uuid::Uuid::new_v4();
    let facts = EdgeFacts {
        edge_id: endpoints.id.clone(),
        boot_id: boot_id.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        region: config.identity.region.clone(),
        environment: config.identity.environment.clone(),
        tags: config.identity.tags.clone(),
        addresses,
    };
    let boot = edge::Boot {
        facts,
        pin: config.control.pin,
        trust: boot.trust,
        held: boot.held,
        is_active: boot.is_servable,
        refusals,
        floors: boot.floors,
        seed: boot_id.as_u64_pair().0,
    };
    EdgeSession::new(boot, 0)
}

fn node_facts(config: &Config, edge_id: &str) -> anyhow::Result<NodeFacts> {
    let identity = &config.identity;
    Ok(NodeFacts {
        id: edge_id.to_owned(),
        tags: TagSelector::parse(&identity.tags)?,
        tenant: identity.tenant.clone(),
        region: Some(identity.region.clone()).filter(|region| !region.is_empty()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system_proxy: config.outbound.system_proxy.clone(),
        servers: ServerIds {
            http: config.listen.http.id.clone(),
            https: config
                .listen
                .https
                .as_ref()
                .map_or_else(|| ServerIds::default().https, |server| server.id.clone()),
        },
    })
}

/// The configured id, or one that is made once and kept.
fn edge_id(config: &Config) -> anyhow::Result<String> {
    if let Some(id) = &config.identity.edge_id {
        return Ok(id.clone());
    }
    let path = config.data_dir.join("edge-id");
    match fs::read_to_string(&path) {
        Ok(id) => Ok(id.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = format!("edge-{}", uuid::Uuid::new_v4().simple());
            fs::write(&path, &id).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Tells scripts and users where the edge listens. "Ready" means that it listens; whether it has
/// a configuration is the business of `/health/ready`.
fn announce(endpoints: &Endpoints, data_dir: &Path) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(endpoints)?;
    let path = data_dir.join("endpoints.json");
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, format!("{value}\n")).context("cannot write endpoints.json")?;
    fs::rename(&temporary, &path).context("cannot write endpoints.json")?;
    value["ready"] = serde_json::Value::Bool(true);
    writeln!(io::stdout().lock(), "{value}").context("cannot print the ready line")
}

/// Resolves on SIGTERM or SIGINT.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
