//! One tree per registered view, grown from the applied log. Pure: no I/O, no clock.
//!
//! A manifest describes the content at a log index (its revision), but arrives later in the log,
//! when the tree may have grown further. So each view remembers its trees since the last
//! published one, and compares the published root with the tree of that index.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use tidegate_model::{TagError, TagSelector};
use tidegate_state::{LiveChange, ViewRecord};
use tidegate_sync::{edge::Position, node::PublishedView};
use tidegate_view::{Hash, SignedManifest, ViewTree};

/// Published versions kept per view: an edge that holds one of them gets a plain delta.
pub(super) const PUBLISHED_MAX: usize = 64;
/// Trees kept since the last published one. A leader publishes five times per second, so only a
/// cluster that cannot publish reaches this; such a manifest is then taken if the newest tree has
/// its root.
const UNPUBLISHED_MAX: usize = 4096;

/// A published root that is not the root of this node's own tree: one of the two is corrupt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("view {view_id} at revision {revision}: published root {published}, own root {own}")]
pub(crate) struct RootMismatch {
    view_id: String,
    revision: u64,
    published: String,
    own: String,
}

/// A view whose newest content is not published.
#[derive(Debug, Clone)]
pub(super) struct Unpublished {
    pub(super) view_id: String,
    pub(super) tree: ViewTree,
    pub(super) previous_root: Hash,
}

/// What decides which views an object is in, and which bytes it has there.
#[derive(Debug, Clone)]
pub(super) struct LiveObject<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    pub(super) object_hash: Option<Hash>,
    pub(super) object_len: u64,
    pub(super) tags: &'a [String],
    pub(super) plan_tags: Vec<&'a [String]>,
    pub(super) is_everywhere: bool,
}

/// All views of this node.
#[derive(Debug, Default)]
pub(super) struct Forest {
    views: BTreeMap<String, GrownView>,
}

#[derive(Debug)]
pub(super) struct GrownView {
    environment: String,
    selector: TagSelector,
    tree: ViewTree,
    /// Log index of the state the view was grown from; older changes are in it already.
    grown_at: u64,
    /// Content at each index since the last published one; never empty.
    versions: VecDeque<(u64, ViewTree)>,
    published: VecDeque<Arc<PublishedView>>,
}

impl GrownView {
    /// An empty view as of the content at `index`; objects present then follow by `grow`.
    pub(super) fn new(record: &ViewRecord, index: u64) -> Result<Self, TagError> {
        let tags: Vec<String> = record
            .inclusions
            .iter()
            .cloned()
            .chain(record.exclusions.iter().map(|tag| format!("!{tag}")))
            .collect();
        let tree = ViewTree::new();
        Ok(Self {
            environment: record.environment.clone(),
            selector: TagSelector::parse(&tags)?,
            versions: VecDeque::from([(index, tree.clone())]),
            tree,
            grown_at: index,
            published: VecDeque::new(),
        })
    }

    /// Puts an object that was live at `index` into the tree, or takes it out.
    pub(super) fn grow(&mut self, index: u64, object: &LiveObject<'_>) {
        let tags: BTreeSet<String> = object.tags.iter().cloned().collect();
        let plan_tags: Vec<BTreeSet<String>> = object
            .plan_tags
            .iter()
            .map(|tags| tags.iter().cloned().collect())
            .collect();
        let entitled = object.is_everywhere || self.selector.entitles(&tags, &plan_tags);
        match object.object_hash {
            Some(hash) if entitled => {
                self.tree
                    .insert(object.kind, object.id, hash, object.object_len);
            }
            _ => {
                self.tree.remove(object.kind, object.id);
            }
        }
        self.remember(index);
    }

    fn remember(&mut self, index: u64) {
        match self.versions.back_mut() {
            Some((newest, tree)) if *newest >= index => *tree = self.tree.clone(),
            Some((_, tree)) if tree.root() == self.tree.root() => {}
            _ => self.versions.push_back((index, self.tree.clone())),
        }
        if self.versions.len() > UNPUBLISHED_MAX {
            self.versions.pop_front();
        }
    }

