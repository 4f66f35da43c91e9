//! Gives a committed change a moment to reach the edges, so that who changes a key and calls at once meets the change.

use std::{collections::BTreeSet, time::Duration};

use tidegate_model::tags::TagSelector;
use tidegate_proto::raft::v1::PeerEdge;
use tidegate_state::{LiveRecord, ReadError, query};
use tokio::time::timeout;

use super::Store;
use crate::edges::EdgeDirectory;

/// Longest time an answer is held back. Edges that are connected need a fraction of it; for one that is cut off the
/// answer cannot wait.
const HELD_MAX: Duration = Duration::from_secs(1);
/// Longest pause between two looks; edges of other nodes report to those, not here.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Returns once every connected edge that is entitled to the API runs at least `revision`, or a second has passed.
///
/// # Errors
/// Fails if the state cannot be read.
pub(super) async fn edges(
    store: &Store,
    directory: &EdgeDirectory,
    environment: &str,
    api_id: &str,
    revision: u64,
) -> Result<(), ReadError> {
    let state = store.consensus().state();
    let Some(live) = query::live(&state, environment, "api", api_id)? else {
        return Ok(());
    };
    let LiveRecord {
        tags, plan_tags, ..
    } = live.value;
    let tags: BTreeSet<String> = tags.into_iter().collect();
    let plan_tags: Vec<BTreeSet<String>> = plan_tags
        .into_iter()
        .map(|set| set.tags.into_iter().collect())
        .collect();
    let is_behind = |edge: &PeerEdge| {
        edge.connected
            && edge.environment == environment
            && edge.active_revision < revision
            && TagSelector::parse(&edge.tags)
                .is_ok_and(|selector| selector.entitles(&tags, &plan_tags))
    };
    hold_while(directory, is_behind).await;
    Ok(())
}

/// As [`edges`], for a change that every edge of the environment gets.
pub(super) async fn all_edges(directory: &EdgeDirectory, environment: &str, revision: u64) {
    let is_behind = |edge: &PeerEdge| {
        edge.connected && edge.environment == environment && edge.active_revision < revision
    };
    hold_while(directory, is_behind).await;
}

async fn hold_while(directory: &EdgeDirectory, is_behind: impl Fn(&PeerEdge) -> bool) {
    let mut changed = directory.changed();
    let reached = async {
        loop {
            changed.mark_unchanged();
            if !directory
                .list()
                .await
                .iter()
                .any(|(_, edge)| is_behind(edge))
            {
                return;
            }
            // Whether something changed or it is merely time, the next thing to do is to look.
            let _ = timeout(LOOK_INTERVAL, changed.changed()).await;
        }
    };
    if timeout(HELD_MAX, reached).await.is_err() {
        tracing::debug!("a change has not reached every edge yet");
    }
}
