//! The state as handlers see it: linearizable reads, and writes that are decided on what was read.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tidegate_consensus::Consensus;
use tidegate_state::{Op, Precondition, Reply, ResourceKind, StateReader, Txn, query};
use tokio::time::timeout_at;

use super::{Call, Fault, Intent};
use crate::auth::now_ms;

/// Times a write is decided anew because what it had read changed meanwhile.
const ATTEMPTS_MAX: u32 = 8;
/// First pause before deciding again; doubles each time.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// What a write wants to happen, and which revisions it relies on.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub preconditions: Vec<Precondition>,
    /// Nothing to do when empty: the state already is as wanted.
    pub ops: Vec<Op>,
}

impl Decision {
    /// Relies on a resource of an environment being at `revision` (0: not existing).
    pub(crate) fn relies_on(
        &mut self,
        kind: ResourceKind,
        environment: &str,
        id: &str,
        revision: u64,
    ) {
        self.preconditions.push(Precondition {
            kind,
            environment: environment.to_owned(),
            id: id.to_owned(),
            revision,
        });
    }
}

/// A write that is durable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Committed {
    /// Log index of the write; 0 when there was nothing to do.
    pub revision: u64,
    /// Deployment numbers given, in order of the `Deploy` operations.
    pub numbers: Vec<u64>,
}

/// Reads and writes of one node; clones share everything.
#[derive(Clone)]
pub(crate) struct Store {
    consensus: Consensus,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn new(consensus: Consensus) -> Self {
        Self { consensus }
    }

    pub(crate) fn consensus(&self) -> &Consensus {
        &self.consensus
    }

    /// Runs `work` on a consistent view that holds every write acknowledged before the call.
    pub(crate) async fn read<T, F>(&self, call: &Call, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&dyn StateReader) -> Result<T, Fault> + Send + 'static,
    {
        self.consensus.read_index(call.deadline.left()).await?;
        self.read_local(call, work).await
    }

    /// Runs `work` on a view that holds at least the write `committed`.
    pub(crate) async fn read_after<T, F>(
        &self,
        call: &Call,
        committed: &Committed,
        work: F,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&dyn StateReader) -> Result<T, Fault> + Send + 'static,
    {
        // The write may have been applied by a leader that is ahead of this node.
        let mut status = self.consensus.watch_status();
        let applied = status.wait_for(|status| status.applied >= committed.revision);
        timeout_at(call.deadline.at(), applied)
            .await
            .map_err(|_elapsed| Fault::Deadline)?
            .map_err(|_closed| Fault::Shutdown)?;
        self.read_local(call, work).await
    }

    /// Runs `work` on what this node has applied, which may be behind the leader.
    pub(crate) async fn read_local<T, F>(&self, call: &Call, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&dyn StateReader) -> Result<T, Fault> + Send + 'static,
    {
        timeout_at(call.deadline.at(), self.read_unbounded(work))
            .await
            .map_err(|_elapsed| Fault::Deadline)?
    }

    /// Like [`Store::read_local`], for streams that outlive any deadline.
    pub(crate) async fn read_unbounded<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&dyn StateReader) -> Result<T, Fault> + Send + 'static,
    {
        let view = self.consensus.state().snapshot();
        // Reads may go to disk, so they leave the threads that serve connections.
        tokio::task::spawn_blocking(move || work(&view))
            .await
            .map_err(|panicked| Fault::Internal(format!("read failed: {panicked}")))?
    }

    /// [`Store::write_and_tell`] with nothing to tell.
    pub(crate) async fn write<F>(
        &self,
        call: &Call,
        intent: &Intent,
        decide: F,
    ) -> Result<(Committed, ()), Fault>
    where
        F: Fn(&dyn StateReader) -> Result<(Decision, ()), Fault> + Send + Sync + 'static,
    {
        self.write_and_tell(call, intent, decide, |_state| Ok(()))
            .await
    }

    /// Decides on a fresh view, proposes the decision, and decides again if what it relied on has
    /// changed meanwhile. What the last decision says besides comes back with the outcome.
    ///
    /// A call that is repeated gets the outcome it had: it is not decided again, since what it did
    /// may stand in its way (an API that was deleted is not there to be deleted). `recall` then says
    /// what the decision would have said besides.
    pub(crate) async fn write_and_tell<T, F, R>(
        &self,
        call: &Call,
        intent: &Intent,
        decide: F,
        recall: R,
    ) -> Result<(Committed, T), Fault>
    where
        T: Send + 'static,
        F: Fn(&dyn StateReader) -> Result<(Decision, T), Fault> + Send + Sync + 'static,
        R: Fn(&dyn StateReader) -> Result<T, Fault> + Send + Sync + 'static,
    {
        let work = Arc::new((decide, recall));
        let mut pause = RETRY_PAUSE;
        for attempt in 0..ATTEMPTS_MAX {
            let (work, asked) = (Arc::clone(&work), transaction(call, intent, attempt));
            let next = move |state: &dyn StateReader| {
                let (decide, recall) = &*work;
                let Some(reply) = query::recorded_reply(state, &asked)? else {
                    let (decision, answer) = decide(state)?;
                    return Ok(Next::Propose(decision, answer));
                };
                Ok(match settled(reply)? {
                    Some(committed) => Next::Done(committed, recall(state)?),
                    None => Next::Conflict,
                })
            };
            match self.read(call, next).await? {
                Next::Propose(decision, answer) if decision.ops.is_empty() => {
                    return Ok((Committed::default(), answer));
                }
                Next::Propose(decision, answer) => {
                    let txn = Txn {
                        preconditions: decision.preconditions,
                        ops: decision.ops,
                        ..transaction(call, intent, attempt)
                    };
                    let reply = self.consensus.propose(txn, call.deadline.left()).await?;
                    if let Some(committed) = settled(reply)? {
                        return Ok((committed, answer));
                    }
                    tokio::time::sleep(pause.min(call.deadline.left())).await;
                    pause *= 2;
                }
                Next::Done(committed, answer) => return Ok((committed, answer)),
                Next::Conflict => {}
            }
        }
        Err(Fault::Contention)
    }
}

/// What one attempt of a write comes to before anything is proposed.
enum Next<T> {
    /// A decision to propose, and what it says besides.
    Propose(Decision, T),
    /// The same call has been done before.
    Done(Committed, T),
    /// The same call lost this attempt to another one before.
    Conflict,
}

/// The write behind a reply; `None` if what it relied on had changed.
fn settled(reply: Reply) -> Result<Option<Committed>, Fault> {
    match reply {
        Reply::Done {
            revision, numbers, ..
        } => Ok(Some(Committed { revision, numbers })),
        Reply::Rejected {
            code,
            message,
            path,
        } => Err(Fault::rejected(&code, &message, &path)),
        Reply::Conflict { .. } => Ok(None),
    }
}

/// The transaction of one attempt, without what is decided.
fn transaction(call: &Call, intent: &Intent, attempt: u32) -> Txn {
    Txn {
        idempotency_key: attempt_key(&intent.key, attempt),
        request_digest: Bytes::copy_from_slice(&intent.digest),
        actor: call.identity.name.clone(),
        time_ms: now_ms(),
        ..Txn::default()
    }
}

/// A conflict is remembered under its key like any other reply, so each attempt has its own; a
/// repeated call walks the same chain and ends at the reply that was its own.
fn attempt_key(key: &str, attempt: u32) -> String {
    if attempt == 0 {
        key.to_owned()
    } else {
        format!("{key}#{attempt}")
    }
}
