//! One transaction on one state.

use crate::{
    Event, Precondition, ReadError, Reply, ResourceKind, StateReader, Txn, Write,
    bounds::Bounds,
    draft::{Draft, decode_stored},
    event_log, idempotency, key, level, op,
    rejection::{OpError, Rejection, code},
};

/// What a transaction comes to. Commit `writes` together with the applied index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Changes of the state, each key once, ordered by table and key.
    pub writes: Vec<Write>,
    /// What the proposer is told.
    pub reply: Reply,
    /// What changed, in order; empty unless the reply is a first `Done`.
    pub events: Vec<Event>,
}

/// Why a replica cannot go on. Never an answer to a proposer.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The state cannot be read.
    #[error("cannot read the state")]
    Read(#[from] ReadError),
    /// The transaction, or the level it sets, is of a newer release.
    #[error("needs feature level {needed}, this release has {supported}")]
    LevelTooNew {
        /// Level needed.
        needed: u32,
        /// Level of this release.
        supported: u32,
    },
}

/// Operations and preconditions that one transaction may have, each.
const PARTS_MAX: usize = 4096;

/// Applies one transaction that stands at `index` of the log.
///
/// Pure: the same state, index and transaction give the same result on every node. A conflict or rejection writes
/// nothing but the idempotency record; a duplicate writes nothing and replies what the first one was replied.
///
/// # Errors
/// Only when the replica must stop: its state is unreadable, or the transaction is of a newer release.
pub fn apply(reader: &dyn StateReader, index: u64, txn: &Txn) -> Result<Applied, ApplyError> {
    apply_within(reader, index, txn, &Bounds::REPLICATED)
}

pub(crate) fn apply_within(
    reader: &dyn StateReader,
    index: u64,
    txn: &Txn,
    bounds: &Bounds,
) -> Result<Applied, ApplyError> {
    level::check_release(txn.min_level)?;
    if let Some(reply) = idempotency::recall(reader, txn)? {
        return Ok(Applied {
            writes: Vec::new(),
            reply,
            events: Vec::new(),
        });
    }
    let (mut draft, reply) = match attempt(reader, index, txn, bounds)? {
        Attempt::Done(draft) => {
            let numbers = draft.numbers.clone();
            (
                draft,
                Reply::Done {
                    revision: index,
                    numbers,
                    duplicate: false,
                },
            )
        }
        Attempt::Refused(reply) => (Draft::new(reader, index, txn, bounds), reply),
    };
    event_log::record(&mut draft)?;
    idempotency::remember(&mut draft, txn, &reply)?;
    let (writes, events) = draft.into_parts();
    Ok(Applied {
        writes,
        reply,
        events,
    })
}

enum Attempt<'a> {
    Done(Draft<'a>),
    Refused(Reply),
}

fn attempt<'a>(
    reader: &'a dyn StateReader,
    index: u64,
    txn: &'a Txn,
    bounds: &'a Bounds,
) -> Result<Attempt<'a>, ApplyError> {
    if txn.ops.len() > PARTS_MAX || txn.preconditions.len() > PARTS_MAX {
        let message = format!("more than {PARTS_MAX} operations or preconditions");
        let (code, path) = (code::LIMIT.to_owned(), "ops".to_owned());
        return Ok(Attempt::Refused(Reply::Rejected {
            code,
            message,
            path,
        }));
    }
    for precondition in &txn.preconditions {
        let actual = revision_of(reader, precondition)?;
        if actual != precondition.revision {
            return Ok(Attempt::Refused(Reply::Conflict {
                kind: precondition.kind,
                environment: precondition.environment.clone(),
                id: precondition.id.clone(),
                expected: precondition.revision,
                actual,
            }));
        }
    }
    let mut draft = Draft::new(reader, index, txn, bounds);
    for (position, op) in txn.ops.iter().enumerate() {
        let outcome =
            level::check_cluster(draft.state(), op).and_then(|()| op::run(&mut draft, op));
        match outcome {
            Ok(()) => {}
            Err(OpError::Fatal(error)) => return Err(error),
            Err(OpError::Rejected(rejection)) => {
                return Ok(Attempt::Refused(rejected(position, rejection)));
            }
        }
    }
    Ok(Attempt::Done(draft))
}

fn revision_of(reader: &dyn StateReader, precondition: &Precondition) -> Result<u64, ReadError> {
    let Precondition {
        kind,
        environment,
        id,
        ..
    } = precondition;
    // An environment names itself; both fields are accepted for it.
    let id = if *kind == ResourceKind::Environment && id.is_empty() {
        environment
    } else {
        id
    };
    let Some((table, key)) = key::locate(*kind, environment, id) else {
        return Ok(0);
    };
    match reader.get(table, &key)? {
        Some(bytes) => Ok(decode_stored(table, &bytes)?.revision),
        None => Ok(0),
    }
}

fn rejected(position: usize, rejection: Rejection) -> Reply {
    let Rejection {
        code,
        message,
        field,
    } = rejection;
    let path = match field.as_str() {
        "" => format!("ops[{position}]"),
        field => format!("ops[{position}].{field}"),
    };
    Reply::Rejected {
        code: code.to_owned(),
        message,
        path,
    }
}
