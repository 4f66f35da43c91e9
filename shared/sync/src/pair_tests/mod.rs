//! Both halves against each other, in memory: loss of the stream at every step, restarts of
//! either side, any history.

mod lies;
mod world;

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_proto::sync::v1::{Changes, NodeMessage, node_message};
use tidegate_view::object_hash;

use self::world::{BEAT_MS, Pair, Plane, plane_with};
use crate::{
    edge::{self, AlarmCode, PreparedObjectRefusal},
    node::{self, Report},
};

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
    assert!(
        pair.payload < 200,
        "{} bytes for two small changes",
        pair.payload
    );
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
    assert!(
        pair.payload < 200_000,
        "{} bytes for forty small changes",
        pair.payload
    );
}

#[test]
fn payload_in_flight_stays_within_the_credit() {
    let mut pair = Pair::new(plane_with(100, 100_000));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    pair.assert_converged();
    assert!(pair.payload > 10_000_000);
    assert!(
        pair.in_flight_max <= crate::limits::CREDIT_BYTES as usize,
        "{}",
        pair.in_flight_max
    );
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
    assert_eq!(
        (nacked.id.as_str(), nacked.code.as_str()),
        ("api-1", "POLICY_UNKNOWN")
    );
    assert_eq!(
        nacked.object_hash,
        object_hash(&pair.plane.content["api-1"])
    );

    // Another node learns it too, although nothing is sent again.
    pair.reports.clear();
    pair.payload = 0;
    pair.connect();
    pair.settle();
    assert!(
        pair.reports
            .iter()
            .any(|report| matches!(report, Report::Nacked { .. }))
    );
    assert_eq!(pair.payload, 0);
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
    assert!(matches!(
        node[..],
        [node::Effect::Close(node::CloseReason::Dead)]
    ));
    let edge = pair.edge.handle(edge::Input::Tick, later);
    assert!(matches!(
        edge[..],
        [edge::Effect::Close(edge::CloseReason::Dead)]
    ));
}

#[test]
fn a_node_that_announces_but_never_sends_is_left() {
    let mut pair = Pair::new(plane_with(1, 1));
    pair.plane.publish();
    pair.connect();
    pair.settle();
    let beat = NodeMessage {
        kind: Some(node_message::Kind::Beat(
            tidegate_proto::sync::v1::NodeBeat {
                published: Some(tidegate_proto::sync::v1::Position {
                    epoch: 1,
                    revision: 99,
                    root: vec![1; 32].into(),
                }),
                now_ms: 0,
            },
        )),
    };
    let mut closed = false;
    for _ in 0..3 {
        let effects = pair
            .edge
            .handle(edge::Input::Node(beat.clone()), pair.now_ms);
        closed = effects
            .iter()
            .any(|effect| matches!(effect, edge::Effect::Close(edge::CloseReason::Stalled)));
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
