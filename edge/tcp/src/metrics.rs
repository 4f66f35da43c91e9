//! Numbers about TCP traffic. Labels come from the configuration or from closed sets.

use std::{
    collections::BTreeMap,
    fmt::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet},
    metrics::{MetricType, gauge::ConstGauge},
};
use tidegate_edge_http::metrics::{APIS_COUNTED_MAX, OTHER_APIS};
use tidegate_telemetry::names;

use crate::pipe::Passed;

/// Why a connection came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many connections as the edge takes are open.
    TooMany,
    /// The client's handshake failed or took too long.
    Handshake,
    /// No API has the name the client asked for, or it asked for none.
    UnknownName,
    /// No endpoint could be reached.
    Endpoint,
}

const REASONS: [&str; 4] = [
    "too_many_connections",
    "tls_handshake",
    "unknown_name",
    "endpoint",
];

/// How a connection that found its API ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides ended it.
    Complete,
    /// Nothing moved for too long.
    Idle,
    /// A side broke it off.
    Broken,
    /// No endpoint could be reached.
    Endpoint,
    /// Its API was undeployed.
    Undeployed,
}

const ENDINGS: [&str; 5] = ["complete", "idle", "broken", "endpoint", "undeployed"];

impl Ending {
    /// What the access log calls it; `None` if nothing is wrong.
    pub(crate) fn error_key(self) -> Option<&'static str> {
        match self {
            Ending::Complete => None,
            Ending::Idle => Some("TCP_IDLE_TIMEOUT"),
            Ending::Broken => Some("TCP_CONNECTION_BROKEN"),
            Ending::Endpoint => Some("GATEWAY_CLIENT_CONNECTION_ERROR"),
            Ending::Undeployed => Some("TCP_API_UNDEPLOYED"),
        }
    }
}

/// Counters of the TCP side of an edge. Clones count into the same cells.
#[derive(Debug, Clone, Default)]
pub struct TcpMetrics(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    refused: [AtomicU64; REASONS.len()],
    dropped: AtomicU64,
    /// At most [`APIS_COUNTED_MAX`] and one for all others.
    apis: Mutex<BTreeMap<String, Arc<ApiCells>>>,
}

/// The counters of one API.
#[derive(Debug, Default)]
pub(crate) struct ApiCells {
    opened: AtomicU64,
    closed: AtomicU64,
    endings: [AtomicU64; ENDINGS.len()],
    to_endpoints: AtomicU64,
    to_clients: AtomicU64,
}

impl ApiCells {
    fn open(&self) -> u64 {
        let closed = self.closed.load(Ordering::Acquire);
        self.opened.load(Ordering::Acquire).saturating_sub(closed)
    }

    /// Counts a connection until the result is dropped.
    pub(crate) fn opened(self: &Arc<Self>) -> OpenConnection {
        self.opened.fetch_add(1, Ordering::AcqRel);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn ended(&self, passed: Passed, ending: Ending) {
        self.endings[ending as usize].fetch_add(1, Ordering::Relaxed);
        self.to_endpoints
            .fetch_add(passed.to_endpoint, Ordering::Relaxed);
        self.to_clients
            .fetch_add(passed.to_client, Ordering::Relaxed);
    }
}

impl TcpMetrics {
    /// Makes a set with everything at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connections of all APIs that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        let apis = self.0.apis.lock();
        apis.values().map(|api| api.open()).sum()
    }

    /// The counters of an API. `is_live` tells which APIs still exist: when all places are taken, those of
    /// others without a connection are freed.
    pub(crate) fn api(&self, id: &str, is_live: impl Fn(&str) -> bool) -> Arc<ApiCells> {
        let mut apis = self.0.apis.lock();
        if let Some(known) = apis.get(id) {
            return Arc::clone(known);
        }
        if apis.len() >= APIS_COUNTED_MAX {
            apis.retain(|id, cells| is_live(id) || cells.open() > 0 || id == OTHER_APIS);
        }
        let id = if apis.len() >= APIS_COUNTED_MAX {
            OTHER_APIS
        } else {
            id
        };
        Arc::clone(apis.entry(id.to_owned()).or_default())
    }

    pub(crate) fn refused(&self, reason: Refused) {
        self.0.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a record the access log had no room for.
    pub(crate) fn record_dropped(&self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<ApiCells>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::AcqRel);
    }
}

impl Collector for TcpMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let apis = self.0.apis.lock().clone();
        let mut family = encoder.encode_descriptor(
            names::EDGE_TCP_CONNECTIONS,
            "TCP client connections open now, by API",
            None,
            MetricType::Gauge,
        )?;
        for (id, cells) in &apis {
            let open = i64::try_from(cells.open()).unwrap_or(i64::MAX);
            let labels = [("api", id.as_str())];
            ConstGauge::new(open).encode(family.encode_family(&labels)?)?;
        }
        let mut family = encoder.encode_descriptor(
            names::EDGE_TCP_ENDED,
            "TCP connections that found their API and ended, by API and ending",
            None,
            MetricType::Counter,
        )?;
        for (id, cells) in &apis {
            for (ending, count) in ENDINGS.iter().zip(&cells.endings) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("api", id.as_str()), ("ending", *ending)];
                    let mut family = family.encode_family(&labels)?;
                    family.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            names::EDGE_TCP_REFUSED,
            "TCP client connections that came to nothing, by reason",
            None,
            MetricType::Counter,
        )?;
        for (reason, count) in REASONS.iter().zip(&self.0.refused) {
            let count = count.load(Ordering::Relaxed);
            family
                .encode_family(&[("reason", *reason)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let mut family = encoder.encode_descriptor(
            names::EDGE_TCP_BYTES,
            "Bytes passed by TCP connections that have ended, by API and receiver",
            None,
            MetricType::Counter,
        )?;
        for (id, cells) in &apis {
            let receivers = [
                ("endpoint", &cells.to_endpoints),
                ("client", &cells.to_clients),
            ];
            for (receiver, cell) in receivers {
                let count = cell.load(Ordering::Relaxed);
                family
                    .encode_family(&[("api", id.as_str()), ("to", receiver)])?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let dropped = self.0.dropped.load(Ordering::Relaxed);
        encoder
            .encode_descriptor(
                names::EDGE_TCP_ACCESS_LOG_DROPPED,
                "Access-log records of TCP connections dropped because the writer was behind",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&dropped, None)
    }
}