    /// The content at `revision`, or the newest one if it has the root anyway.
    fn tree_at(&self, revision: u64, root: Hash) -> Option<ViewTree> {
        let known = self
            .versions
            .iter()
            .rev()
            .find(|(index, _)| *index <= revision);
        let same = || self.versions.iter().find(|(_, tree)| tree.root() == root);
        known.or_else(same).map(|(_, tree)| tree.clone())
    }

    fn publish(
        &mut self,
        manifest: &tidegate_state::PublishedView,
    ) -> Result<Option<Arc<PublishedView>>, RootMismatch> {
        let Some(tree) = self.tree_at(manifest.revision, manifest.root) else {
            return Ok(None);
        };
        if tree.root() != manifest.root {
            return Err(RootMismatch {
                view_id: manifest.view_id.clone(),
                revision: manifest.revision,
                published: blake3::Hash::from(manifest.root).to_string(),
                own: blake3::Hash::from(tree.root()).to_string(),
            });
        }
        while self
            .versions
            .get(1)
            .is_some_and(|(index, _)| *index <= manifest.revision)
        {
            self.versions.pop_front();
        }
        let published = Arc::new(PublishedView {
            position: Position {
                epoch: manifest.epoch,
                revision: manifest.revision,
                root: manifest.root,
            },
            manifest: SignedManifest {
                manifest: manifest.manifest.clone(),
                signature: manifest.signature.to_vec(),
                key_id: manifest.key_id.clone(),
            },
            tree,
        });
        self.published.push_back(Arc::clone(&published));
        if self.published.len() > PUBLISHED_MAX {
            self.published.pop_front();
        }
        Ok(Some(published))
    }
}

impl Forest {
    pub(super) fn has(&self, view_id: &str) -> bool {
        self.views.contains_key(view_id)
    }

    pub(super) fn add(&mut self, view_id: String, view: GrownView) {
        self.views.insert(view_id, view);
    }

    pub(super) fn remove(&mut self, view_id: &str) {
        self.views.remove(view_id);
    }

    /// Follows one change of the applied log.
    pub(super) fn change(&mut self, revision: u64, change: &LiveChange) {
        let object = LiveObject {
            kind: &change.kind,
            id: &change.id,
            object_hash: change.object_hash,
            object_len: change.object_len,
            tags: &change.tags,
            plan_tags: change.plan_tags.iter().map(Vec::as_slice).collect(),
            is_everywhere: change.is_everywhere,
        };
        for view in self.views.values_mut() {
            if view.environment == change.environment && revision > view.grown_at {
                view.grow(revision, &object);
            }
        }
    }

    /// Takes a published manifest; `None` when this node cannot tell the tree it describes.
    pub(super) fn publish(
        &mut self,
        manifest: &tidegate_state::PublishedView,
    ) -> Result<Option<Arc<PublishedView>>, RootMismatch> {
        match self.views.get_mut(&manifest.view_id) {
            Some(view) => view.publish(manifest),
            None => Ok(None),
        }
    }

    /// A published version by its root, newest first.
    pub(super) fn published(&self, view_id: &str, root: &Hash) -> Option<Arc<PublishedView>> {
        let view = self.views.get(view_id)?;
        view.published
            .iter()
            .rev()
            .find(|version| version.position.root == *root)
            .cloned()
    }

    /// The newest published version.
    pub(super) fn newest(&self, view_id: &str) -> Option<Arc<PublishedView>> {
        self.views.get(view_id)?.published.back().cloned()
    }

    /// Root of the newest content, published or not.
    pub(super) fn root(&self, view_id: &str) -> Option<Hash> {
        Some(self.views.get(view_id)?.tree.root())
    }

    /// Views whose content at `index` differs from what is published, or of which nothing is.
    ///
    /// Content after `index` belongs to a log entry that is being followed right now.
    pub(super) fn unpublished(&self, index: u64) -> Vec<Unpublished> {
        let content = self.views.iter().filter_map(|(view_id, view)| {
            let (_, tree) = view.versions.iter().rev().find(|(at, _)| *at <= index)?;
            let published = view.published.back().map(|newest| newest.position.root);
            let is_behind = published != Some(tree.root());
            is_behind.then(|| Unpublished {
                view_id: view_id.clone(),
                tree: tree.clone(),
                previous_root: published.unwrap_or(tidegate_view::EMPTY_ROOT),
            })
        });
        content.collect()
    }
}

#[cfg(test)]
#[path = "forest_tests.rs"]
mod tests;
