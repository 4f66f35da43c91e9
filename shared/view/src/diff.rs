//! What changed between two versions of a view.

use crate::{
    Leaf, ViewTree,
    hash::DEPTH_MAX,
    tree::{Entry, Slot},
};

/// One difference between two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeChange {
    /// The newer version has this object; the older has not, or with other bytes.
    Put(Leaf),
    /// Only the older version has an object with this key.
    Remove {
        /// Object kind.
        kind: Box<str>,
        /// Id of the object.
        id: Box<str>,
    },
}

/// Lists what leads from `old` to `new`, each object once. Costs what differs: equal subtrees are skipped.
pub fn diff(old: &ViewTree, new: &ViewTree) -> Vec<TreeChange> {
    let mut changes = Vec::new();
    compare(old.root_slot(), new.root_slot(), 0, &mut changes);
    changes
}

fn compare(old: &Slot, new: &Slot, depth: usize, changes: &mut Vec<TreeChange>) {
    // Paths are 64 nibbles long, so the recursion is too.
    if depth > DEPTH_MAX || old.is_shared_with(new) || old.hash() == new.hash() {
        return;
    }
    if let (Slot::Inner(old), Slot::Inner(new)) = (old, new) {
        for (old, new) in old.children.iter().zip(&new.children) {
            compare(old, new, depth.saturating_add(1), changes);
        }
        return;
    }
    for gone in old
        .entries()
        .filter(|entry| new.find(depth, &entry.path).is_none())
    {
        let (kind, id) = gone.names();
        changes.push(TreeChange::Remove {
            kind: kind.into(),
            id: id.into(),
        });
    }
    let is_new = |entry: &&Entry| {
        old.find(depth, &entry.path)
            .is_none_or(|held| held.object_hash != entry.object_hash)
    };
    changes.extend(
        new.entries()
            .filter(is_new)
            .map(|entry| TreeChange::Put(entry.to_leaf())),
    );
}
