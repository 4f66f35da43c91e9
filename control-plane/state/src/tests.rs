//! What transactions do to the state, what they are refused for, and what the replicated format keeps.

use bytes::Bytes;

use crate::{
    ApiRecord, ApplicationRecord, Applied, ApplyError, DecodeError, Event, KeyRecord, MemoryState,
    Op, Precondition, Reply, ResourceKind, Role, SubscriptionRecord, SubscriptionStatus, TagSet,
    TokenRecord, Txn, apply::apply_within, bounds::Bounds, code, invariants, op, query,
};

const ENV: &str = "DEFAULT";

/// A state, and the log index of its last transaction.
struct Node {
    state: MemoryState,
    index: u64,
    bounds: Bounds,
}

impl Node {
    /// Starts with the environment in place.
    fn new() -> Node {
        let bounds = Bounds {
            idempotency_records: 4,
            events: 6,
            deployments_per_api: 3,
        };
        let mut node = Node {
            state: MemoryState::new(),
            index: 0,
            bounds,
        };
        let pepper = Bytes::from_static(&[7; 32]);
        node.done([op::PutEnvironment {
            id: ENV.into(),
            api_key_pepper: pepper,
        }
        .into()]);
        node
    }

    fn propose(&mut self, txn: &Txn) -> Applied {
        self.index += 1;
        let applied = apply_within(&self.state, self.index, txn, &self.bounds).unwrap();
        self.state.commit(applied.writes.clone());
        invariants::check(&self.state, &[ENV]);
        applied
    }

    fn run(&mut self, ops: impl IntoIterator<Item = Op>) -> Applied {
        self.propose(&txn(ops))
    }

    #[track_caller]
    fn done(&mut self, ops: impl IntoIterator<Item = Op>) -> Vec<Event> {
        let applied = self.run(ops);
        assert!(
            matches!(applied.reply, Reply::Done { .. }),
            "{:?}",
            applied.reply
        );
        applied.events
    }

    #[track_caller]
    fn rejected(&mut self, ops: impl IntoIterator<Item = Op>, expected: &str) -> String {
        let applied = self.run(ops);
        assert_eq!(
            (applied.writes.len(), applied.events.len()),
            (0, 0),
            "nothing happened"
        );
        match applied.reply {
            Reply::Rejected { code, path, .. } => {
                assert_eq!(code, expected);
                path
            }
            other => panic!("expected {expected}: {other:?}"),
        }
    }
}

fn txn(ops: impl IntoIterator<Item = Op>) -> Txn {
    let ops = ops.into_iter().collect();
    Txn {
        actor: "ann".into(),
        time_ms: 1_000,
        ops,
        ..Txn::default()
    }
}

fn api(id: &str, plan_ids: &[&str]) -> Op {
    let record = ApiRecord {
        id: id.into(),
        name: format!("name of {id}"),
        document: format!("{{\"id\":\"{id}\"}}").into(),
        started: true,
        claims: vec![format!("/{id}/")],
        plan_ids: plan_ids.iter().copied().map(String::from).collect(),
        ..ApiRecord::default()
    };
    op::PutApi {
        environment: ENV.into(),
        record,
    }
    .into()
}

fn deploy(id: &str, number: u64, tags: &[&str]) -> Op {
    op::Deploy {
        environment: ENV.into(),
        api_id: id.into(),
        number,
        object: format!("{id} {number}").into(),
        tags: tags.iter().copied().map(String::from).collect(),
        plan_tags: vec![TagSet::default()],
        ..op::Deploy::default()
    }
    .into()
}

fn application(id: &str) -> Op {
    let record = ApplicationRecord {
        id: id.into(),
        name: id.into(),
        ..ApplicationRecord::default()
    };
    op::PutApplication {
        environment: ENV.into(),
        record,
    }
    .into()
}

fn subscription(id: &str, plan: &str, status: SubscriptionStatus, key: char) -> Op {
    let keys = vec![KeyRecord {
        id: format!("key-{key}"),
        hash: key.to_string().repeat(64),
        ..KeyRecord::default()
    }];
    let record = SubscriptionRecord {
        id: id.into(),
        api_id: "echo".into(),
        plan_id: plan.into(),
        application_id: "app".into(),
        status: status.into(),
        keys,
        ..SubscriptionRecord::default()
    };
    let accepted = status == SubscriptionStatus::Accepted;
    let object = accepted.then(|| Bytes::from(format!("{id} {plan} {key}")));
    op::PutSubscription {
        environment: ENV.into(),
        record,
        object,
    }
    .into()
}

