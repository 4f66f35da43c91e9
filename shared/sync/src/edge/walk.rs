//! Walks an offered tree: asks for the nodes that differ, then for the objects, and stages them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidegate_proto::sync::v1::{Nodes, ObjectKey, Objects, TreeChild, Want, tree_child};
use tidegate_view::{Child, DiffWalk, Hash, LeafRef, StagedView, VerifiedView, ViewTree};

use super::{
    Alarm, AlarmCode,
    receive::{Budget, Complete, Target},
};
use crate::{limits::WANT_ITEMS_MAX, node::ObjectChange};

/// A Merkle diff on its way.
#[derive(Debug)]
pub(super) struct Walking {
    pub(super) target: Target,
    from: Hash,
    walk: DiffWalk,
    staged: StagedView,
    changes: Vec<ObjectChange>,
    budget: Budget,
    asked_paths: BTreeSet<Vec<u8>>,
    asked_objects: BTreeMap<(String, String), Hash>,
    /// Objects still to ask for; `None` while the tree is being walked.
    needed: Option<Vec<LeafRef>>,
}

/// What an answer led to.
pub(super) enum Walked {
    /// More of the answer is to come.
    Waiting(Box<Walking>),
    /// The next request.
    Ask(Box<Walking>, Want),
    /// The root matches.
    Complete(Box<Complete>, Want),
}

impl Walking {
    /// Starts towards `target` from what the edge holds.
    pub(super) fn start(target: Target, base: Option<&VerifiedView>) -> Result<Walked, Alarm> {
        let tree = base.map_or_else(ViewTree::new, |base| base.tree().clone());
        let staged = match base {
            Some(base) => StagedView::from(base),
            None => StagedView::empty(),
        };
        let budget = Budget::new(&target.manifest, tree.len());
        let walking = Self {
            from: tree.root(),
            walk: DiffWalk::new(tree, target.manifest.root),
            target,
            staged,
            changes: Vec::new(),
            budget,
            asked_paths: BTreeSet::new(),
            asked_objects: BTreeMap::new(),
            needed: None,
        };
        Box::new(walking).next()
    }

    /// Takes tree nodes; each must hash to what its parent said.
    pub(super) fn nodes(mut self: Box<Self>, nodes: Nodes) -> Result<Walked, Alarm> {
        for node in nodes.nodes {
            if !self.asked_paths.remove(node.path.as_ref()) {
                return Err(Alarm::new(
                    AlarmCode::Malformed,
                    "a tree node nobody asked for",
                ));
            }
            let children = children_from_wire(node.children)?;
            self.walk
                .accept(&node.path, &children)
                .map_err(|error| Alarm::new(AlarmCode::Diverged, error.to_string()))?;
        }
        self.next()
    }

    /// Takes objects; each must hash to what its leaf said.
    pub(super) fn objects(mut self: Box<Self>, objects: Objects) -> Result<Walked, Alarm> {
        for change in objects.objects {
            let key = (change.kind, change.id);
            let Some(hash) = self.asked_objects.remove(&key) else {
                return Err(Alarm::new(
                    AlarmCode::Malformed,
                    "an object nobody asked for",
                ));
            };
            let (kind, id) = key;
            let Some(object) = change.object else {
                return Err(Alarm::new(AlarmCode::Malformed, "an object without bytes"));
            };
            if *blake3::hash(&object).as_bytes() != hash {
                let detail = format!("the bytes of {kind} {id} are not those of the tree");
                return Err(Alarm::new(AlarmCode::Diverged, detail));
            }
            self.put(ObjectChange {
                kind,
                id,
                object: Some(object),
            })?;
        }
        self.next()
    }

    fn put(&mut self, change: ObjectChange) -> Result<(), Alarm> {
        self.budget.spend(change.object.as_ref())?;
        self.staged
            .apply(&change.kind, &change.id, change.object.clone())?;
        self.changes.push(change);
        Ok(())
    }

    fn next(mut self: Box<Self>) -> Result<Walked, Alarm> {
        if !self.asked_paths.is_empty() || !self.asked_objects.is_empty() {
            return Ok(Walked::Waiting(self));
        }
        if self.needed.is_none() {
            let paths: Vec<Vec<u8>> = self.walk.wants().into_iter().take(WANT_ITEMS_MAX).collect();
            if !paths.is_empty() {
                let mut want = self.want();
                want.paths = paths
                    .iter()
                    .map(|path| Bytes::copy_from_slice(path))
                    .collect();
                self.asked_paths = paths.into_iter().collect();
                return Ok(Walked::Ask(self, want));
            }
            self.tree_is_known()?;
        }
        let needed = self.needed.get_or_insert_default();
        let batch = needed.split_off(needed.len().saturating_sub(WANT_ITEMS_MAX));
        if !batch.is_empty() {
            let mut want = self.want();
            for leaf in batch {
                let (kind, id) = (leaf.kind.to_string(), leaf.id.to_string());
                want.objects.push(ObjectKey {
                    kind: kind.clone(),
                    id: id.clone(),
                });
                self.asked_objects.insert((kind, id), leaf.object_hash);
            }
            return Ok(Walked::Ask(self, want));
        }
        let mut want = self.want();
        want.complete = true;
        let view = self.staged.finish(self.target.manifest)?;
        let complete = Complete {
            view,
            signed: self.target.signed,
            from: self.from,
            changes: self.changes,
        };
        Ok(Walked::Complete(Box::new(complete), want))
    }

    fn tree_is_known(&mut self) -> Result<(), Alarm> {
        let difference = self.walk.difference();
        for (kind, id) in difference.removals {
            self.put(ObjectChange {
                kind: kind.to_string(),
                id: id.to_string(),
                object: None,
            })?;
        }
        self.needed = Some(difference.puts);
        Ok(())
    }

    fn want(&self) -> Want {
        Want {
            root: Bytes::copy_from_slice(&self.target.manifest.root),
            ..Want::default()
        }
    }
}

fn children_from_wire(children: Vec<TreeChild>) -> Result<[Child; 16], Alarm> {
    let malformed = || Alarm::new(AlarmCode::Malformed, "a tree node that is none");
    let hash = |bytes: &Bytes| Hash::try_from(bytes.as_ref()).map_err(|_wrong_length| malformed());
    let children = children
        .into_iter()
        .map(|child| match child.kind {
            Some(tree_child::Kind::Empty(_)) => Ok(Child::Empty),
            Some(tree_child::Kind::Inner(inner)) => Ok(Child::Inner(hash(&inner)?)),
            Some(tree_child::Kind::Leaf(leaf)) => Ok(Child::Leaf(LeafRef {
                object_hash: hash(&leaf.object_hash)?,
                kind: leaf.kind.into(),
                id: leaf.id.into(),
            })),
            None => Err(malformed()),
        })
        .collect::<Result<Vec<_>, Alarm>>()?;
    children.try_into().map_err(|_not_sixteen| malformed())
}
