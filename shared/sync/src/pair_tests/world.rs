//! The world of the pair tests: a control plane that signs, a wire in memory, an edge with a disk.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use tidegate_proto::sync::v1::{EdgeMessage, NodeMessage, edge_message, node_message};
use tidegate_view::{
    EMPTY_ROOT, FORMAT, FileSigner, Hash, Keyset, Manifest, OnlineKey, PublicKey, RootPin,
    SignedKeyset, SignedManifest, Signer, TreeChange, VerifiedView, ViewTree, diff, object_hash,
};

use crate::{
    edge::{
        self, AlarmCode, Boot, EdgeFacts, EdgeSession, Floors, Position, PreparedObjectRefusal,
    },
    keyset_to_wire,
    node::{self, Delta, NodeSession, ObjectChange, Opening, PublishedView, Report, check_hello},
};

pub(super) const VIEW: &str = "DEFAULT/";
pub(super) const BEAT_MS: u32 = 10_000;

/// What the control plane knows.
pub(super) struct Plane {
    pub(super) signer: FileSigner,
    pub(super) keysets: Vec<SignedKeyset>,
    pub(super) pin: RootPin,
    pub(super) content: BTreeMap<String, Bytes>,
    pub(super) objects: BTreeMap<Hash, Bytes>,
    pub(super) versions: Vec<Arc<PublishedView>>,
    /// Versions this node keeps trees of.
    pub(super) kept: usize,
    pub(super) revision: u64,
}

pub(super) fn signer() -> FileSigner {
    FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap()
}

impl Plane {
    pub(super) fn new() -> Self {
        let (root, signer) = (signer(), signer());
        let keyset = Keyset {
            version: 1,
            epoch: 1,
            trust_domain: "test".to_owned(),
            roots: vec![PublicKey {
                id: root.key_id().to_owned(),
                public_key: root.public_key(),
            }],
            root_threshold: 1,
            online_keys: vec![OnlineKey {
                id: signer.key_id().to_owned(),
                public_key: signer.public_key(),
                not_after_ms: 0,
            }],
            revoked: Vec::new(),
        };
        let keysets = vec![SignedKeyset::sign(&keyset, &[&root]).unwrap()];
        Self {
            signer,
            keysets,
            pin: keyset.pin(),
            content: BTreeMap::new(),
            objects: BTreeMap::new(),
            versions: Vec::new(),
            kept: 64,
            revision: 0,
        }
    }

    pub(super) fn put(&mut self, id: &str, object: Vec<u8>) {
        let object = Bytes::from(object);
        self.objects.insert(object_hash(&object), object.clone());
        self.content.insert(id.to_owned(), object);
    }

    pub(super) fn tree(&self) -> ViewTree {
        let mut tree = ViewTree::new();
        for (id, object) in &self.content {
            tree.insert("api", id, object_hash(object), object.len() as u64);
        }
        tree
    }

    pub(super) fn publish(&mut self) -> Arc<PublishedView> {
        self.revision += 1;
        let published = Arc::new(self.sign(self.revision, self.tree(), VIEW, &self.signer));
        self.versions.push(Arc::clone(&published));
        published
    }

    pub(super) fn sign(
        &self,
        revision: u64,
        tree: ViewTree,
        view_id: &str,
        signer: &FileSigner,
    ) -> PublishedView {
        let manifest = Manifest {
            format: FORMAT,
            trust_domain: "test".to_owned(),
            view_id: view_id.to_owned(),
            epoch: 1,
            revision,
            root: tree.root(),
            objects: tree.len(),
            bytes: tree.bytes(),
            prev_root: EMPTY_ROOT,
            min_edge_level: 1,
            issued_ms: 0,
            key_id: signer.key_id().to_owned(),
        };
        PublishedView {
            position: manifest.position(),
            manifest: SignedManifest::sign(&manifest, signer).unwrap(),
            tree,
        }
    }

    pub(super) fn newest(&self) -> Option<Arc<PublishedView>> {
        self.versions.last().cloned()
    }

    pub(super) fn delta(&self, from: Hash, to: Arc<PublishedView>) -> Option<Arc<Delta>> {
        let base = if from == EMPTY_ROOT {
            ViewTree::new()
        } else {
            let kept = self.versions.iter().rev().take(self.kept);
            kept.into_iter()
                .find(|version| version.position.root == from)?
                .tree
                .clone()
        };
        let changes = diff(&base, &to.tree)
            .into_iter()
            .map(|change| match change {
                TreeChange::Put(leaf) => ObjectChange {
                    kind: leaf.kind.to_string(),
                    id: leaf.id.to_string(),
                    object: Some(self.objects[&leaf.object_hash].clone()),
                },
                TreeChange::Remove { kind, id } => ObjectChange {
                    kind: kind.to_string(),
                    id: id.to_string(),
                    object: None,
                },
            });
        Some(Arc::new(Delta::encode(from, to, changes)))
    }