fn live(events: &[Event]) -> Vec<(String, bool, Vec<String>)> {
    let changes = events.iter().filter_map(|event| event.live.as_ref());
    changes
        .map(|live| {
            (
                live.id.clone(),
                live.object_hash.is_some(),
                live.tags.clone(),
            )
        })
        .collect()
}

#[test]
fn a_conflict_names_both_sides_and_writes_nothing() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let precondition = Precondition {
        kind: ResourceKind::Api,
        environment: ENV.into(),
        id: "echo".into(),
        revision: 1,
    };
    let applied = node.propose(&Txn {
        preconditions: vec![precondition],
        ..txn([deploy("echo", 1, &[])])
    });
    let expected = Reply::Conflict {
        kind: ResourceKind::Api,
        environment: ENV.into(),
        id: "echo".into(),
        expected: 1,
        actual: 2,
    };
    assert_eq!(
        applied,
        Applied {
            writes: vec![],
            reply: expected,
            events: vec![]
        }
    );
}

#[test]
fn zero_demands_that_a_resource_does_not_exist() {
    let mut node = Node::new();
    let absent = |kind, id: &str| Txn {
        preconditions: vec![Precondition {
            kind,
            environment: ENV.into(),
            id: id.into(),
            revision: 0,
        }],
        ..txn([api("echo", &["p"]), deploy("echo", 1, &[])])
    };
    assert!(matches!(
        node.propose(&absent(ResourceKind::Api, "echo")).reply,
        Reply::Done { revision: 2, .. }
    ));
    let kinds = [
        (ResourceKind::Api, "echo"),
        (ResourceKind::Claims, ""),
        (ResourceKind::Deployment, "echo/1"),
        (ResourceKind::Live, "api/echo"),
    ];
    for (kind, id) in kinds {
        let reply = node.propose(&absent(kind, id)).reply;
        assert!(
            matches!(reply, Reply::Conflict { actual: 2, .. }),
            "{kind:?}: {reply:?}"
        );
    }
}

#[test]
fn a_duplicate_happens_once_and_gets_the_first_reply() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let first = Txn {
        idempotency_key: "k".into(),
        ..txn([deploy("echo", 1, &[])])
    };
    node.propose(&first);
    let again = node.propose(&Txn {
        time_ms: 9_999,
        ..first.clone()
    });
    let reply = Reply::Done {
        revision: 3,
        numbers: vec![1],
        duplicate: true,
    };
    assert_eq!(
        again,
        Applied {
            writes: vec![],
            reply,
            events: vec![]
        }
    );
}

#[test]
fn a_client_digest_stands_for_the_request_even_when_the_operations_differ() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let request = |number, digest: &'static [u8]| Txn {
        idempotency_key: "k".into(),
        request_digest: Bytes::from_static(digest),
        ..txn([deploy("echo", number, &[])])
    };
    node.propose(&request(1, b"deploy echo"));
    let again = node.propose(&request(2, b"deploy echo")).reply;
    assert_eq!(
        again,
        Reply::Done {
            revision: 3,
            numbers: vec![1],
            duplicate: true
        }
    );
    let other = node.propose(&request(2, b"deploy other")).reply;
    assert!(matches!(other, Reply::Rejected { code, .. } if code == code::IDEMPOTENCY_KEY_REUSED));
}

#[test]
fn a_refused_transaction_is_replayed_too() {
    let mut node = Node::new();
    let wrong = Txn {
        idempotency_key: "k".into(),
        ..txn([deploy("echo", 1, &[])])
    };
    let first = node.propose(&wrong).reply;
    node.done([api("echo", &["p"])]);
    assert_eq!(node.propose(&wrong).reply, first);
}

