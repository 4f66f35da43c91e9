//! Watches over consensus: publishes the status, ends the process when consensus is dead, takes Raft snapshots and
//! purges the log behind them.

use std::{sync::Arc, time::Duration};

use openraft::{Raft, RaftMetrics, async_runtime::WatchReceiver as _};
use tidegate_storage::{StateDb, end_process};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{state_machine::StateMachine, status::Status, types::TypeConfig};

/// Entries applied since the last Raft snapshot that make a new one worth its cost.
const SNAPSHOT_ENTRIES: u64 = 50_000;
/// Entries kept behind a snapshot, so that a node that was away for a while needs no snapshot.
const KEPT_ENTRIES: u64 = 10_000;
/// How often it is asked whether a snapshot is due.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(5);

/// Why a node that should run does not.
#[derive(Debug, thiserror::Error)]
enum Dead {
    #[error("consensus failed: {0}")]
    Failed(String),
    #[error("the consensus task is gone")]
    Gone,
}

/// Runs until the node stops; anything else that ends consensus ends the process.
pub(crate) async fn watch_over(
    raft: Raft<TypeConfig, StateMachine>,
    mut applied: watch::Receiver<u64>,
    status: Arc<watch::Sender<Status>>,
    stopping: CancellationToken,
) {
    let mut metrics = raft.metrics();
    loop {
        let seen: RaftMetrics<TypeConfig> = metrics.borrow_and_update().clone();
        if let Err(fatal) = &seen.running_state {
            if stopping.is_cancelled() {
                return;
            }
            end_process("running consensus", &Dead::Failed(fatal.to_string()));
        }
        let now = Status::of(&seen, *applied.borrow_and_update());
        status.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = metrics.changed() => {
                if changed.is_err() && !stopping.is_cancelled() {
                    end_process("running consensus", &Dead::Gone);
                }
            }
            _ = applied.changed() => {}
        }
    }
}

/// Takes Raft snapshots and purges the log, by our own rule.
///
/// openraft may purge entries whose application is still queued (databendlabs/openraft#2116), so purging is left to us:
/// never past what is durably applied and in a snapshot, and always a good distance behind.
pub(crate) async fn maintain(raft: Raft<TypeConfig, StateMachine>, state: StateDb) {
    let mut ticks = interval(MAINTENANCE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut purged = 0;
    loop {
        ticks.tick().await;
        let (applied, snapshot) = {
            let metrics = raft.metrics();
            let metrics = metrics.borrow_watched();
            let index = |log_id: &Option<_>| -> u64 {
                log_id
                    .as_ref()
                    .map_or(0, |log_id: &crate::types::LogId| log_id.index)
            };
            (index(&metrics.last_applied), index(&metrics.snapshot))
        };
        if applied.saturating_sub(snapshot) >= SNAPSHOT_ENTRIES {
            // Fails only when consensus is gone, which the supervisor notices.
            let _ = raft.trigger().snapshot().await;
        }
        let target = snapshot.min(applied).saturating_sub(KEPT_ENTRIES);
        if target <= purged {
            continue;
        }
        // The state is written without fsync; the log may only lose what the state has for good.
        let durable = tokio::task::spawn_blocking({
            let state = state.clone();
            move || state.sync()
        });
        match durable.await {
            Ok(Ok(Some(mark))) => {
                let target = target.min(mark.index);
                if raft.trigger().purge_log(target).await.is_ok() {
                    tracing::info!(through = target, "raft log purged");
                    purged = target;
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => end_process("syncing the state", &error),
            Err(_panicked) => end_process("syncing the state", &Dead::Gone),
        }
    }
}
