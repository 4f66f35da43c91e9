//! Keeps the forest in step with the applied log of this node.

use std::sync::Arc;

use tidegate_consensus::{AppliedBatch, Consensus};
use tidegate_state::{Event, ReadError, ResourceKind, ViewRecord, query};
use tidegate_storage::StateView;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    Views,
    forest::{Forest, GrownView, LiveObject},
};

/// Entries read from the state at a time.
const PAGE: usize = 1024;

/// Why the forest cannot be grown from the state. Fatal: the node must not serve a guess.
#[derive(Debug, thiserror::Error)]
pub(super) enum GrowError {
    #[error(transparent)]
    State(#[from] ReadError),
    #[error(transparent)]
    Storage(#[from] tidegate_storage::Error),
    #[error("a registered view has malformed tags")]
    Tags(#[from] tidegate_model::TagError),
}

/// Follows until consensus ends.
pub(super) async fn run(
    views: Arc<Views>,
    consensus: Consensus,
    mut events: Receiver<Arc<AppliedBatch>>,
) {
    let mut rebuild = true;
    loop {
        if rebuild {
            let state = consensus.state();
            let grown = tokio::task::spawn_blocking(move || grow_forest(&state.snapshot())).await;
            match grown {
                Ok(Ok((index, forest))) => views.replace(index, forest),
                Ok(Err(error)) => fatal(&error),
                Err(_panic) => fatal(&"the task that grows views panicked"),
            }
        }
        rebuild = match events.recv().await {
            Ok(batch) if batch.reset => true,
            Ok(batch) => {
                follow(&views, &consensus, &batch);
                false
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "views fell behind the log and are grown anew");
                true
            }
            Err(RecvError::Closed) => return,
        };
    }
}

fn follow(views: &Views, consensus: &Consensus, batch: &AppliedBatch) {
    if batch.index <= views.index() {
        return;
    }
    let floor = views.index();
    for event in batch.events.iter().filter(|event| event.revision > floor) {
        if let Err(error) = follow_event(views, consensus, event) {
            fatal(&error);
        }
    }
    views.advanced(batch.index);
}

fn follow_event(views: &Views, consensus: &Consensus, event: &Event) -> Result<(), GrowError> {
    if let Some(change) = &event.live {
        views.change(event.revision, change);
    }
    match event.kind {
        ResourceKind::View if event.deleted => views.remove(&event.id),
        ResourceKind::View if !views.has(&event.id) => {
            // The snapshot may be ahead of the event; the view then skips what it holds already.
            let snapshot = consensus.state().snapshot();
            if let Some(record) = query::view(&snapshot, &event.id)? {
                let (_, view) = grow_view(&snapshot, &record.value)?;
                views.add(event.id.clone(), view);
            }
        }
        ResourceKind::Keyset => views.keyset_added(),
        _ => {}
    }
    if let Some(manifest) = &event.published
        && let Err(mismatch) = views.publish(manifest)
    {
        tracing::error!(alarm = "VIEW_ROOT_MISMATCH", %mismatch, "this node's state has diverged");
        std::process::abort();
    }
    Ok(())
}

/// Grows every registered view, and finds what is published of each.
fn grow_forest(snapshot: &StateView) -> Result<(u64, Forest), GrowError> {
    let mut forest = Forest::default();
    let mut after: Option<String> = None;
    loop {
        let page = query::views(snapshot, after.as_deref(), PAGE)?;
        for record in page.items {
            let (_, view) = grow_view(snapshot, &record.value)?;
            let view_id = record.value.view_id;
            forest.add(view_id.clone(), view);
            restore_published(snapshot, &mut forest, &view_id)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok((index_of(snapshot)?, forest))
}

/// Content newer than the manifest is published by the leader soon; until then nothing is sent.
fn restore_published(
    snapshot: &StateView,
    forest: &mut Forest,
    view_id: &str,
) -> Result<(), GrowError> {
    let Some(manifest) = query::manifest(snapshot, view_id)? else {
        return Ok(());
    };
    let record = manifest.value;
    let published = tidegate_state::PublishedView {
        view_id: record.view_id,
        epoch: record.epoch,
        revision: record.revision,
        root: query::hash_of(&record.root)?,
        manifest: record.manifest,
        signature: record.signature,
        key_id: record.key_id,
    };
    if forest.root(view_id) == Some(published.root)
        && let Err(mismatch) = forest.publish(&published)
    {
        fatal(&mismatch);
    }
    Ok(())
}

fn grow_view(snapshot: &StateView, record: &ViewRecord) -> Result<(u64, GrownView), GrowError> {
    let index = index_of(snapshot)?;
    let mut view = GrownView::new(record, index)?;
    let mut after: Option<String> = None;
    loop {
        let page = query::live_objects(snapshot, &record.environment, after.as_deref(), PAGE)?;
        for object in &page.items {
            let facts = &object.record;
            view.grow(
                index,
                &LiveObject {
                    kind: &object.kind,
                    id: &object.id,
                    object_hash: Some(query::hash_of(&facts.object_hash)?),
                    object_len: facts.object_len,
                    tags: &facts.tags,
                    plan_tags: facts
                        .plan_tags
                        .iter()
                        .map(|set| set.tags.as_slice())
                        .collect(),
                    is_everywhere: facts.is_everywhere,
                },
            );
        }
        after = page.next;
        if after.is_none() {
            return Ok((index, view));
        }
    }
}

fn index_of(snapshot: &StateView) -> Result<u64, GrowError> {
    Ok(snapshot.applied()?.map_or(0, |mark| mark.index))
}

/// A node that cannot read its own state must not go on: an edge would get a guess.
fn fatal(error: &dyn std::fmt::Display) -> ! {
    tracing::error!(alarm = "VIEW_STATE_UNREADABLE", %error, "views cannot be grown");
    std::process::abort();
}