#[test]
fn the_oldest_idempotency_records_and_events_fall_out() {
    let mut node = Node::new();
    for n in 0..10 {
        let key = format!("k{n}");
        node.propose(&Txn {
            idempotency_key: key,
            ..txn([application(&format!("a{n}"))])
        });
    }
    let repeat = |node: &mut Node, n: u64| {
        let key = format!("k{n}");
        node.propose(&Txn {
            idempotency_key: key,
            ..txn([application(&format!("a{n}"))])
        })
        .reply
    };
    assert!(matches!(
        repeat(&mut node, 9),
        Reply::Done {
            duplicate: true,
            ..
        }
    ));
    assert!(matches!(
        repeat(&mut node, 6),
        Reply::Done {
            duplicate: true,
            ..
        }
    ));
    let cursor = query::EventCursor::after_revision(0);
    let kept = query::events(&node.state, cursor, 100).unwrap();
    let revisions: Vec<_> = kept.iter().map(|(cursor, _)| cursor.revision).collect();
    assert_eq!(revisions, [6, 7, 8, 9, 10, 11]);
    assert_eq!(query::events_pruned_to(&node.state).unwrap(), 5);
    assert!(matches!(
        repeat(&mut node, 5),
        Reply::Done {
            duplicate: false,
            ..
        }
    ));
}

#[test]
fn names_plans_and_claims_are_unique_in_an_environment() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let variant = |change: fn(&mut ApiRecord)| {
        let Op::PutApi(mut put) = api("other", &["q"]) else {
            unreachable!()
        };
        change(&mut put.record);
        Op::from(put)
    };
    let name = variant(|record| record.name = "name of echo".into());
    assert_eq!(
        node.rejected([name], code::NAME_TAKEN),
        "ops[0].record.name"
    );
    let plan = variant(|record| record.plan_ids = vec!["q".into(), "p".into()]);
    assert_eq!(
        node.rejected([plan], code::PLAN_ID_TAKEN),
        "ops[0].record.plan_ids[1]"
    );
    let claim = variant(|record| record.claims = vec!["/echo/".into()]);
    assert_eq!(
        node.rejected([claim], code::CLAIM_TAKEN),
        "ops[0].record.claims[0]"
    );
    let elsewhere = op::PutApi {
        environment: "nowhere".into(),
        record: ApiRecord::default(),
    };
    assert_eq!(
        node.rejected([elsewhere.into()], code::NOT_FOUND),
        "ops[0].environment"
    );
}

#[test]
fn the_claims_revision_moves_only_with_claims() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let moved = query::claims_revision(&node.state, ENV).unwrap();
    node.done([api("echo", &["p", "q"])]);
    assert_eq!(query::claims_revision(&node.state, ENV).unwrap(), moved);
    node.done([op::DeleteApi {
        environment: ENV.into(),
        id: "echo".into(),
    }
    .into()]);
    assert_eq!(
        query::claims_revision(&node.state, ENV).unwrap(),
        node.index
    );
}

#[test]
fn a_plan_with_an_open_subscription_stays() {
    let mut node = Node::new();
    node.done([api("echo", &["p", "q"]), application("app")]);
    node.done([subscription("s", "p", SubscriptionStatus::Paused, 'a')]);
    node.rejected([api("echo", &["q"])], code::PLAN_IN_USE);
    node.done([subscription("s", "p", SubscriptionStatus::Closed, 'a')]);
    node.done([api("echo", &["q"])]);
}

#[test]
fn deployment_numbers_grow_by_one_and_old_ones_are_forgotten() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    node.rejected([deploy("echo", 2, &[])], code::OUT_OF_SEQUENCE);
    for number in 1..=5 {
        node.done([deploy("echo", number, &[])]);
    }
    let page = query::deployments(&node.state, ENV, "echo", None, 2).unwrap();
    let numbers: Vec<_> = page.items.iter().map(|found| found.number).collect();
    assert_eq!((numbers, page.next.as_deref()), (vec![5, 4], Some("4")));
    let rest = query::deployments(&node.state, ENV, "echo", Some(4), 2).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let Op::Deploy(rollback) = deploy("echo", 6, &[]) else {
        unreachable!()
    };
    let rollback = |number| {
        op::Deploy {
            rollback_of: number,
            ..rollback.clone()
        }
        .into()
    };
    node.rejected([rollback(2)], code::NOT_FOUND);
    node.done([rollback(3)]);
}