    pub(super) fn load(&self, wanted: &[node::Wanted]) -> Vec<ObjectChange> {
        let load = |wanted: &node::Wanted| ObjectChange {
            kind: wanted.kind.clone(),
            id: wanted.id.clone(),
            object: Some(self.objects[&wanted.object_hash].clone()),
        };
        wanted.iter().map(load).collect()
    }
}

/// What survives a restart of the edge.
#[derive(Clone, Default)]
pub(super) struct EdgeDisk {
    pub(super) held: Option<Arc<VerifiedView>>,
    pub(super) keysets: Vec<SignedKeyset>,
    pub(super) floors: Floors,
}

pub(super) struct Pair {
    pub(super) plane: Plane,
    pub(super) node: Option<NodeSession>,
    pub(super) edge: EdgeSession,
    pub(super) disk: EdgeDisk,
    pub(super) to_edge: VecDeque<NodeMessage>,
    pub(super) to_node: VecDeque<EdgeMessage>,
    pub(super) now_ms: u64,
    /// Roots that were active, in order.
    pub(super) active: Vec<Position>,
    pub(super) alarms: Vec<AlarmCode>,
    pub(super) reports: Vec<Report>,
    /// Largest payload in flight, and all payload, in bytes.
    pub(super) in_flight_max: usize,
    pub(super) payload: usize,
    pub(super) refuse: Vec<PreparedObjectRefusal>,
}

impl Pair {
    pub(super) fn new(plane: Plane) -> Self {
        let disk = EdgeDisk::default();
        let edge = boot(&plane.pin, &disk, 0);
        Self {
            plane,
            node: None,
            edge,
            disk,
            to_edge: VecDeque::new(),
            to_node: VecDeque::new(),
            now_ms: 0,
            active: Vec::new(),
            alarms: Vec::new(),
            reports: Vec::new(),
            in_flight_max: 0,
            payload: 0,
            refuse: Vec::new(),
        }
    }

    pub(super) fn connect(&mut self) {
        self.cut();
        let effects = self.edge.handle(edge::Input::Connected, self.now_ms);
        self.edge_does(effects);
    }

    pub(super) fn cut(&mut self) {
        self.node = None;
        self.to_edge.clear();
        self.to_node.clear();
        let effects = self.edge.handle(edge::Input::Disconnected, self.now_ms);
        self.edge_does(effects);
    }

    pub(super) fn restart_edge(&mut self) {
        self.cut();
        self.edge = boot(&self.plane.pin, &self.disk, self.now_ms);
    }

    pub(super) fn publish(&mut self) {
        let published = self.plane.publish();
        self.node_takes(node::Input::Published(published));
    }

    /// Delivers one message; false when nothing is on its way.
    pub(super) fn step(&mut self) -> bool {
        self.now_ms += 1;
        if let Some(message) = self.to_node.pop_front() {
            match (message.kind, &self.node) {
                (Some(edge_message::Kind::Hello(hello)), None) => {
                    let hello = check_hello(hello).unwrap();
                    let version = usize::try_from(hello.keyset_version).unwrap();
                    let opening = Opening {
                        stream_id: "s".to_owned(),
                        view_id: VIEW.to_owned(),
                        held: hello.held_of(VIEW),
                        newest: self.plane.newest(),
                        keysets: self.plane.keysets[version..]
                            .iter()
                            .map(keyset_to_wire)
                            .collect(),
                        api_key_pepper: Bytes::from_static(b"pepper"),
                        beat_ms: BEAT_MS,
                        seed: 1,
                    };
                    let (session, effects) = NodeSession::open(opening, self.now_ms);
                    self.node = Some(session);
                    self.node_does(effects);
                }
                (kind, Some(_)) => self.node_takes(node::Input::Edge(EdgeMessage { kind })),
                (_, None) => {}
            }
            return true;
        }
        if let Some(message) = self.to_edge.pop_front() {
            let effects = self.edge.handle(edge::Input::Node(message), self.now_ms);
            self.edge_does(effects);
            return true;
        }
        // Acknowledgements may wait for their turn.
        let due = self
            .edge
            .deadline_ms()
            .filter(|due| *due < self.now_ms + 1000);
        if let Some(due) = due {
            self.now_ms = self.now_ms.max(due);
            let effects = self.edge.handle(edge::Input::Tick, self.now_ms);
            self.edge_does(effects);
            return !self.to_node.is_empty();
        }
        false
    }

