//! The table of edges: pure bookkeeping with the time as an argument.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tidegate_proto::raft::v1::{PeerEdge, PeerNack};
use tidegate_sync::node::{Report, ValidHello};

use super::EdgeDirectory;

/// How long a disconnected edge stays listed: a day, so that a night's outage is seen.
const KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// Edges listed at most; the longest-gone disconnected ones make room.
const EDGES_MAX: usize = 50_000;
/// Pause between rounds of forgetting.
pub(super) const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Edges by id.
#[derive(Debug, Default)]
pub(super) struct Registry {
    edges: BTreeMap<String, Entry>,
    sessions: u64,
}

#[derive(Debug)]
struct Entry {
    /// The stream that may change the entry: an edge that reconnects takes it over.
    session: u64,
    edge: PeerEdge,
}

impl Registry {
    /// Lists an edge as connected; what it reported on an earlier stream stays.
    pub(super) fn connect(&mut self, hello: &ValidHello, view_id: &str, now_ms: u64) -> u64 {
        self.sessions += 1;
        let session = self.sessions;
        if !self.edges.contains_key(&hello.edge_id) && self.edges.len() >= EDGES_MAX {
            self.make_room();
        }
        let entry = self
            .edges
            .entry(hello.edge_id.clone())
            .or_insert_with(|| Entry {
                session,
                edge: PeerEdge::default(),
            });
        entry.session = session;
        let edge = &mut entry.edge;
        edge.edge_id.clone_from(&hello.edge_id);
        edge.environment.clone_from(&hello.environment);
        edge.region.clone_from(&hello.region);
        edge.tags.clone_from(&hello.tags);
        edge.version.clone_from(&hello.version);
        view_id.clone_into(&mut edge.view_id);
        edge.connected = true;
        edge.connected_since_ms = now_ms;
        edge.last_seen_ms = now_ms;
        edge.addresses = hello.addresses.iter().cloned().collect();
        session
    }

    pub(super) fn report(&mut self, edge_id: &str, session: u64, report: &Report, now_ms: u64) {
        let Some(edge) = self.of_session(edge_id, session) else {
            return;
        };
        edge.last_seen_ms = now_ms;
        match report {
            Report::Alive { active, alarms } => {
                if let Some(active) = active {
                    edge.active_revision = active.revision;
                    edge.active_root = Bytes::copy_from_slice(&active.root);
                }
                edge.alarms = alarms.iter().cloned().collect::<HashMap<_, _>>();
            }
            Report::Active(position) => {
                edge.active_revision = position.revision;
                edge.active_root = Bytes::copy_from_slice(&position.root);
            }
            Report::Refused {
                position,
                code,
                detail,
            } => {
                edge.last_refusal = format!("{code}: {detail}");
                edge.last_refusal_revision = position.map_or(0, |position| position.revision);
            }
            Report::Nacked { position, objects } => {
                edge.nacks = objects
                    .iter()
                    .map(|object| PeerNack {
                        kind: object.kind.clone(),
                        id: object.id.clone(),
                        object_hash: Bytes::copy_from_slice(&object.object_hash),
                        code: object.code.clone(),
                        path: object.path.clone(),
                        message: object.message.clone(),
                        revision: position.revision,
                    })
                    .collect();
                if let Some(first) = objects.first() {
                    edge.last_refusal = format!(
                        "{}: {} {}: {}",
                        first.code, first.kind, first.id, first.message
                    );
                    edge.last_refusal_revision = position.revision;
                }
            }
        }
    }

    pub(super) fn published(&mut self, edge_id: &str, session: u64, revision: u64) {
        if let Some(edge) = self.of_session(edge_id, session) {
            edge.published_revision = revision;
        }
    }

    pub(super) fn disconnect(&mut self, edge_id: &str, session: u64, now_ms: u64) {
        if let Some(edge) = self.of_session(edge_id, session) {
            edge.connected = false;
            edge.last_seen_ms = now_ms;
        }
    }

    /// Drops edges that are gone for long; true if there were any.
    pub(super) fn forget(&mut self, now_ms: u64) -> bool {
        let before = self.edges.len();
        self.edges.retain(|_, entry| {
            entry.edge.connected || now_ms.saturating_sub(entry.edge.last_seen_ms) < KEEP_MS
        });
        self.edges.len() != before
    }

    pub(super) fn list(&self) -> Vec<PeerEdge> {
        self.edges
            .values()
            .map(|entry| entry.edge.clone())
            .collect()
    }