#[test]
fn subscriptions_are_live_with_their_api_and_follow_its_tags() {
    let mut node = Node::new();
    node.done([api("echo", &["p"]), application("app")]);
    let events = node.done([subscription("s", "p", SubscriptionStatus::Accepted, 'a')]);
    assert_eq!(live(&events), [], "the API is not live yet");
    let events = node.done([deploy("echo", 1, &["eu"])]);
    let tags = |tag: &str| vec![tag.to_owned()];
    assert_eq!(
        live(&events),
        [
            ("echo".into(), true, tags("eu")),
            ("s".into(), true, tags("eu"))
        ]
    );
    let events = node.done([deploy("echo", 2, &["eu"])]);
    assert_eq!(
        live(&events),
        [("echo".into(), true, tags("eu"))],
        "the same facts"
    );
    let events = node.done([deploy("echo", 3, &["us"])]);
    assert_eq!(
        live(&events),
        [
            ("echo".into(), true, tags("us")),
            ("s".into(), true, tags("us"))
        ]
    );
    let events = node.done([subscription("s", "p", SubscriptionStatus::Paused, 'a')]);
    assert_eq!(live(&events), [("s".into(), false, tags("us"))]);
}

#[test]
fn stopping_emits_the_object_again() {
    let mut node = Node::new();
    node.done([api("echo", &["p"])]);
    let stop = |object: &'static str| {
        let (environment, api_id) = (ENV.into(), "echo".into());
        op::SetApiState {
            environment,
            api_id,
            started: false,
            object: object.into(),
        }
        .into()
    };
    node.rejected([stop("stopped")], code::INVALID);
    node.done([stop("")]);
    node.done([deploy("echo", 1, &[])]);
    node.rejected([stop("")], code::INVALID);
    let events = node.done([stop("stopped")]);
    assert_eq!(live(&events), [("echo".into(), true, vec![])]);
    assert!(
        !query::api(&node.state, ENV, "echo")
            .unwrap()
            .unwrap()
            .value
            .started
    );
}

#[test]
fn deleting_an_api_takes_everything_that_hangs_on_it() {
    let mut node = Node::new();
    node.done([
        api("echo", &["p"]),
        application("app"),
        deploy("echo", 1, &[]),
    ]);
    node.done([subscription("s", "p", SubscriptionStatus::Accepted, 'a')]);
    let events = node.done([op::DeleteApi {
        environment: ENV.into(),
        id: "echo".into(),
    }
    .into()]);
    assert_eq!(
        live(&events),
        [("s".into(), false, vec![]), ("echo".into(), false, vec![])]
    );
    assert!(
        query::subscription(&node.state, ENV, "s")
            .unwrap()
            .is_none()
    );
    assert!(
        query::live_objects(&node.state, ENV, None, 10)
            .unwrap()
            .items
            .is_empty()
    );
    node.done([api("echo", &["p"]), deploy("echo", 1, &[])]);
}

#[test]
fn keys_are_unique_and_found_by_hash_and_id() {
    let mut node = Node::new();
    node.done([api("echo", &["p"]), application("app")]);
    node.done([subscription("s", "p", SubscriptionStatus::Accepted, 'a')]);
    node.rejected(
        [subscription("t", "p", SubscriptionStatus::Pending, 'a')],
        code::KEY_TAKEN,
    );
    let found = query::subscription_by_key_hash(&node.state, ENV, &"a".repeat(64)).unwrap();
    assert_eq!(found.unwrap().value.id, "s");
    node.done([op::DeleteApplication {
        environment: ENV.into(),
        id: "app".into(),
    }
    .into()]);
    assert!(
        query::subscription_by_key_id(&node.state, ENV, "key-a")
            .unwrap()
            .is_none()
    );
}

