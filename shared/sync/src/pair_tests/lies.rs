//! Everything a liar may send; none of it becomes active.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_proto::sync::v1::{Changes, NodeMessage, Update, node_message};
use tidegate_view::{EMPTY_ROOT, Hash};

use super::world::{Pair, Plane, VIEW, plane_with, signer};
use crate::{
    edge::{self, AlarmCode},
    node::PublishedView,
};

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
    kinds.extend(
        delta
            .chunks
            .iter()
            .cloned()
            .map(node_message::Kind::Changes),
    );
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
            let changes = Changes {
                changes,
                last: false,
            };
            kinds.push(node_message::Kind::Changes(changes.encode_to_vec().into()));
        }
        kinds
    });
    assert_eq!(pair.alarms, [AlarmCode::Malformed]);
}