    fn of_session(&mut self, edge_id: &str, session: u64) -> Option<&mut PeerEdge> {
        let entry = self
            .edges
            .get_mut(edge_id)
            .filter(|entry| entry.session == session)?;
        Some(&mut entry.edge)
    }

    fn make_room(&mut self) {
        let longest_gone = self
            .edges
            .iter()
            .filter(|(_, entry)| !entry.edge.connected)
            .min_by_key(|(_, entry)| entry.edge.last_seen_ms)
            .map(|(id, _)| id.clone());
        if let Some(id) = longest_gone {
            self.edges.remove(&id);
        }
    }
}

/// Keeps one entry per edge: a connected one if there is any, else the one seen last.
pub(super) fn merge(edges: Vec<(u64, PeerEdge)>) -> Vec<(u64, PeerEdge)> {
    let mut merged: BTreeMap<String, (u64, PeerEdge)> = BTreeMap::new();
    for (node, edge) in edges {
        let rank = (edge.connected, edge.last_seen_ms);
        let better = merged
            .get(&edge.edge_id)
            .is_none_or(|(_, known)| rank > (known.connected, known.last_seen_ms));
        if better {
            merged.insert(edge.edge_id.clone(), (node, edge));
        }
    }
    merged.into_values().collect()
}

/// Keeps an edge listed as connected; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Connected {
    directory: Arc<EdgeDirectory>,
    edge_id: String,
    session: u64,
}

impl Connected {
    pub(super) fn new(directory: Arc<EdgeDirectory>, edge_id: String, session: u64) -> Self {
        Self {
            directory,
            edge_id,
            session,
        }
    }

    /// Notes what the edge said.
    pub(crate) fn report(&self, report: &Report) {
        self.directory.report(&self.edge_id, self.session, report);
    }

    /// Notes the newest published revision of the edge's view.
    pub(crate) fn published(&self, revision: u64) {
        self.directory
            .published(&self.edge_id, self.session, revision);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.directory.disconnect(&self.edge_id, self.session);
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sync::edge::Position;

    use super::*;

    fn hello(edge_id: &str) -> ValidHello {
        ValidHello {
            edge_id: edge_id.to_owned(),
            boot_id: "b".to_owned(),
            version: "1".to_owned(),
            region: "eu".to_owned(),
            environment: "DEFAULT".to_owned(),
            tags: vec!["a".to_owned()],
            held: None,
            held_view_id: String::new(),
            keyset_version: 0,
            addresses: Vec::new(),
        }
    }

    #[test]
    fn an_edge_stays_listed_for_a_day_after_it_left() {
        let mut registry = Registry::default();
        let session = registry.connect(&hello("e"), "DEFAULT/a", 1000);
        registry.disconnect("e", session, 2000);
        assert!(!registry.forget(2000 + KEEP_MS - 1));
        assert!(!registry.list()[0].connected);
        assert!(registry.forget(2000 + KEEP_MS));
        assert!(registry.list().is_empty());
    }

    #[test]
    fn an_old_stream_cannot_disconnect_an_edge_that_came_back() {
        let mut registry = Registry::default();
        let old = registry.connect(&hello("e"), "DEFAULT/a", 1000);
        let new = registry.connect(&hello("e"), "DEFAULT/a", 2000);
        registry.disconnect("e", old, 3000);
        assert!(registry.list()[0].connected);
        registry.disconnect("e", new, 3000);
        assert!(!registry.list()[0].connected);
    }

    #[test]
    fn a_report_updates_what_is_active() {
        let mut registry = Registry::default();
        let session = registry.connect(&hello("e"), "DEFAULT/a", 1000);
        let position = Position {
            epoch: 1,
            revision: 7,
            root: [3; 32],
        };
        registry.report("e", session, &Report::Active(position), 1500);
        registry.published("e", session, 9);
        let edge = &registry.list()[0];
        assert_eq!((edge.active_revision, edge.published_revision), (7, 9));
    }

    #[test]
    fn a_connected_entry_wins_over_a_later_disconnected_one() {
        let entry = |connected, last_seen_ms| PeerEdge {
            edge_id: "e".to_owned(),
            connected,
            last_seen_ms,
            ..PeerEdge::default()
        };
        let merged = merge(vec![
            (1, entry(false, 9)),
            (2, entry(true, 5)),
            (3, entry(false, 8)),
        ]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].0, 2);
    }
}
