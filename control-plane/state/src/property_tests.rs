//! Random logs: every replica comes to the same bytes, and the invariants hold after each entry.

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use crate::{
    ApiRecord, ApplicationRecord, AssetRecord, FeedRecord, KeyRecord, MemoryState, Op, Overlay,
    Precondition, Reply, ResourceKind, StateReader as _, SubscriptionRecord, SubscriptionStatus,
    Table, TagSet, Txn, Write, apply::apply_within, bounds::Bounds, digest, invariants, op,
};

const BOUNDS: Bounds = Bounds {
    idempotency_records: 5,
    events: 7,
    deployments_per_api: 2,
};
const ENVIRONMENTS: [&str; 2] = ["dev", "prod"];

fn environment() -> impl Strategy<Value = String> {
    prop::sample::select(&ENVIRONMENTS[..]).prop_map(String::from)
}

fn name(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..3_u8).prop_map(move |n| format!("{prefix}{n}"))
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    vec(name("tag"), 0..2)
}

fn put_api() -> impl Strategy<Value = Op> {
    let lists = (
        vec(name("claim"), 0..3),
        vec(name("plan"), 0..3),
        vec(name("group"), 0..2),
    );
    (environment(), name("api"), name("name"), lists).prop_map(
        |(environment, id, name, (mut claims, mut plan_ids, mut groups))| {
            for list in [&mut claims, &mut plan_ids, &mut groups] {
                list.sort();
                list.dedup();
            }
            let document = Bytes::from(format!("{id} {name} {plan_ids:?}"));
            let record = ApiRecord {
                id,
                name,
                document,
                claims,
                plan_ids,
                groups,
                ..Default::default()
            };
            op::PutApi {
                environment,
                record,
            }
            .into()
        },
    )
}

fn deploy() -> impl Strategy<Value = Op> {
    let shared = (option::weighted(0.3, name("group")), any::<bool>());
    (environment(), name("api"), 1..4_u64, tags(), shared).prop_map(
        |(environment, api_id, number, tags, (group, has_feed))| {
            let object = Bytes::from(format!("{api_id} {number}"));
            let plan_tags = vec![TagSet { tags: tags.clone() }];
            op::Deploy {
                environment,
                api_id,
                number,
                object,
                tags,
                plan_tags,
                groups: group.into_iter().collect(),
                has_feed,
                ..Default::default()
            }
            .into()
        },
    )
}

/// Groups and dictionaries; ids of both kinds are alike, so that a mix-up shows.
fn asset_op() -> impl Strategy<Value = Op> {
    let kind = || (1..4_i32, name("group"));
    prop_oneof![
        3 => (environment(), kind(), name("name"), name("alias")).prop_map(
            |(environment, (kind, id), name, alias)| {
                let document = Bytes::from(format!("{kind} {name}"));
                let record = AssetRecord { kind, id, name, alias, document, ..Default::default() };
                op::PutAsset { environment, record }.into()
            }
        ),
        3 => (environment(), kind(), 1..4_u64, any::<bool>()).prop_map(
            |(environment, (kind, id), number, has_feed)| {
                let object = Bytes::from(format!("{kind} {number}"));
                let has_feed = has_feed && kind == 2;
                op::DeployAsset { environment, kind, id, number, object, has_feed, ..Default::default() }
                    .into()
            }
        ),
        1 => (environment(), kind()).prop_map(|(environment, (kind, id))| {
            op::WithdrawAsset { environment, kind, id }.into()
        }),
        1 => (environment(), kind()).prop_map(|(environment, (kind, id))| {
            op::DeleteAsset { environment, kind, id }.into()
        }),
        3 => (environment(), any::<bool>(), name("group"), name("api"), 0..3_u64).prop_map(
            |(environment, is_dictionary, dictionary, api, fetched_ms)| {
                let (kind, id) = match is_dictionary {
                    true => ("dictionary", dictionary),
                    false => ("properties", api),
                };
                // Nothing new now and then.
                let object = match fetched_ms {
                    0 => Bytes::new(),
                    time => Bytes::from(format!("{kind} {time}")),
                };
                let record = FeedRecord { fetched_ms, ..Default::default() };
                op::PutFeed { environment, kind: kind.to_owned(), id, record, object }.into()
            }
        ),
    ]
}

