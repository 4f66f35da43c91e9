//! Deltas by (view, from, to): encoded once however many edges wait for the same one.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tidegate_state::{ReadError, StateReader, query};
use tidegate_sync::node::{Delta, ObjectChange, PublishedView, Wanted};
use tidegate_view::{Hash, TreeChange, ViewTree, diff};
use tokio::sync::OnceCell;

/// Deltas remembered; they live only as long as a stream sends them.
const REMEMBERED_MAX: usize = 1024;

type Cell = OnceCell<Option<Arc<Delta>>>;

/// Names a delta: view, start root, target root and revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DeltaKey {
    pub(super) view_id: String,
    pub(super) from: Hash,
    pub(super) to: Hash,
    pub(super) revision: u64,
}

/// Deltas that are in use or being made.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    cells: Mutex<HashMap<DeltaKey, Weak<Cell>>>,
    ready: Mutex<HashMap<DeltaKey, Weak<Delta>>>,
}

impl Deltas {
    /// Gives the delta, making it with `make` on a blocking thread if nobody has it.
    ///
    /// `None` when an object of the target is gone because a newer version replaced it.
    pub(super) async fn get(
        &self,
        key: DeltaKey,
        make: impl FnOnce() -> Result<Option<Delta>, ReadError> + Send + 'static,
    ) -> Option<Arc<Delta>> {
        if let Some(delta) = self.ready.lock().get(&key).and_then(Weak::upgrade) {
            return Some(delta);
        }
        let cell = self.cell(&key);
        let delta = cell.get_or_init(|| make_blocking(make)).await.clone();
        if let Some(delta) = &delta {
            let mut ready = self.ready.lock();
            if ready.len() >= REMEMBERED_MAX {
                ready.retain(|_, delta| delta.strong_count() > 0);
            }
            ready.insert(key, Arc::downgrade(delta));
        }
        delta
    }

    fn cell(&self, key: &DeltaKey) -> Arc<Cell> {
        let mut cells = self.cells.lock();
        if let Some(cell) = cells.get(key).and_then(Weak::upgrade) {
            return cell;
        }
        if cells.len() >= REMEMBERED_MAX {
            cells.retain(|_, cell| cell.strong_count() > 0);
        }
        let cell = Arc::new(Cell::new());
        cells.insert(key.clone(), Arc::downgrade(&cell));
        cell
    }
}

async fn make_blocking(
    make: impl FnOnce() -> Result<Option<Delta>, ReadError> + Send + 'static,
) -> Option<Arc<Delta>> {
    match tokio::task::spawn_blocking(make).await {
        Ok(Ok(delta)) => delta.map(Arc::new),
        Ok(Err(error)) => {
            tracing::error!(%error, "objects of a view cannot be read");
            None
        }
        Err(_panic) => None,
    }
}

/// Encodes the changes between two trees; `None` when an object is gone.
pub(super) fn make(
    state: &dyn StateReader,
    from: &ViewTree,
    target: Arc<PublishedView>,
) -> Result<Option<Delta>, ReadError> {
    let mut changes = Vec::new();
    for change in diff(from, &target.tree) {
        changes.push(match change {
            TreeChange::Remove { kind, id } => ObjectChange {
                kind: kind.to_string(),
                id: id.to_string(),
                object: None,
            },
            TreeChange::Put(leaf) => {
                let Some(object) = query::object(state, &leaf.object_hash)? else {
                    return Ok(None);
                };
                let (kind, id) = (leaf.kind.to_string(), leaf.id.to_string());
                ObjectChange {
                    kind,
                    id,
                    object: Some(object),
                }
            }
        });
    }
    Ok(Some(Delta::encode(from.root(), target, changes)))
}

/// Reads the objects an edge asked for; `None` when one is gone.
pub(super) fn read_objects(
    state: &dyn StateReader,
    wanted: Vec<Wanted>,
) -> Result<Option<Vec<ObjectChange>>, ReadError> {
    let mut objects = Vec::with_capacity(wanted.len());
    for Wanted {
        kind,
        id,
        object_hash,
        ..
    } in wanted
    {
        match query::object(state, &object_hash)? {
            Some(object) => objects.push(ObjectChange {
                kind,
                id,
                object: Some(object),
            }),
            None => return Ok(None),
        }
    }
    Ok(Some(objects))
}
