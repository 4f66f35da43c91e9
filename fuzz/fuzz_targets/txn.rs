//! Whatever stands in the log: decoding never panics, and what decodes applies alike on two replicas.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidegate_state::{ApiRecord, MemoryState, Overlay, Reply, Txn, apply, op};

/// A state in which operations find something.
static STATE: LazyLock<MemoryState> = LazyLock::new(|| {
    let pepper = vec![7; 32].into();
    let record = ApiRecord {
        id: "a".into(),
        name: "a".into(),
        ..ApiRecord::default()
    };
    let ops = vec![
        op::PutEnvironment {
            id: "d".into(),
            api_key_pepper: pepper,
        }
        .into(),
        op::PutApi {
            environment: "d".into(),
            record,
        }
        .into(),
    ];
    let mut state = MemoryState::new();
    let applied = apply(
        &state,
        1,
        &Txn {
            ops,
            ..Txn::default()
        },
    )
    .unwrap();
    state.commit(applied.writes);
    state
});

fuzz_target!(|data: &[u8]| {
    let _ = Reply::decode(data);
    let Ok(txn) = Txn::decode(data) else {
        return;
    };
    let again = Txn::decode(&txn.encode()).expect("what was encoded decodes");
    assert_eq!(again, txn);
    // A newer level stops a replica; everything else has an answer.
    let Ok(applied) = apply(&*STATE, 2, &txn) else {
        return;
    };
    let other = apply(&Overlay::new(STATE.clone()), 2, &again).expect("the other replica applies");
    assert_eq!(applied, other);
    let reply = Reply::decode(&applied.reply.encode()).expect("a reply decodes");
    assert_eq!(reply, applied.reply);
});
