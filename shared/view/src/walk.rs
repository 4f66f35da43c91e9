//! The edge side of a Merkle exchange: from an own tree to a signed root, asking only for what differs.
//!
//! Every node is checked against the hash its parent gave, from the signed root down, so a peer can stop the walk but
//! not bend it.

use std::collections::BTreeMap;

use crate::{
    Child, EMPTY_ROOT, Hash, LeafRef, ObjectKeyError, ViewTree, check_object_key,
    hash::{DEPTH_MAX, inner_hash, leaf_hash, path_of, starts_with},
    staged::VIEW_OBJECTS_MAX,
};

/// Most paths that [`DiffWalk::wants`] gives at once.
pub const WALK_WANTS_MAX: usize = 4096;

/// Why an answer of a peer cannot be used. Its connection is not worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// The walk did not want this path.
    #[error("a tree node that was not asked for")]
    NotWanted,
    /// The children do not hash to what the parent said.
    #[error("a tree node that does not have the announced hash")]
    WrongHash,
    /// A leaf lies where its key does not belong.
    #[error("a leaf outside of its place")]
    Misplaced,
    /// A node that a tree of this shape cannot have.
    #[error("a tree node in the wrong shape")]
    WrongShape,
    /// A key that cannot be part of a view.
    #[error("a leaf with an invalid key")]
    Key(#[from] ObjectKeyError),
    /// More objects or nodes than a view may have.
    #[error("a tree that is larger than a view may be")]
    TooLarge,
}

/// What leads from the own tree to the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Objects to fetch and put.
    pub puts: Vec<LeafRef>,
    /// Objects to remove, as kind and id.
    pub removals: Vec<(Box<str>, Box<str>)>,
}

/// A walk under way.
#[derive(Clone, Debug)]
pub struct DiffWalk {
    local: ViewTree,
    /// Inner nodes of the target that differ from the own tree and are not known yet, with their hashes.
    pending: BTreeMap<Vec<u8>, Hash>,
    difference: Difference,
}

impl DiffWalk {
    /// Starts from the own tree towards the root of a verified manifest.
    pub fn new(local: ViewTree, target_root: Hash) -> DiffWalk {
        let mut walk = DiffWalk {
            local,
            pending: BTreeMap::new(),
            difference: Difference::default(),
        };
        if target_root == EMPTY_ROOT {
            walk.remove_under(&[], None);
        } else if walk.local.root() != target_root {
            walk.pending.insert(Vec::new(), target_root);
        }
        walk
    }

    /// Gives paths to ask the peer for, at most [`WALK_WANTS_MAX`]; none once the walk is complete.
    ///
    /// A path is wanted until it is accepted, so asking again is safe.
    pub fn wants(&self) -> Vec<Vec<u8>> {
        self.pending.keys().take(WALK_WANTS_MAX).cloned().collect()
    }

    /// Says whether all differences are known.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes the children of one node.
    ///
    /// # Errors
    /// When the node was not wanted, is not the one the parent announced, or cannot be part of a view. The walk is
    /// unchanged then.
    pub fn accept(&mut self, path: &[u8], children: &[Child; 16]) -> Result<(), WalkError> {
        let expected = *self.pending.get(path).ok_or(WalkError::NotWanted)?;
        check_node(path, children, &expected)?;
        let known = self
            .difference
            .puts
            .len()
            .saturating_add(self.pending.len());
        if u64::try_from(known).unwrap_or(u64::MAX) > VIEW_OBJECTS_MAX {
            return Err(WalkError::TooLarge);
        }
        self.pending.remove(path);
        for (step, child) in (0_u8..).zip(children) {
            let below = [path, &[step]].concat();
            match child {
                Child::Empty => self.remove_under(&below, None),
                Child::Leaf(leaf) => {
                    self.remove_under(&below, Some(leaf));
                    let held = self.local.get(&leaf.kind, &leaf.id);
                    if held.is_none_or(|held| held.object_hash != leaf.object_hash) {
                        self.difference.puts.push(leaf.clone());
                    }
                }
                Child::Inner(hash) => {
                    if self.local.inner_hash_at(&below) != Some(*hash) {
                        self.pending.insert(below, *hash);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives the differences found so far: all of them when the walk [is complete](DiffWalk::is_complete).
    pub fn difference(&self) -> Difference {
        self.difference.clone()
    }

    /// Removes everything below a path but the object with the key of `kept`.
    fn remove_under(&mut self, path: &[u8], kept: Option<&LeafRef>) {
        let is_kept =
            |leaf: &LeafRef| kept.is_some_and(|kept| kept.kind == leaf.kind && kept.id == leaf.id);
        let gone = self
            .local
            .leaf_refs_under(path)
            .filter(|leaf| !is_kept(leaf));
        self.difference
            .removals
            .extend(gone.map(|leaf| (leaf.kind, leaf.id)));
    }
}

fn check_node(path: &[u8], children: &[Child; 16], expected: &Hash) -> Result<(), WalkError> {
    let mut objects = 0_u8;
    let mut inners = 0_u8;
    let mut only_leaf = None;
    for (step, child) in (0_u8..).zip(children) {
        match child {
            Child::Empty => {}
            Child::Inner(_) => inners = inners.saturating_add(1),
            Child::Leaf(leaf) => {
                objects = objects.saturating_add(1);
                check_object_key(&leaf.kind, &leaf.id)?;
                let place = [path, &[step]].concat();
                if !starts_with(&path_of(&leaf.kind, &leaf.id), &place) {
                    return Err(WalkError::Misplaced);
                }
                only_leaf = Some(hash_of(child));
            }
        }
    }
    if inners > 0 && path.len().saturating_add(1) >= DEPTH_MAX {
        return Err(WalkError::WrongShape);
    }
    let hash = match (inners, objects, only_leaf) {
        // A view with one object has no inner node: its root is the leaf.
        (0, 1, Some(leaf)) if path.is_empty() => leaf,
        (0, 0 | 1, _) => return Err(WalkError::WrongShape),
        _ => inner_hash(children.iter().map(hash_of)),
    };
    if hash == *expected {
        Ok(())
    } else {
        Err(WalkError::WrongHash)
    }
}

fn hash_of(child: &Child) -> Hash {
    match child {
        Child::Empty => EMPTY_ROOT,
        Child::Inner(hash) => *hash,
        Child::Leaf(leaf) => leaf_hash(&leaf.kind, &leaf.id, &leaf.object_hash),
    }
}
