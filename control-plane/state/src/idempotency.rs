//! Duplicates happen once: results of recent transactions by idempotency key.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    ReadError, Reply, StateReader, Table, Txn, bounded_log::BoundedLog, code, draft::Draft, key,
};

/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// What is kept for one key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct IdempotencyRecord {
    #[prost(bytes = "bytes", tag = "1")]
    body_digest: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    reply: Bytes,
}

/// Gives the reply for a transaction that must not run: a duplicate, or a key that stands for another request.
///
/// With a request digest, the operations of `txn` are of no account: a proposer can ask before it decides on them.
///
/// # Errors
/// When the state is unreadable.
pub fn recall(reader: &dyn StateReader, txn: &Txn) -> Result<Option<Reply>, ReadError> {
    if txn.idempotency_key.is_empty() {
        return Ok(None);
    }
    if txn.idempotency_key.len() > KEY_BYTES_MAX {
        return Ok(Some(refused(code::INVALID, "longer than 256 bytes")));
    }
    let key = key::idempotency_record(&txn.idempotency_key);
    let Some(bytes) = reader.get(Table::Idempotency, &key)? else {
        return Ok(None);
    };
    let corrupt =
        |error: &dyn std::error::Error| ReadError::corrupt(Table::Idempotency, error.to_string());
    let record = IdempotencyRecord::decode(bytes).map_err(|error| corrupt(&error))?;
    if record.body_digest != txn.body_digest().as_slice() {
        let message = "was used for another request";
        return Ok(Some(refused(code::IDEMPOTENCY_KEY_REUSED, message)));
    }
    let reply = Reply::decode(&record.reply).map_err(|error| corrupt(&error))?;
    Ok(Some(match reply {
        Reply::Done {
            revision, numbers, ..
        } => Reply::Done {
            revision,
            numbers,
            duplicate: true,
        },
        other @ (Reply::Conflict { .. } | Reply::Rejected { .. }) => other,
    }))
}

/// Keeps the reply for the next transaction with the same key, and forgets the oldest beyond the bound.
pub(crate) fn remember(draft: &mut Draft<'_>, txn: &Txn, reply: &Reply) -> Result<(), ReadError> {
    if txn.idempotency_key.is_empty() {
        return Ok(());
    }
    let record = IdempotencyRecord {
        body_digest: Bytes::copy_from_slice(&txn.body_digest()),
        reply: reply.encode().into(),
    };
    let key = key::idempotency_record(&txn.idempotency_key);
    draft.write(Table::Idempotency, key, Some(record.encode_to_vec().into()));
    let log = BoundedLog {
        name: "idempotency",
        table: Table::Idempotency,
        prefix: key::IDEMPOTENCY_ORDER_PREFIX,
        keep: draft.bounds.idempotency_records,
    };
    let order = key::idempotency_order(draft.index);
    let forgotten = log.append(draft, vec![(order, txn.idempotency_key.clone().into())])?;
    for (_, idempotency_key) in forgotten {
        let idempotency_key = String::from_utf8_lossy(&idempotency_key);
        draft.write(
            Table::Idempotency,
            key::idempotency_record(&idempotency_key),
            None,
        );
    }
    Ok(())
}

fn refused(code: &str, message: &str) -> Reply {
    Reply::Rejected {
        code: code.to_owned(),
        message: message.to_owned(),
        path: "idempotency_key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryState, apply, op::PutEnvironment};

    #[test]
    fn a_proposer_learns_the_reply_before_it_decides_on_operations() {
        let mut state = MemoryState::new();
        let asked = |key: &str, digest: &'static [u8]| Txn {
            idempotency_key: key.to_owned(),
            request_digest: Bytes::from_static(digest),
            actor: "somebody".to_owned(),
            ..Txn::default()
        };
        assert_eq!(recall(&state, &asked("k", b"d")).unwrap(), None);
        let put = PutEnvironment {
            id: "DEFAULT".to_owned(),
            api_key_pepper: Bytes::from_static(&[7; 32]),
        };
        let decided = Txn {
            ops: vec![put.into()],
            ..asked("k", b"d")
        };
        state.commit(apply(&state, 9, &decided).unwrap().writes);

        let again = recall(&state, &asked("k", b"d")).unwrap();
        let first = Reply::Done {
            revision: 9,
            numbers: Vec::new(),
            duplicate: true,
        };
        assert_eq!(again, Some(first));
        let other = recall(&state, &asked("k", b"other")).unwrap();
        assert!(matches!(other, Some(Reply::Rejected { .. })), "{other:?}");
        assert_eq!(recall(&state, &asked("l", b"d")).unwrap(), None);
    }
}
