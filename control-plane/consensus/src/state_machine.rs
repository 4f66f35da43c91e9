//! Applying committed entries, and Raft snapshots, behind the traits of openraft.
//!
//! Entries are applied in batches: all writes of a batch, the position of its last entry and the membership go to disk
//! together, then the replies are sent, then the events.

use std::{io, sync::Arc};

use futures::{Stream, StreamExt as _};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine, Snapshot},
    type_config::alias::SnapshotOf,
};
use tidegate_state::{Event, Overlay, Txn, apply};
use tidegate_storage::{Commit, RaftSnapshot, SnapshotStore, StateDb, end_process};
use tokio::{
    sync::{broadcast, watch},
    task::spawn_blocking,
};

use crate::{
    error::corrupt,
    types::{
        Entry, LogId, Outcome, SnapshotMeta, StoredMembership, TypeConfig, decode, encode, mark,
    },
};

/// Entries applied in one batch at most, so that a long replay neither holds all replies back nor fills memory.
const BATCH_ENTRIES_MAX: usize = 512;

/// What a batch of entries changed, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedBatch {
    /// Log index of the last entry of the batch.
    pub index: u64,
    /// What changed; empty for a reset.
    pub events: Vec<Event>,
    /// True when the whole state was replaced: what was derived from it must be rebuilt.
    pub reset: bool,
}

/// The replicated state of this node.
#[derive(Debug, Clone)]
pub(crate) struct StateMachine {
    state: StateDb,
    snapshots: SnapshotStore,
    events: broadcast::Sender<Arc<AppliedBatch>>,
    applied: watch::Sender<u64>,
}

impl StateMachine {
    pub(crate) fn new(
        state: StateDb,
        snapshots: SnapshotStore,
        events: broadcast::Sender<Arc<AppliedBatch>>,
        applied: watch::Sender<u64>,
    ) -> Self {
        Self {
            state,
            snapshots,
            events,
            applied,
        }
    }

    /// Applies and commits entries that follow each other; runs on a blocking thread.
    fn commit(&self, entries: &[Entry]) -> io::Result<(Vec<Outcome>, AppliedBatch)> {
        let Some(last) = entries.last() else {
            return Err(io::Error::other("an empty batch"));
        };
        let mut overlay = Overlay::new(self.state.snapshot());
        let mut membership = None;
        let mut outcomes = Vec::with_capacity(entries.len());
        let mut events = Vec::new();
        for entry in entries {
            outcomes.push(match &entry.payload {
                EntryPayload::Blank => Outcome::default(),
                EntryPayload::Membership(changed) => {
                    let stored = StoredMembership::new(Some(entry.log_id), changed.clone());
                    membership =
                        Some(encode(&stored).map_err(|error| corrupt("membership", &error))?);
                    Outcome::default()
                }
                EntryPayload::Normal(command) => {
                    let index = entry.log_id.index;
                    // What cannot be understood here was understood by the quorum that accepted it. Skipping it
                    // would make this node diverge for good.
                    let txn = Txn::decode(&command.0)
                        .unwrap_or_else(|error| end_process("decoding a log entry", &error));
                    let applied = apply(&overlay, index, &txn)
                        .unwrap_or_else(|error| end_process("applying a log entry", &error));
                    overlay.absorb(applied.writes);
                    events.extend(applied.events);
                    Outcome(applied.reply.encode().into())
                }
            });
        }
        let applied = mark(&last.log_id).map_err(|error| corrupt("log id", &error))?;
        self.state.commit(Commit {
            writes: &overlay.into_writes(),
            applied: &applied,
            membership: membership.as_deref(),
        })?;
        Ok((
            outcomes,
            AppliedBatch {
                index: applied.index,
                events,
                reset: false,
            },
        ))
    }

    /// Tells waiting readers and followers of events; nobody listening is fine.
    fn announce(&self, batch: AppliedBatch) {
        let index = batch.index;
        if batch.reset || !batch.events.is_empty() {
            let _ = self.events.send(Arc::new(batch));
        }
        self.applied.send_replace(index);
    }

    async fn apply_batch(&self, batch: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        let (entries, responders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let machine = self.clone();
        let (outcomes, batch) = spawn_blocking(move || machine.commit(&entries))
            .await
            .map_err(|error| io::Error::other(format!("applying panicked: {error}")))??;
        self.announce(batch);
        for (responder, outcome) in responders.into_iter().zip(outcomes) {
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    fn describe(snapshot: RaftSnapshot) -> io::Result<SnapshotOf<TypeConfig, RaftSnapshot>> {
        let last_log_id = match snapshot.applied() {
            Some(mark) => {
                Some(decode(&mark.id).map_err(|error| corrupt("snapshot position", &error))?)
            }
            None => None,
        };
        let last_membership = match snapshot.membership() {
            Some(bytes) => decode(bytes).map_err(|error| corrupt("snapshot membership", &error))?,
            None => StoredMembership::default(),
        };
        Ok(Snapshot {
            meta: SnapshotMeta {
                last_log_id,
                last_membership,
            },
            snapshot,
        })
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = RaftSnapshot;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let applied = match self.state.applied()? {
            Some(mark) => {
                Some(decode(&mark.id).map_err(|error| corrupt("applied log id", &error))?)
            }
            None => None,
        };
        let membership = match self.state.membership()? {
            Some(bytes) => decode(&bytes).map_err(|error| corrupt("membership", &error))?,
            None => StoredMembership::default(),
        };
        Ok((applied, membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Vec::new();
        while let Some(entry) = entries.next().await {
            batch.push(entry?);
            if batch.len() == BATCH_ENTRIES_MAX {
                self.apply_batch(std::mem::take(&mut batch)).await?;
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            self.apply_batch(batch).await
        }
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: RaftSnapshot,
    ) -> Result<(), io::Error> {
        let described = Self::describe(snapshot)?;
        if described.meta.last_log_id != meta.last_log_id {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the snapshot is not the one that was announced",
            ));
        }
        let snapshots = self.snapshots.clone();
        spawn_blocking(move || snapshots.install(described.snapshot))
            .await
            .map_err(|error| io::Error::other(format!("installing panicked: {error}")))??;
        let index = meta.last_log_id.map_or(0, |log_id| log_id.index);
        self.announce(AppliedBatch {
            index,
            events: Vec::new(),
            reset: true,
        });
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<TypeConfig, RaftSnapshot>>, io::Error> {
        self.snapshots.current()?.map(Self::describe).transpose()
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    type SnapshotData = RaftSnapshot;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, RaftSnapshot>, io::Error> {
        let (snapshots, view) = (self.snapshots.clone(), self.state.snapshot());
        let built = spawn_blocking(move || snapshots.build(&view))
            .await
            .map_err(|error| io::Error::other(format!("building panicked: {error}")))??;
        Self::describe(built)
    }
}