fn put_subscription() -> impl Strategy<Value = Op> {
    let ids = (name("sub"), name("api"), name("plan"), name("app"));
    let keys = vec(prop::sample::select(vec!['a', 'b', 'c']), 0..2);
    (environment(), ids, 1..6_i32, keys, any::<bool>()).prop_map(
        |(environment, (id, api_id, plan_id, application_id), status, keys, has_object)| {
            let keys = keys.into_iter().map(|key| KeyRecord {
                id: format!("key-{key}"),
                hash: key.to_string().repeat(64),
                ..KeyRecord::default()
            });
            let record = SubscriptionRecord {
                id,
                api_id,
                plan_id,
                application_id,
                status,
                keys: keys.collect(),
                ..SubscriptionRecord::default()
            };
            let accepted = record.status() == SubscriptionStatus::Accepted;
            // Few different objects, so that they are shared.
            let object = (accepted && has_object).then(|| Bytes::from(record.plan_id.clone()));
            op::PutSubscription {
                environment,
                record,
                object,
            }
            .into()
        },
    )
}

fn other_op() -> impl Strategy<Value = Op> {
    let application = (
        environment(),
        name("app"),
        name("name"),
        option::of(name("client")),
    );
    prop_oneof![
        application.prop_map(|(environment, id, name, client_id)| {
            let client_id = client_id.unwrap_or_default();
            let record = ApplicationRecord {
                id,
                name,
                client_id,
                ..Default::default()
            };
            op::PutApplication {
                environment,
                record,
            }
            .into()
        }),
        (environment(), name("app")).prop_map(|(environment, id)| op::DeleteApplication {
            environment,
            id
        }
        .into()),
        (environment(), name("api")).prop_map(|(environment, id)| op::DeleteApi {
            environment,
            id
        }
        .into()),
        (environment(), name("api"), any::<bool>()).prop_map(|(environment, api_id, started)| {
            let object = Bytes::from(format!("{api_id} {started}"));
            op::SetApiState {
                environment,
                api_id,
                started,
                object,
            }
            .into()
        }),
        (environment(), name("api"), name("edge")).prop_map(|(environment, api_id, edge_id)| {
            let object_hash = Bytes::from_static(&[1; 32]);
            op::RecordRefusal {
                environment,
                api_id,
                edge_id,
                object_hash,
                ..Default::default()
            }
            .into()
        }),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => put_api(),
        3 => deploy(),
        3 => put_subscription(),
        4 => asset_op(),
        4 => other_op()
    ]
}

fn any_txn() -> impl Strategy<Value = Txn> {
    let precondition =
        (environment(), name("api"), 0..10_u64).prop_map(|(environment, id, revision)| {
            Precondition {
                kind: ResourceKind::Api,
                environment,
                id,
                revision,
            }
        });
    let key = option::of(0..12_u8);
    (key, vec(precondition, 0..2), vec(any_op(), 1..4), 0..5_u64).prop_map(
        |(key, preconditions, ops, time_ms)| Txn {
            idempotency_key: key.map(|key| key.to_string()).unwrap_or_default(),
            // Most transactions are unconditional, or nothing would ever get far.
            preconditions: if time_ms == 0 {
                preconditions
            } else {
                Vec::new()
            },
            time_ms,
            ops,
            ..Txn::default()
        },
    )
}

/// Two environments, and some APIs and applications, so that random operations find something.
fn beginning() -> Txn {
    let mut ops: Vec<Op> = Vec::new();
    for environment in ENVIRONMENTS.map(String::from) {
        let api_key_pepper = Bytes::from_static(&[7; 32]);
        ops.push(
            op::PutEnvironment {
                id: environment.clone(),
                api_key_pepper,
            }
            .into(),
        );
        for n in 0..2 {
            let (id, name) = (format!("app{n}"), format!("name{n}"));
            let record = ApplicationRecord {
                id,
                name,
                ..Default::default()
            };
            ops.push(
                op::PutApplication {
                    environment: environment.clone(),
                    record,
                }
                .into(),
            );
            let (id, name) = (format!("api{n}"), format!("name{n}"));
            let plan_ids = vec![format!("plan{n}")];
            let record = ApiRecord {
                id,
                name,
                plan_ids,
                ..Default::default()
            };
            ops.push(
                op::PutApi {
                    environment: environment.clone(),
                    record,
                }
                .into(),
            );
        }
    }
    Txn {
        ops,
        ..Txn::default()
    }
}