#[test]
fn tokens_are_found_by_secret_and_disappear() {
    let mut node = Node::new();
    let token = |id: &str, secret: u8| {
        let record = TokenRecord {
            id: id.into(),
            name: id.into(),
            role: Role::Admin.into(),
            secret_hash: Bytes::copy_from_slice(&[secret; 32]),
            ..TokenRecord::default()
        };
        op::PutToken { record }.into()
    };
    node.done([token("t", 1)]);
    node.rejected([token("u", 1)], code::TOKEN_TAKEN);
    let found = query::token_by_secret_hash(&node.state, &[1; 32]).unwrap();
    assert_eq!(found.unwrap().value.role(), Role::Admin);
    node.done([op::DeleteToken { id: "t".into() }.into()]);
    assert!(
        query::token_by_secret_hash(&node.state, &[1; 32])
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_manifest_only_moves_forward_unless_the_epoch_does() {
    let mut node = Node::new();
    let cluster = |epoch| {
        let (cluster_id, trust_domain) = ("c".into(), "t".into());
        op::PutCluster {
            cluster_id,
            trust_domain,
            epoch,
        }
        .into()
    };
    let publish = |revision| {
        let (view_id, root) = ("DEFAULT/".into(), Bytes::from_static(&[1; 32]));
        let manifest = Bytes::from_static(b"m");
        let op = op::PublishView {
            view_id,
            revision,
            root,
            manifest,
            ..Default::default()
        };
        op.into()
    };
    node.done([cluster(1)]);
    node.rejected([publish(1)], code::NOT_FOUND);
    let (environment, view_id) = (ENV.into(), "DEFAULT/".into());
    node.done([op::RegisterView {
        environment,
        view_id,
        ..Default::default()
    }
    .into()]);
    let events = node.done([publish(2)]);
    assert_eq!(events[0].published.as_ref().unwrap().revision, 2);
    node.rejected([publish(2)], code::OUT_OF_SEQUENCE);
    node.rejected([publish(1_000)], code::INVALID);
    node.done([cluster(2), publish(1)]);
    node.rejected([cluster(1)], code::OUT_OF_SEQUENCE);
}

#[test]
fn keyset_versions_are_dense() {
    let mut node = Node::new();
    let put = |version| {
        op::PutKeyset {
            version,
            bytes: Bytes::from_static(b"k"),
        }
        .into()
    };
    node.rejected([put(0)], code::OUT_OF_SEQUENCE);
    node.rejected([put(2)], code::OUT_OF_SEQUENCE);
    node.done([put(1), put(2)]);
    node.rejected([put(2)], code::OUT_OF_SEQUENCE);
    assert_eq!(query::keysets(&node.state, 1, 10).unwrap().len(), 1);
}

#[test]
fn refusals_are_bounded_and_newest_per_edge() {
    let mut node = Node::new();
    node.done([api("echo", &["p"]), deploy("echo", 1, &[])]);
    let refuse = |edge: u32, message: &str| {
        op::RecordRefusal {
            environment: ENV.into(),
            api_id: "echo".into(),
            edge_id: format!("edge-{edge}"),
            object_hash: Bytes::from_static(&[1; 32]),
            message: message.into(),
            ..op::RecordRefusal::default()
        }
        .into()
    };
    node.done((0..40).map(|edge| refuse(edge, "first")));
    node.done([refuse(20, &"é".repeat(2_000))]);
    let refusals = query::deployment(&node.state, ENV, "echo", 1)
        .unwrap()
        .unwrap()
        .refusals;
    assert_eq!(refusals.len(), 32);
    assert_eq!(refusals.last().unwrap().edge_id, "edge-20");
    assert_eq!(refusals.last().unwrap().message, "é".repeat(512));
}

#[test]
fn a_newer_level_stops_the_replica() {
    let node = Node::new();
    let newer = Txn {
        min_level: 2,
        ..txn([])
    };
    let result = apply_within(&node.state, 9, &newer, &node.bounds);
    assert!(matches!(
        result,
        Err(ApplyError::LevelTooNew {
            needed: 2,
            supported: 1
        })
    ));
}

#[test]
fn unknown_fields_are_tolerated_and_unknown_operations_are_not() {
    let txn = txn([api("echo", &["p"]), deploy("echo", 1, &["eu"])]);
    let mut bytes = txn.encode();
    // Field 900, a varint.
    bytes.extend_from_slice(&[0xa0, 0x38, 0x01]);
    assert_eq!(Txn::decode(&bytes).unwrap(), txn);
    // Field 6 is an operation; inside it, field 900 is none that this release knows.
    bytes.extend_from_slice(&[0x32, 0x03, 0xa0, 0x38, 0x01]);
    assert!(matches!(
        Txn::decode(&bytes),
        Err(DecodeError::UnknownOp { position: 2 })
    ));
}
