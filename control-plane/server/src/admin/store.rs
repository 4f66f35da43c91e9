//! The state as handlers see it: linearizable reads, and writes that are decided on what was read.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tidegate_consensus::Consensus;
use tidegate_state::{Op, Precondition, Reply, ResourceKind, StateReader, Txn};
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

    /// Decides on a fresh view, proposes the decision, and decides again if what it relied on has
    /// changed meanwhile. What the last decision says besides comes back with the outcome.
    pub(crate) async fn write<T, F>(
        &self,
        call: &Call,
        intent: &Intent,
        decide: F,
    ) -> Result<(Committed, T), Fault>
    where
        T: Send + 'static,
        F: Fn(&dyn StateReader) -> Result<(Decision, T), Fault> + Send + Sync + 'static,
    {
        let decide = Arc::new(decide);
        let mut pause = RETRY_PAUSE;
        for attempt in 0..ATTEMPTS_MAX {
            let decide = Arc::clone(&decide);
            let (decision, answer) = self.read(call, move |state| decide(state)).await?;
            if decision.ops.is_empty() {
                return Ok((Committed::default(), answer));
            }
            match self.propose(call, intent, attempt, decision).await? {
                Reply::Done {
                    revision, numbers, ..
                } => {
                    return Ok((Committed { revision, numbers }, answer));
                }
                Reply::Rejected {
                    code,
                    message,
                    path,
                } => {
                    return Err(Fault::rejected(&code, &message, &path));
                }
                Reply::Conflict { .. } => {
                    tokio::time::sleep(pause.min(call.deadline.left())).await;
                    pause *= 2;
                }
            }
        }
        Err(Fault::Contention)
    }

    async fn propose(
        &self,
        call: &Call,
        intent: &Intent,
        attempt: u32,
        decision: Decision,
    ) -> Result<Reply, Fault> {
        let txn = Txn {
            idempotency_key: attempt_key(&intent.key, attempt),
            request_digest: Bytes::copy_from_slice(&intent.digest),
            actor: call.identity.name.clone(),
            time_ms: now_ms(),
            preconditions: decision.preconditions,
            ops: decision.ops,
            ..Txn::default()
        };
        Ok(self.consensus.propose(txn, call.deadline.left()).await?)
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