fn numbered(log: &[Txn]) -> Vec<(u64, Txn)> {
    (1..)
        .zip(std::iter::once(beginning()).chain(log.iter().cloned()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn one_by_one_and_in_batches_come_to_the_same_state(
        log in vec(any_txn(), 1..30),
        batch_size in 1..9_usize,
    ) {
        let log = numbered(&log);
        let mut single = MemoryState::new();
        let mut replies = Vec::new();
        for (index, txn) in &log {
            let applied = apply_within(&single, *index, txn, &BOUNDS).unwrap();
            single.commit(applied.writes);
            replies.push((applied.reply, applied.events));
        }
        let mut batched = MemoryState::new();
        let mut batched_replies = Vec::new();
        for batch in log.chunks(batch_size) {
            let mut overlay = Overlay::new(&batched);
            for (index, txn) in batch {
                // A replica applies what it decoded from the log.
                let txn = Txn::decode(&txn.encode()).unwrap();
                let applied = apply_within(&overlay, *index, &txn, &BOUNDS).unwrap();
                overlay.absorb(applied.writes);
                batched_replies.push((applied.reply, applied.events));
            }
            let writes = overlay.into_writes();
            batched.commit(writes);
        }
        prop_assert_eq!(replies, batched_replies);
        prop_assert_eq!(digest(&single).unwrap(), digest(&batched).unwrap());
        prop_assert_eq!(single, batched);
    }

    #[test]
    fn invariants_hold_after_every_entry_and_refusals_change_nothing(
        log in vec(any_txn(), 1..40),
    ) {
        let mut state = MemoryState::new();
        for (index, txn) in numbered(&log) {
            let applied = apply_within(&state, index, &txn, &BOUNDS).unwrap();
            if !matches!(applied.reply, Reply::Done { duplicate: false, .. }) {
                prop_assert!(applied.events.is_empty());
                let kept = [Table::Idempotency, Table::Meta];
                prop_assert!(applied.writes.iter().all(|write| kept.contains(&write.table)));
            }
            state.commit(applied.writes);
            invariants::check(&state, &ENVIRONMENTS);
            let again = apply_within(&state, index + 1_000, &txn, &BOUNDS).unwrap();
            if !txn.idempotency_key.is_empty() {
                prop_assert!(again.writes.is_empty(), "a duplicate writes nothing");
            }
        }
    }

    #[test]
    fn transactions_and_replies_survive_encoding(txn in any_txn(), numbers in vec(any::<u64>(), 0..4)) {
        prop_assert_eq!(Txn::decode(&txn.encode()).unwrap(), txn);
        let reply = Reply::Done { revision: 7, numbers, duplicate: true };
        prop_assert_eq!(Reply::decode(&reply.encode()).unwrap(), reply);
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Txn::decode(&bytes);
        let _ = Reply::decode(&bytes);
    }

    #[test]
    fn an_overlay_reads_like_a_committed_state(
        base in vec((0..30_u8, option::of(any::<u8>())), 0..40),
        pending in vec((0..30_u8, option::of(any::<u8>())), 0..40),
        after in option::of(0..30_u8),
        limit in 0..12_usize,
    ) {
        let write = |(key, value): (u8, Option<u8>)| Write {
            table: Table::Resource,
            key: Bytes::copy_from_slice(&[key / 10, key]),
            value: value.map(|value| Bytes::copy_from_slice(&[value])),
        };
        let mut state = MemoryState::new();
        state.commit(base.into_iter().map(write).collect());
        let mut overlay = Overlay::new(state.clone());
        overlay.absorb(pending.iter().copied().map(write));
        state.commit(pending.into_iter().map(write).collect());
        let after = after.map(|key| [key / 10, key]);
        for prefix in [&[][..], &[1][..]] {
            let after = after.as_ref().map(|after| &after[..]);
            prop_assert_eq!(
                overlay.scan(Table::Resource, prefix, after, limit).unwrap(),
                state.scan(Table::Resource, prefix, after, limit).unwrap()
            );
        }
    }
}
