//! Both halves against each other, in memory: loss of the stream at every step, restarts of
//! either side, and everything a liar may send.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_proto::sync::v1::{
    Changes, EdgeMessage, NodeMessage, Update, edge_message, node_message,
};
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

const VIEW: &str = "DEFAULT/";
const BEAT_MS: u32 = 10_000;

/// What the control plane knows.
struct Plane {
    signer: FileSigner,
    keysets: Vec<SignedKeyset>,
    pin: RootPin,
    content: BTreeMap<String, Bytes>,
    objects: BTreeMap<Hash, Bytes>,
    versions: Vec<Arc<PublishedView>>,
    /// Versions this node keeps trees of.
    kept: usize,
    revision: u64,
}

fn signer() -> FileSigner {
    FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap()
}

impl Plane {
    fn new() -> Self {
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

    fn put(&mut self, id: &str, object: Vec<u8>) {
        let object = Bytes::from(object);
        self.objects.insert(object_hash(&object), object.clone());
        self.content.insert(id.to_owned(), object);
    }

    fn tree(&self) -> ViewTree {
        let mut tree = ViewTree::new();
        for (id, object) in &self.content {
            tree.insert("api", id, object_hash(object), object.len() as u64);
        }
        tree
    }

    fn publish(&mut self) -> Arc<PublishedView> {
        self.revision += 1;
        let published = Arc::new(self.sign(self.revision, self.tree(), VIEW, &self.signer));
        self.versions.push(Arc::clone(&published));
        published
    }

    fn sign(
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

    fn newest(&self) -> Option<Arc<PublishedView>> {
        self.versions.last().cloned()
    }

    fn delta(&self, from: Hash, to: Arc<PublishedView>) -> Option<Arc<Delta>> {
        let base = if from == EMPTY_ROOT {
            ViewTree::new()
        } else {
            let kept = self.versions.iter().rev().take(self.kept);
            kept.into_iter().find(|version| version.position.root == from)?.tree.clone()
        };
        let changes = diff(&base, &to.tree).into_iter().map(|change| match change {
            TreeChange::Put(leaf) => ObjectChange {
                kind: leaf.kind.to_string(),
                id: leaf.id.to_string(),
                object: Some(self.objects[&leaf.object_hash].clone()),
            },
            TreeChange::Remove { kind, id } => {
                ObjectChange { kind: kind.to_string(), id: id.to_string(), object: None }
            }
        });
        Some(Arc::new(Delta::encode(from, to, changes)))
    }

    fn load(&self, wanted: &[node::Wanted]) -> Vec<ObjectChange> {
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
struct EdgeDisk {
    held: Option<Arc<VerifiedView>>,
    keysets: Vec<SignedKeyset>,
    floors: Floors,
}

struct Pair {
    plane: Plane,
    node: Option<NodeSession>,
    edge: EdgeSession,
    disk: EdgeDisk,
    to_edge: VecDeque<NodeMessage>,
    to_node: VecDeque<EdgeMessage>,
    now_ms: u64,
    /// Roots that were active, in order.
    active: Vec<Position>,
    alarms: Vec<AlarmCode>,
    reports: Vec<Report>,
    /// Largest payload in flight, and all payload, in bytes.
    in_flight_max: usize,
    payload: usize,
    refuse: Vec<PreparedObjectRefusal>,
}

impl Pair {
    fn new(plane: Plane) -> Self {
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

    fn connect(&mut self) {
        self.cut();
        let effects = self.edge.handle(edge::Input::Connected, self.now_ms);
        self.edge_does(effects);
    }

    fn cut(&mut self) {
        self.node = None;
        self.to_edge.clear();
        self.to_node.clear();
        let effects = self.edge.handle(edge::Input::Disconnected, self.now_ms);
        self.edge_does(effects);
    }

    fn restart_edge(&mut self) {
        self.cut();
        self.edge = boot(&self.plane.pin, &self.disk, self.now_ms);
    }

    fn publish(&mut self) {
        let published = self.plane.publish();
        self.node_takes(node::Input::Published(published));
    }

    /// Delivers one message; false when nothing is on its way.
    fn step(&mut self) -> bool {
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
                        keysets: self.plane.keysets[version..].iter().map(keyset_to_wire).collect(),
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
        let due = self.edge.deadline_ms().filter(|due| *due < self.now_ms + 1000);
        if let Some(due) = due {
            self.now_ms = self.now_ms.max(due);
            let effects = self.edge.handle(edge::Input::Tick, self.now_ms);
            self.edge_does(effects);
            return !self.to_node.is_empty();
        }
        false
    }

    fn settle(&mut self) -> usize {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "the pair never settles");
        }
        steps
    }

    fn node_takes(&mut self, input: node::Input) {
        if let Some(node) = &mut self.node {
            let effects = node.handle(input, self.now_ms);
            self.node_does(effects);
        }
    }

    fn node_does(&mut self, effects: Vec<node::Effect>) {
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

    fn edge_does(&mut self, effects: Vec<edge::Effect>) {
        for effect in effects {
            match effect {
                edge::Effect::Send(message) => self.to_node.push_back(message),
                edge::Effect::Prepare(preparation) => {
                    self.disk.held = Some(preparation.view);
                    let refusals = self.refuse.clone();
                    let input = edge::Input::Prepared { refusals, apply_ms: 1 };
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
                edge::Effect::Beat(_)
                | edge::Effect::KeepPepper(_)
                | edge::Effect::Move(_) => {}
            }
        }
    }

    fn assert_converged(&self) {
        let newest = self.plane.newest().unwrap().position;
        assert_eq!(self.edge.active(), Some(newest));
        assert_eq!(self.disk.held.as_ref().unwrap().tree().root(), self.plane.tree().root());
    }
}

fn boot(pin: &RootPin, disk: &EdgeDisk, now_ms: u64) -> EdgeSession {
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

fn payload(message: &NodeMessage) -> usize {
    use prost::Message as _;
    match &message.kind {
        Some(node_message::Kind::Changes(chunk)) => chunk.len(),
        Some(node_message::Kind::Nodes(nodes)) => nodes.encoded_len(),
        Some(node_message::Kind::Objects(objects)) => objects.encoded_len(),
        _ => 0,
    }
}

fn plane_with(objects: usize, size: usize) -> Plane {
    let mut plane = Plane::new();
    for index in 0..objects {
        let mut object = vec![b'x'; size];
        object.extend_from_slice(index.to_string().as_bytes());
        plane.put(&format!("api-{index}"), object);
    }
    plane
}

#[test]
fn a_new_edge_gets_the_view_and_runs_it() {
    let mut pair = Pair::new(plane_with(50, 100));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.assert_converged();
    let newest = pair.plane.newest().unwrap().position;
    assert!(pair.reports.contains(&Report::Active(newest)));
    assert_eq!(pair.alarms, []);
}

#[test]
fn an_edge_that_connects_before_the_first_manifest_waits_for_it() {
    let mut pair = Pair::new(plane_with(0, 0));
    pair.connect();
    pair.settle();
    assert_eq!(pair.edge.active(), None);
    pair.publish();
    pair.settle();
    pair.assert_converged();
}

#[test]
fn a_change_costs_what_changed() {
    let mut pair = Pair::new(plane_with(2_000, 1_000));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.payload = 0;
    pair.plane.put("api-7", b"changed".to_vec());
    pair.plane.content.remove("api-8");
    pair.publish();
    pair.settle();
    pair.assert_converged();
    assert!(pair.payload < 200, "{} bytes for two small changes", pair.payload);
}

#[test]
fn an_edge_that_returns_to_another_node_gets_a_merkle_diff() {
    let mut pair = Pair::new(plane_with(2_000, 1_000));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.cut();
    for index in 0..20 {
        pair.plane.put(&format!("api-{index}"), b"changed".to_vec());
        pair.plane.content.remove(&format!("api-{}", 100 + index));
    }
    pair.plane.publish();
    pair.plane.kept = 1;
    pair.payload = 0;
    pair.connect();
    pair.settle();
    pair.assert_converged();
    assert!(pair.payload < 200_000, "{} bytes for forty small changes", pair.payload);
}

#[test]
fn payload_in_flight_stays_within_the_credit() {
    let mut pair = Pair::new(plane_with(100, 100_000));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.assert_converged();
    assert!(pair.payload > 10_000_000);
    assert!(pair.in_flight_max <= crate::limits::CREDIT_BYTES as usize, "{}", pair.in_flight_max);
}

#[test]
fn objects_larger_than_a_chunk_pass_one_by_one() {
    let mut pair = Pair::new(plane_with(5, 1_500_000));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.assert_converged();
}

#[test]
fn a_slow_edge_skips_versions_in_between() {
    let mut pair = Pair::new(plane_with(10, 10));
    pair.plane.publish();
    pair.connect();
    for index in 0..20 {
        pair.plane.put("api-0", vec![b'y'; index]);
        pair.publish();
        pair.step();
    }
    pair.settle();
    pair.assert_converged();
    assert!(pair.active.len() < 20, "{} activations", pair.active.len());
}

#[test]
fn losing_the_stream_at_any_step_loses_nothing() {
    let scenario = |lost_at: Option<usize>, kept: usize| {
        let mut pair = Pair::new(plane_with(40, 30_000));
        pair.plane.publish();
        pair.connect();
        pair.settle();
        pair.cut();
        pair.plane.kept = kept;
        pair.plane.put("api-3", vec![b'z'; 300_000]);
        pair.plane.content.remove("api-4");
        pair.plane.publish();
        pair.connect();
        let mut steps = 0;
        while pair.step() {
            steps += 1;
            if Some(steps) == lost_at {
                pair.connect();
            }
        }
        pair.assert_converged();
        assert_eq!(pair.alarms, []);
        steps
    };
    for kept in [64, 1] {
        let steps = scenario(None, kept);
        for lost_at in 1..=steps {
            scenario(Some(lost_at), kept);
        }
    }
}

#[test]
fn restarting_the_edge_at_any_step_never_goes_back() {
    let scenario = |restart_at: Option<usize>| {
        let mut pair = Pair::new(plane_with(5, 1_000));
        pair.plane.publish();
        pair.connect();
        let mut steps = 0;
        while pair.step() {
            steps += 1;
            if steps == 4 {
                pair.plane.put("api-0", b"changed".to_vec());
                pair.publish();
            }
            if Some(steps) == restart_at {
                pair.restart_edge();
                pair.connect();
            }
        }
        pair.assert_converged();
        steps
    };
    let steps = scenario(None);
    for restart_at in 1..=steps {
        scenario(Some(restart_at));
    }
}

#[test]
fn refused_objects_are_reported_and_block_nothing() {
    let mut pair = Pair::new(plane_with(3, 10));
    pair.refuse = vec![PreparedObjectRefusal {
        kind: "api".to_owned(),
        id: "api-1".to_owned(),
        code: "POLICY_UNKNOWN".to_owned(),
        path: "flows[0]".to_owned(),
        message: "no".to_owned(),
    }];
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.assert_converged();
    let nacked = pair.reports.iter().find_map(|report| match report {
        Report::Nacked { objects, .. } => objects.first().cloned(),
        _ => None,
    });
    let nacked = nacked.unwrap();
    assert_eq!((nacked.id.as_str(), nacked.code.as_str()), ("api-1", "POLICY_UNKNOWN"));
    assert_eq!(nacked.object_hash, object_hash(&pair.plane.content["api-1"]));

    // Another node learns it too, although nothing is sent again.
    pair.reports.clear();
    pair.payload = 0;
    pair.connect();
    pair.settle();
    assert!(pair.reports.iter().any(|report| matches!(report, Report::Nacked { .. })));
    assert_eq!(pair.payload, 0);
}

/// Gives the edge one transfer that a liar made, after it runs a good view.
fn lie(make: impl FnOnce(&mut Plane) -> Vec<node_message::Kind>) -> Pair {
    let mut pair = Pair::new(plane_with(3, 10));
    pair.plane.publish();
    pair.plane.put("api-0", b"second".to_vec());
    pair.plane.publish();
    pair.connect();
    pair.settle();
    let before = pair.edge.active();
    for kind in make(&mut pair.plane) {
        let message = NodeMessage { kind: Some(kind) };
        let effects = pair.edge.handle(edge::Input::Node(message), pair.now_ms);
        pair.edge_does(effects);
    }
    assert_eq!(pair.edge.active(), before, "a lie became active");
    assert!(pair.disk.held.as_ref().unwrap().manifest().position() == before.unwrap());
    pair
}

fn transfer(plane: &Plane, from: Hash, target: PublishedView) -> Vec<node_message::Kind> {
    let target = Arc::new(target);
    let delta = plane.delta(from, Arc::clone(&target)).unwrap();
    let update = Update {
        target: Some(crate::manifest_to_wire(&target.manifest)),
        from_root: Bytes::copy_from_slice(&from),
        change_count: delta.change_count,
        byte_count: delta.byte_count,
    };
    let mut kinds = vec![node_message::Kind::Update(update)];
    kinds.extend(delta.chunks.iter().cloned().map(node_message::Kind::Changes));
    let activate = tidegate_proto::sync::v1::Activate {
        root: Bytes::copy_from_slice(&target.position.root),
        revision: target.position.revision,
    };
    kinds.push(node_message::Kind::Activate(activate));
    kinds
}

#[test]
fn a_forged_manifest_never_becomes_active() {
    let pair = lie(|plane| {
        plane.put("evil", b"evil".to_vec());
        let forged = plane.sign(9, plane.tree(), VIEW, &signer());
        transfer(plane, EMPTY_ROOT, forged)
    });
    assert_eq!(pair.alarms, [AlarmCode::Signature]);
}

#[test]
fn an_older_view_never_becomes_active() {
    let pair = lie(|plane| {
        let older = (*plane.versions[0]).clone();
        transfer(plane, EMPTY_ROOT, older)
    });
    assert_eq!(pair.alarms, [AlarmCode::Rollback]);
}

#[test]
fn a_second_root_for_the_same_revision_never_becomes_active() {
    let pair = lie(|plane| {
        plane.put("other", b"other".to_vec());
        let twin = plane.sign(plane.revision, plane.tree(), VIEW, &plane.signer);
        transfer(plane, EMPTY_ROOT, twin)
    });
    assert_eq!(pair.alarms, [AlarmCode::Equivocation]);
}

#[test]
fn the_view_of_somebody_else_never_becomes_active() {
    let pair = lie(|plane| {
        let other = plane.sign(9, plane.tree(), "OTHER/", &plane.signer);
        transfer(plane, EMPTY_ROOT, other)
    });
    assert_eq!(pair.alarms, [AlarmCode::Signature]);
}

#[test]
fn a_truncated_or_mixed_delta_diverges() {
    for tamper in [truncate as fn(&mut Changes), swap] {
        let pair = lie(|plane| {
            plane.put("api-1", b"third".to_vec());
            plane.put("api-2", b"third too".to_vec());
            let next = plane.sign(9, plane.tree(), VIEW, &plane.signer);
            let mut kinds = transfer(plane, EMPTY_ROOT, next);
            for kind in &mut kinds {
                if let node_message::Kind::Changes(chunk) = kind {
                    use prost::Message as _;
                    let mut changes = Changes::decode(chunk.clone()).unwrap();
                    tamper(&mut changes);
                    *chunk = changes.encode_to_vec().into();
                }
            }
            kinds
        });
        assert_eq!(pair.alarms[0], AlarmCode::Diverged);
    }
}

fn truncate(changes: &mut Changes) {
    changes.changes.pop();
}

fn swap(changes: &mut Changes) {
    let first = changes.changes[0].object.clone();
    changes.changes[0].object = changes.changes[1].object.clone();
    changes.changes[1].object = first;
}

#[test]
fn an_endless_delta_is_cut_off_by_the_signed_size() {
    let pair = lie(|plane| {
        let next = plane.sign(9, plane.tree(), VIEW, &plane.signer);
        let mut kinds = transfer(plane, EMPTY_ROOT, next);
        kinds.truncate(1);
        let object = Some(Bytes::from(vec![0; 1000]));
        let change = |index: usize| tidegate_proto::sync::v1::Change {
            kind: "api".to_owned(),
            id: format!("flood-{index}"),
            object: object.clone(),
        };
        for round in 0..10 {
            use prost::Message as _;
            let changes = (0..10).map(|index| change(round * 10 + index)).collect();
            let changes = Changes { changes, last: false };
            kinds.push(node_message::Kind::Changes(changes.encode_to_vec().into()));
        }
        kinds
    });
    assert_eq!(pair.alarms, [AlarmCode::Malformed]);
}

#[test]
fn a_diverged_delta_is_repaired_by_a_merkle_diff_from_the_same_node() {
    let mut pair = Pair::new(plane_with(20, 100));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.plane.put("api-5", b"new".to_vec());
    pair.publish();
    // The chunk on its way is damaged.
    for message in &mut pair.to_edge {
        if let Some(node_message::Kind::Changes(chunk)) = &mut message.kind {
            use prost::Message as _;
            let mut changes = Changes::decode(chunk.clone()).unwrap();
            changes.changes[0].object = Some(Bytes::from_static(b"nEw"));
            *chunk = changes.encode_to_vec().into();
        }
    }
    pair.settle();
    pair.assert_converged();
    assert_eq!(pair.alarms, [AlarmCode::Diverged]);
}

#[test]
fn silence_is_noticed_by_both_sides() {
    let mut pair = Pair::new(plane_with(1, 1));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    let later = pair.now_ms + 3 * u64::from(BEAT_MS);
    let node = pair.node.as_mut().unwrap().handle(node::Input::Tick, later);
    assert!(matches!(node[..], [node::Effect::Close(node::CloseReason::Dead)]));
    let edge = pair.edge.handle(edge::Input::Tick, later);
    assert!(matches!(edge[..], [edge::Effect::Close(edge::CloseReason::Dead)]));
}

#[test]
fn a_node_that_announces_but_never_sends_is_left() {
    let mut pair = Pair::new(plane_with(1, 1));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    let beat = NodeMessage {
        kind: Some(node_message::Kind::Beat(tidegate_proto::sync::v1::NodeBeat {
            published: Some(tidegate_proto::sync::v1::Position {
                epoch: 1,
                revision: 99,
                root: vec![1; 32].into(),
            }),
            now_ms: 0,
        })),
    };
    let mut closed = false;
    for _ in 0..3 {
        let effects = pair.edge.handle(edge::Input::Node(beat.clone()), pair.now_ms);
        closed = effects.iter().any(|effect| {
            matches!(effect, edge::Effect::Close(edge::CloseReason::Stalled))
        });
    }
    assert!(closed);
}

#[test]
fn a_node_of_another_trust_is_left_with_an_alarm() {
    let mut pair = Pair::new(plane_with(1, 1));
    pair.plane.publish();
    pair.plane.keysets = Plane::new().keysets;
    pair.connect();
    pair.settle();
    assert_eq!(pair.edge.active(), None);
    assert!(pair.alarms.contains(&AlarmCode::Keyset));
}

#[derive(Debug, Clone)]
enum Act {
    Put(u8, u8),
    Remove(u8),
    Publish,
    Step(u8),
    Cut,
    Connect,
    Restart,
    Forget,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..12_u8, any::<u8>()).prop_map(|(id, byte)| Act::Put(id, byte)),
        (0..12_u8).prop_map(Act::Remove),
        Just(Act::Publish),
        (1..20_u8).prop_map(Act::Step),
        Just(Act::Cut),
        Just(Act::Connect),
        Just(Act::Restart),
        Just(Act::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, revisions at the edge only grow (asserted inside), and it converges.
    #[test]
    fn any_history_converges(acts in proptest::collection::vec(act(), 1..60)) {
        let mut pair = Pair::new(plane_with(4, 10));
        for act in acts {
            match act {
                Act::Put(id, byte) => pair.plane.put(&format!("api-{id}"), vec![byte; 20]),
                Act::Remove(id) => {
                    pair.plane.content.remove(&format!("api-{id}"));
                }
                Act::Publish => pair.publish(),
                Act::Step(count) => {
                    for _ in 0..count {
                        pair.step();
                    }
                }
                Act::Cut => pair.cut(),
                Act::Connect => pair.connect(),
                Act::Restart => pair.restart_edge(),
                Act::Forget => pair.plane.kept = 1,
            }
        }
        pair.publish();
        pair.connect();
        pair.settle();
        pair.assert_converged();
        prop_assert_eq!(&pair.alarms, &Vec::new());
    }

    /// No message of a node makes the edge panic, nor run anything but what it runs.
    #[test]
    fn random_messages_change_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use prost::Message as _;
        if let Ok(message) = NodeMessage::decode(bytes.as_slice()) {
            let mut pair = Pair::new(plane_with(2, 10));
            pair.plane.publish();
            pair.connect();
            pair.settle();
            let before = pair.edge.active();
            let effects = pair.edge.handle(edge::Input::Node(message), pair.now_ms);
            pair.edge_does(effects);
            prop_assert_eq!(pair.edge.active(), before);
        }
    }
}