    pub(super) fn settle(&mut self) -> usize {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "the pair never settles");
        }
        steps
    }

    pub(super) fn node_takes(&mut self, input: node::Input) {
        if let Some(node) = &mut self.node {
            let effects = node.handle(input, self.now_ms);
            self.node_does(effects);
        }
    }

    pub(super) fn node_does(&mut self, effects: Vec<node::Effect>) {
        for effect in effects {
            match effect {
                node::Effect::Send(message) => {
                    self.payload += payload(&message);
                    self.to_edge.push_back(message);
                    let in_flight = self.to_edge.iter().map(payload).sum();
                    self.in_flight_max = self.in_flight_max.max(in_flight);
                }
                node::Effect::LoadDelta { from, to } => {
                    let delta = self.plane.delta(from, to);
                    self.node_takes(node::Input::Delta { from, delta });
                }
                node::Effect::LoadObjects { wanted, .. } => {
                    let objects = self.plane.load(&wanted);
                    self.node_takes(node::Input::Objects(Some(objects)));
                }
                node::Effect::Report(report) => self.reports.push(report),
                node::Effect::Close(reason) => panic!("the node closes: {reason}"),
            }
        }
    }

    pub(super) fn edge_does(&mut self, effects: Vec<edge::Effect>) {
        for effect in effects {
            match effect {
                edge::Effect::Send(message) => self.to_node.push_back(message),
                edge::Effect::Prepare(preparation) => {
                    self.disk.held = Some(preparation.view);
                    let refusals = self.refuse.clone();
                    let input = edge::Input::Prepared {
                        refusals,
                        apply_ms: 1,
                    };
                    let effects = self.edge.handle(input, self.now_ms);
                    self.edge_does(effects);
                }
                edge::Effect::Activate(view) => {
                    let position = view.manifest().position();
                    if let Some(last) = self.active.last() {
                        assert!(!position.is_before(last), "an older view became active");
                    }
                    self.active.push(position);
                    self.disk.floors = self.edge.floors().clone();
                    let effects = self.edge.handle(edge::Input::Activated, self.now_ms);
                    self.edge_does(effects);
                }
                edge::Effect::KeepKeysets(keysets) => self.disk.keysets = keysets,
                edge::Effect::Alarm(alarm) => self.alarms.push(alarm.code),
                edge::Effect::Close(_) => self.node = None,
                edge::Effect::Beat(_) | edge::Effect::KeepPepper(_) | edge::Effect::Move(_) => {}
            }
        }
    }

    pub(super) fn assert_converged(&self) {
        let newest = self.plane.newest().unwrap().position;
        assert_eq!(self.edge.active(), Some(newest));
        assert_eq!(
            self.disk.held.as_ref().unwrap().tree().root(),
            self.plane.tree().root()
        );
    }
}

pub(super) fn boot(pin: &RootPin, disk: &EdgeDisk, now_ms: u64) -> EdgeSession {
    let trust = tidegate_view::TrustedKeyset::establish(pin, &disk.keysets).ok();
    let boot = Boot {
        facts: EdgeFacts {
            edge_id: "edge-1".to_owned(),
            environment: "DEFAULT".to_owned(),
            ..EdgeFacts::default()
        },
        pin: *pin,
        trust: trust.map(|trust| (trust, disk.keysets.clone())),
        held: disk.held.clone(),
        is_active: false,
        refusals: Vec::new(),
        floors: disk.floors.clone(),
        seed: 7,
    };
    EdgeSession::new(boot, now_ms)
}

pub(super) fn payload(message: &NodeMessage) -> usize {
    use prost::Message as _;
    match &message.kind {
        Some(node_message::Kind::Changes(chunk)) => chunk.len(),
        Some(node_message::Kind::Nodes(nodes)) => nodes.encoded_len(),
        Some(node_message::Kind::Objects(objects)) => objects.encoded_len(),
        _ => 0,
    }
}

pub(super) fn plane_with(objects: usize, size: usize) -> Plane {
    let mut plane = Plane::new();
    for index in 0..objects {
        let mut object = vec![b'x'; size];
        object.extend_from_slice(index.to_string().as_bytes());
        plane.put(&format!("api-{index}"), object);
    }
    plane
}
