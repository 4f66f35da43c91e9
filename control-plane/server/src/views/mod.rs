//! Signed views: what each set of tags is entitled to, as trees that follow the applied log.
//!
//! Every node grows the same trees and compares each published root with its own; only the leader
//! signs and publishes. Streams read published versions from here and never an unsigned tree.

mod coalesce;
mod deltas;
mod follow;
mod forest;
mod publisher;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tidegate_consensus::Consensus;
use tidegate_state::LiveChange;
use tidegate_storage::StateDb;
use tidegate_sync::node::{Delta, ObjectChange, PublishedView, Wanted};
use tidegate_telemetry::tasks::Tasks;
use tidegate_view::{EMPTY_ROOT, Hash, Signer, ViewTree};
use tokio::sync::watch;

use self::{
    deltas::{DeltaKey, Deltas},
    forest::{Forest, GrownView, RootMismatch, Unpublished},
};

/// Newest published version of one view.
pub(crate) type Newest = watch::Receiver<Option<Arc<PublishedView>>>;

/// All views of this node.
#[derive(Debug)]
pub(crate) struct Views {
    state: StateDb,
    inner: Mutex<Inner>,
    deltas: Deltas,
    grown: watch::Sender<u64>,
    keysets: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    forest: Forest,
    /// One channel per view that anyone asked about.
    newest: HashMap<String, watch::Sender<Option<Arc<PublishedView>>>>,
}

impl Views {
    /// Grows the views of this node and publishes while it is the leader.
    pub(crate) fn start(consensus: Consensus, signer: Arc<dyn Signer>, tasks: &Tasks) -> Arc<Self> {
        // Subscribed before the first snapshot is read, so that no change falls in between.
        let events = consensus.events();
        let views = Arc::new(Self {
            state: consensus.state(),
            inner: Mutex::default(),
            deltas: Deltas::default(),
            grown: watch::Sender::new(0),
            keysets: watch::Sender::new(0),
        });
        tasks.spawn(
            "views follow",
            follow::run(Arc::clone(&views), consensus.clone(), events),
        );
        tasks.spawn(
            "views publish",
            publisher::run(Arc::clone(&views), consensus, signer),
        );
        views
    }

    /// Watches the newest published version of a view, also one that does not exist yet.
    pub(crate) fn watch(&self, view_id: &str) -> Newest {
        let mut inner = self.inner.lock();
        let newest = inner.forest.newest(view_id);
        inner
            .newest
            .entry(view_id.to_owned())
            .or_insert_with(|| watch::Sender::new(newest))
            .subscribe()
    }

    /// True once the view is registered and grown here.
    pub(crate) fn has(&self, view_id: &str) -> bool {
        self.inner.lock().forest.has(view_id)
    }

    /// Log index up to which all views hold everything.
    pub(crate) fn index(&self) -> u64 {
        *self.grown.borrow()
    }

    /// Wakes at every step of the log.
    pub(crate) fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// Wakes when a keyset was added.
    pub(crate) fn keysets(&self) -> watch::Receiver<u64> {
        self.keysets.subscribe()
    }

    /// The changes from a root to a published version; `None` when the root is not kept.
    pub(crate) async fn delta(
        &self,
        view_id: &str,
        from: Hash,
        target: Arc<PublishedView>,
    ) -> Option<Arc<Delta>> {
        let base = if from == EMPTY_ROOT {
            ViewTree::new()
        } else {
            self.inner
                .lock()
                .forest
                .published(view_id, &from)?
                .tree
                .clone()
        };
        let key = DeltaKey {
            view_id: view_id.to_owned(),
            from,
            to: target.position.root,
            revision: target.position.revision,
        };
        let state = self.state.clone();
        self.deltas
            .get(key, move || deltas::make(&state, &base, target))
            .await
    }

    /// Objects of a published version; `None` when a newer one replaced some.
    pub(crate) async fn objects(&self, wanted: Vec<Wanted>) -> Option<Vec<ObjectChange>> {
        let state = self.state.clone();
        let read = tokio::task::spawn_blocking(move || deltas::read_objects(&state, wanted)).await;
        match read {
            Ok(Ok(objects)) => objects,
            Ok(Err(error)) => {
                tracing::error!(%error, "objects of a view cannot be read");
                None
            }
            Err(_panic) => None,
        }
    }

    fn unpublished(&self) -> (u64, Vec<Unpublished>) {
        let inner = self.inner.lock();
        let index = self.index();
        (index, inner.forest.unpublished(index))
    }

    fn replace(&self, index: u64, forest: Forest) {
        let mut inner = self.inner.lock();
        inner.forest = forest;
        let Inner { forest, newest } = &mut *inner;
        for (view_id, sender) in newest.iter() {
            sender.send_replace(forest.newest(view_id));
        }
        drop(inner);
        self.grown.send_replace(index);
    }

    fn advanced(&self, index: u64) {
        self.grown.send_replace(index);
    }

    fn keyset_added(&self) {
        self.keysets.send_modify(|count| *count += 1);
    }

    fn change(&self, revision: u64, change: &LiveChange) {
        self.inner.lock().forest.change(revision, change);
    }

    fn add(&self, view_id: String, view: GrownView) {
        self.inner.lock().forest.add(view_id, view);
    }

    fn remove(&self, view_id: &str) {
        self.inner.lock().forest.remove(view_id);
    }

    fn publish(&self, manifest: &tidegate_state::PublishedView) -> Result<(), RootMismatch> {
        let mut inner = self.inner.lock();
        if let Some(published) = inner.forest.publish(manifest)? {
            // Channels nobody listens to any more are dropped here, where views change.
            inner.newest.retain(|_, sender| sender.receiver_count() > 0);
            if let Some(sender) = inner.newest.get(&manifest.view_id) {
                sender.send_replace(Some(published));
            }
        }
        Ok(())
    }
}
