//! Edges as this node sees them, and as the whole cluster does. Never part of consensus: a node
//! that restarts learns its edges anew from their streams.

mod peers;
mod registry;

pub(crate) use self::{
    peers::{Peers, peer_service},
    registry::Connected,
};

use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_proto::raft::v1::PeerEdge;
use tidegate_sync::node::{Report, ValidHello};
use tidegate_telemetry::tasks::Tasks;
use tokio::sync::watch;

use self::registry::Registry;
use crate::auth::now_ms;

/// All edges this node serves or served lately, and the way to those of its peers.
#[derive(Debug)]
pub(crate) struct EdgeDirectory {
    registry: Mutex<Registry>,
    changed: watch::Sender<u64>,
    peers: Peers,
    node_id: u64,
}

impl EdgeDirectory {
    /// An empty directory; edges disconnected for long are forgotten by a task of `tasks`.
    pub(crate) fn start(node_id: u64, peers: Peers, tasks: &Tasks) -> Arc<Self> {
        let directory = Arc::new(Self {
            registry: Mutex::default(),
            changed: watch::Sender::new(0),
            peers,
            node_id,
        });
        tasks.spawn("edges forget", forget(Arc::clone(&directory)));
        directory
    }

    /// Edges of this node, connected ones and those seen lately, by id.
    pub(crate) fn local(&self) -> Vec<PeerEdge> {
        self.registry.lock().list()
    }

    /// Edges of all nodes that answer, with the node of each. An edge known to several nodes is
    /// listed where it is connected, else where it was seen last.
    pub(crate) async fn list(&self) -> Vec<(u64, PeerEdge)> {
        let mut edges: Vec<_> = self
            .local()
            .into_iter()
            .map(|edge| (self.node_id, edge))
            .collect();
        edges.extend(self.peers.list_edges().await);
        registry::merge(edges)
    }

    /// Changes whenever an edge of this node connects, reports or leaves.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Lists an edge as connected until the guard is dropped.
    pub(crate) fn connect(self: &Arc<Self>, hello: &ValidHello, view_id: &str) -> Connected {
        let session = self.registry.lock().connect(hello, view_id, now_ms());
        self.notify();
        Connected::new(Arc::clone(self), hello.edge_id.clone(), session)
    }

    fn report(&self, edge_id: &str, session: u64, report: &Report) {
        self.registry
            .lock()
            .report(edge_id, session, report, now_ms());
        self.notify();
    }

    fn published(&self, edge_id: &str, session: u64, revision: u64) {
        self.registry.lock().published(edge_id, session, revision);
        self.notify();
    }

    fn disconnect(&self, edge_id: &str, session: u64) {
        self.registry.lock().disconnect(edge_id, session, now_ms());
        self.notify();
    }

    fn notify(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}

async fn forget(directory: Arc<EdgeDirectory>) {
    let mut every = tokio::time::interval(registry::FORGET_EVERY);
    loop {
        every.tick().await;
        if directory.registry.lock().forget(now_ms()) {
            directory.notify();
        }
    }
}
