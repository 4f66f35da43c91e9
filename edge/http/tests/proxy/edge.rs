//! An edge of two workers in this process.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::Value;
use tidegate_edge_http::{
    Gateway, GatewayParts, GatewaySettings, Live,
    access_log::{AccessLog, AccessLogTarget, AccessLogWriter},
    bind::{Binds, Workers, start_workers},
    compile::{Compilation, NodeFacts, ServerIds, compile},
    discovery::DiscoveryMetrics,
    health::HealthMetrics,
    metrics::Metrics,
    server::Limits,
    traffic::TrafficMetrics,
    watch::Watch,
};
use tidegate_model::{ConfigSnapshot, TagSelector};
use tokio_util::sync::CancellationToken;

use crate::definition::{object, snapshot};

const WORKERS: usize = 2;

pub struct Edge {
    pub address: SocketAddr,
    pub live: Arc<Live>,
    pub metrics: Metrics,
    workers: Option<Workers>,
    _watch: Watch,
}

impl Edge {
    /// Serves definitions without subscriptions.
    pub fn serving(definitions: Vec<Value>) -> Self {
        Self::start(&snapshot(
            1,
            definitions.into_iter().map(object).collect(),
            Vec::new(),
        ))
    }

    pub fn start(configuration: &ConfigSnapshot) -> Self {
        Self::with(configuration, GatewaySettings::default(), None)
    }

    pub fn with(
        configuration: &ConfigSnapshot,
        settings: GatewaySettings,
        access_log: Option<AccessLog>,
    ) -> Self {
        let live = Arc::new(Live::new());
        let metrics = Metrics::new();
        let binds = Binds {
            http: Some((Ipv4Addr::LOCALHOST, 0).into()),
            ..Binds::default()
        };
        let (worker_live, worker_metrics) = (Arc::clone(&live), metrics.clone());
        let make = move |_worker| {
            Gateway::new(GatewayParts {
                live: Arc::clone(&worker_live),
                metrics: worker_metrics.worker(),
                access_log: access_log.clone(),
                node: &node(),
                settings: settings.clone(),
                workers: WORKERS,
            })
        };
        let drain = CancellationToken::new();
        let workers = start_workers(WORKERS, &binds, make, &Limits::default(), drain).unwrap();
        let address = workers.addresses().http.unwrap();
        let edge = Self {
            address,
            metrics,
            workers: Some(workers),
            _watch: Watch::start(Arc::clone(&live)).unwrap(),
            live,
        };
        let refused = edge.swap(configuration).refused;
        assert_eq!(refused, []);
        edge
    }

    /// What a scrape of the metrics would get.
    pub fn scrape(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.metrics.clone()));
        let health = HealthMetrics::new(Arc::clone(&self.live));
        registry.register_collector(Box::new(health));
        let discovery = DiscoveryMetrics::new(Arc::clone(&self.live));
        registry.register_collector(Box::new(discovery));
        let traffic = TrafficMetrics::new(Arc::clone(&self.live));
        registry.register_collector(Box::new(traffic));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    /// Waits until a scrape has `line`.
    pub fn wait_for(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.scrape().lines().any(|found| found == line) {
            assert!(Instant::now() < deadline, "{line} in\n{}", self.scrape());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes another configuration active.
    pub fn swap(&self, configuration: &ConfigSnapshot) -> Swapped {
        let previous = self.live.load();
        let Compilation { snapshot, refused } =
            compile(configuration, previous.as_deref(), &node());
        self.live.store(Arc::new(snapshot));
        Swapped { refused }
    }
}

/// An access log in a directory of its own.
pub struct LogFile {
    directory: tempfile::TempDir,
    writer: AccessLogWriter,
}

impl LogFile {
    pub fn start() -> (AccessLog, Self) {
        let directory = tempfile::tempdir().unwrap();
        let target = AccessLogTarget::File(directory.path().join("access.log"));
        let (log, writer) = AccessLog::start(target).unwrap();
        (log, Self { directory, writer })
    }

    /// Stops the edge and reads what it wrote.
    pub fn text(self, edge: Edge) -> String {
        drop(edge);
        self.writer.join();
        fs::read_to_string(self.directory.path().join("access.log")).unwrap()
    }

    /// The records of [`LogFile::text`].
    pub fn records(self, edge: Edge) -> Vec<Value> {
        let text = self.text(edge);
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        records.collect()
    }
}

pub struct Swapped {
    pub refused: Vec<tidegate_edge_http::compile::ObjectRefusal>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.drain();
        }
    }
}

pub fn node() -> NodeFacts {
    NodeFacts {
        id: "edge-1".to_owned(),
        tags: TagSelector::parse::<&str>(&[]).unwrap(),
        tenant: None,
        region: None,
        version: "test".to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    }
}
