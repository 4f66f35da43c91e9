//! The Merkle tree of a view: persistent, 16-ary, its shape given by its content alone.
//!
//! A subtree with one leaf is that leaf; a subtree with more is an inner node. Nodes are shared between versions and
//! copied when a shared one changes; hashes of changed nodes are computed when the root is next asked for, so a batch
//! of changes hashes each node once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::hash::{
    DEPTH_MAX, EMPTY_ROOT, Hash, inner_hash, leaf_hash, nibble, path_of, starts_with,
};

/// Children of an inner node.
const FAN_OUT: usize = 16;

/// A version of a view. Cloning costs nothing; the clone never changes with the original.
#[derive(Clone, Debug, Default)]
pub struct ViewTree {
    root: Slot,
}

/// One object of a view, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Object kind, such as "api".
    pub kind: Box<str>,
    /// Id of the object.
    pub id: Box<str>,
    /// Hash of its bytes.
    pub object_hash: Hash,
    /// Number of its bytes. Not part of any hash.
    pub object_len: u64,
}

/// One object of a view as a tree node names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafRef {
    /// Object kind, such as "api".
    pub kind: Box<str>,
    /// Id of the object.
    pub id: Box<str>,
    /// Hash of its bytes.
    pub object_hash: Hash,
}

/// One child of an inner node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// Nothing below.
    Empty,
    /// An inner node with this hash.
    Inner(Hash),
    /// A single object.
    Leaf(LeafRef),
}

impl ViewTree {
    /// Makes the empty view.
    pub fn new() -> ViewTree {
        ViewTree::default()
    }

    /// Gives the root hash; [`EMPTY_ROOT`] for the empty view.
    pub fn root(&self) -> Hash {
        self.root.hash()
    }

    /// Counts the objects.
    pub fn len(&self) -> u64 {
        self.root.weight().objects
    }

    /// Says whether there is no object.
    pub fn is_empty(&self) -> bool {
        matches!(self.root, Slot::Empty)
    }

    /// Adds up the lengths of the objects.
    pub fn bytes(&self) -> u64 {
        self.root.weight().bytes
    }

    /// Puts an object, replacing the one with the same key.
    ///
    /// Keys must satisfy [`check_object_key`](crate::check_object_key); the doors for untrusted bytes
    /// ([`StagedView`](crate::StagedView), [`DiffWalk`](crate::DiffWalk)) demand it themselves.
    pub fn insert(&mut self, kind: &str, id: &str, object_hash: Hash, object_len: u64) {
        self.root
            .insert(0, Entry::new(kind, id, object_hash, object_len, None));
    }

    /// Puts an object together with its bytes.
    pub(crate) fn insert_object(&mut self, kind: &str, id: &str, content: Bytes) {
        let hash = crate::object_hash(&content);
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.root
            .insert(0, Entry::new(kind, id, hash, length, Some(content)));
    }

    /// Removes an object; `false` when there was none.
    pub fn remove(&mut self, kind: &str, id: &str) -> bool {
        let path = path_of(kind, id);
        // Looked up first, so that a miss copies no shared node.
        self.root.find(0, &path).is_some() && self.root.remove(0, &path)
    }

    /// Looks an object up.
    pub fn get(&self, kind: &str, id: &str) -> Option<Leaf> {
        self.entry(kind, id).map(Entry::to_leaf)
    }

    /// Gives the bytes of an object, if the tree keeps them.
    pub(crate) fn object(&self, kind: &str, id: &str) -> Option<&Bytes> {
        self.entry(kind, id)?.content.as_deref()
    }

    /// Visits all objects, in the order of their paths.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        self.root.entries().map(Entry::to_leaf)
    }

    /// Visits all objects with their bytes, in the order of their paths.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&str, &str, &Bytes)> + '_ {
        self.root.entries().filter_map(|entry| {
            let (kind, id) = entry.names();
            entry.content.as_deref().map(|content| (kind, id, content))
        })
    }

    /// Gives the children of the inner node at a path of nibbles; `None` when none is there.
    ///
    /// The root is a node even when the view has one object only: the object is its single child then.
    pub fn node(&self, path: &[u8]) -> Option<[Child; FAN_OUT]> {
        match self.slot_at(path) {
            SlotAt::Inner(branch) => Some(branch.children.each_ref().map(Slot::to_child)),
            SlotAt::Leaf(entry) if path.is_empty() => {
                let mut children = [const { Child::Empty }; FAN_OUT];
                *children.get_mut(usize::from(nibble(&entry.path, 0)))? =
                    Child::Leaf(entry.to_leaf_ref());
                Some(children)
            }
            SlotAt::Leaf(_) | SlotAt::Empty => None,
        }
    }

    /// Gives the hash of the inner node at a path of nibbles.
    pub(crate) fn inner_hash_at(&self, path: &[u8]) -> Option<Hash> {
        match self.slot_at(path) {
            SlotAt::Inner(branch) => Some(branch.hash()),
            SlotAt::Leaf(_) | SlotAt::Empty => None,
        }
    }

    /// Visits all objects whose path begins with these nibbles.
    pub(crate) fn leaf_refs_under(&self, path: &[u8]) -> impl Iterator<Item = LeafRef> + '_ {
        let entries = match self.slot_at(path) {
            SlotAt::Inner(branch) => Entries::below(branch),
            SlotAt::Leaf(entry) => Entries {
                single: Some(entry),
                stack: Vec::new(),
            },
            SlotAt::Empty => Entries {
                single: None,
                stack: Vec::new(),
            },
        };
        entries.map(Entry::to_leaf_ref)
    }

    pub(crate) fn root_slot(&self) -> &Slot {
        &self.root
    }

    fn entry(&self, kind: &str, id: &str) -> Option<&Entry> {
        self.root.find(0, &path_of(kind, id))
    }

    /// Finds what lies below a path: a leaf hangs as high as it can, so it may be met on the way.
    fn slot_at(&self, path: &[u8]) -> SlotAt<'_> {
        let mut slot = &self.root;
        for step in path {
            slot = match slot {
                Slot::Inner(branch) => match branch.children.get(usize::from(*step)) {
                    Some(child) => child,
                    None => return SlotAt::Empty,
                },
                Slot::Leaf(_) | Slot::Empty => break,
            };
        }
        match slot {
            Slot::Inner(branch) => SlotAt::Inner(branch),
            Slot::Leaf(entry) if starts_with(&entry.path, path) => SlotAt::Leaf(entry),
            Slot::Leaf(_) | Slot::Empty => SlotAt::Empty,
        }
    }
}

enum SlotAt<'a> {
    Empty,
    Leaf(&'a Entry),
    Inner(&'a Branch),
}

/// What hangs below one nibble.
#[derive(Clone, Debug, Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Leaf(Arc<Entry>),
    Inner(Arc<Branch>),
}

/// An inner node: at least two objects below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Branch {
    pub(crate) children: [Slot; FAN_OUT],
    weight: Weight,
    hash: OnceLock<Hash>,
}

/// One object.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: Hash,
    /// Kind, then id: one allocation for both.
    names: Box<str>,
    kind_len: usize,
    pub(crate) object_hash: Hash,
    object_len: u64,
    hash: Hash,
    content: Option<Box<Bytes>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    objects: u64,
    bytes: u64,
}

impl Slot {
    pub(crate) fn hash(&self) -> Hash {
        match self {
            Slot::Empty => EMPTY_ROOT,
            Slot::Leaf(entry) => entry.hash,
            Slot::Inner(branch) => branch.hash(),
        }
    }

    /// Says whether two slots are one object in memory, which makes them equal without hashing.
    pub(crate) fn is_shared_with(&self, other: &Slot) -> bool {
        match (self, other) {
            (Slot::Empty, Slot::Empty) => true,
            (Slot::Leaf(a), Slot::Leaf(b)) => Arc::ptr_eq(a, b),
            (Slot::Inner(a), Slot::Inner(b)) => Arc::ptr_eq(a, b),
            (Slot::Empty | Slot::Leaf(_) | Slot::Inner(_), _) => false,
        }
    }

    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries {
            single: None,
            stack: vec![self],
        }
    }

    pub(crate) fn find(&self, depth: usize, path: &Hash) -> Option<&Entry> {
        let mut slot = self;
        let mut depth = depth;
        loop {
            match slot {
                Slot::Empty => return None,
                Slot::Leaf(entry) => return (entry.path == *path).then_some(entry),
                Slot::Inner(branch) => {
                    slot = branch.children.get(usize::from(nibble(path, depth)))?;
                    depth = depth.saturating_add(1);
                }
            }
        }
    }

    fn weight(&self) -> Weight {
        match self {
            Slot::Empty => Weight::default(),
            Slot::Leaf(entry) => Weight {
                objects: 1,
                bytes: entry.object_len,
            },
            Slot::Inner(branch) => branch.weight,
        }
    }

    fn insert(&mut self, depth: usize, entry: Entry) {
        match self {
            Slot::Empty => *self = Slot::Leaf(Arc::new(entry)),
            Slot::Leaf(present) if present.path == entry.path || depth >= DEPTH_MAX => {
                *self = Slot::Leaf(Arc::new(entry));
            }
            Slot::Leaf(present) => {
                let mut branch = Branch::default();
                branch.change(nibble(&present.path, depth), |slot| {
                    *slot = Slot::Leaf(Arc::clone(present));
                });
                branch.change(nibble(&entry.path, depth), |slot| {
                    slot.insert(depth.saturating_add(1), entry);
                });
                *self = Slot::Inner(Arc::new(branch));
            }
            Slot::Inner(branch) => {
                let step = nibble(&entry.path, depth);
                Arc::make_mut(branch)
                    .change(step, |slot| slot.insert(depth.saturating_add(1), entry));
            }
        }
    }

    fn remove(&mut self, depth: usize, path: &Hash) -> bool {
        match self {
            Slot::Empty => false,
            Slot::Leaf(entry) => {
                let found = entry.path == *path;
                if found {
                    *self = Slot::Empty;
                }
                found
            }
            Slot::Inner(branch) => {
                let branch = Arc::make_mut(branch);
                let mut found = false;
                branch.change(nibble(path, depth), |slot| {
                    found = slot.remove(depth.saturating_add(1), path);
                });
                if let Some(only) = branch.only_leaf() {
                    *self = only;
                }
                found
            }
        }
    }

    fn to_child(&self) -> Child {
        match self {
            Slot::Empty => Child::Empty,
            Slot::Leaf(entry) => Child::Leaf(entry.to_leaf_ref()),
            Slot::Inner(branch) => Child::Inner(branch.hash()),
        }
    }
}

impl Branch {
    fn hash(&self) -> Hash {
        *self
            .hash
            .get_or_init(|| inner_hash(self.children.iter().map(Slot::hash)))
    }

    /// Changes one child and what follows from it: the weight, and the hash that is no longer known.
    fn change(&mut self, step: u8, change: impl FnOnce(&mut Slot)) {
        let Some(child) = self.children.get_mut(usize::from(step)) else {
            return;
        };
        let before = child.weight();
        change(child);
        let after = child.weight();
        let moved = |total: u64, before: u64, after: u64| {
            total.saturating_sub(before).saturating_add(after)
        };
        self.weight = Weight {
            objects: moved(self.weight.objects, before.objects, after.objects),
            bytes: moved(self.weight.bytes, before.bytes, after.bytes),
        };
        self.hash = OnceLock::new();
    }

    fn only_leaf(&self) -> Option<Slot> {
        if self.weight.objects != 1 {
            return None;
        }
        self.children
            .iter()
            .find(|child| matches!(child, Slot::Leaf(_)))
            .cloned()
    }
}

impl Entry {
    fn new(
        kind: &str,
        id: &str,
        object_hash: Hash,
        object_len: u64,
        content: Option<Bytes>,
    ) -> Entry {
        Entry {
            path: path_of(kind, id),
            names: [kind, id].concat().into(),
            kind_len: kind.len(),
            object_hash,
            object_len,
            hash: leaf_hash(kind, id, &object_hash),
            content: content.map(Box::new),
        }
    }

    pub(crate) fn names(&self) -> (&str, &str) {
        self.names
            .split_at_checked(self.kind_len)
            .unwrap_or_default()
    }

    pub(crate) fn to_leaf(&self) -> Leaf {
        let (kind, id) = self.names();
        let (object_hash, object_len) = (self.object_hash, self.object_len);
        Leaf {
            kind: kind.into(),
            id: id.into(),
            object_hash,
            object_len,
        }
    }

    fn to_leaf_ref(&self) -> LeafRef {
        let (kind, id) = self.names();
        LeafRef {
            kind: kind.into(),
            id: id.into(),
            object_hash: self.object_hash,
        }
    }
}

/// Walks entries in the order of their paths.
pub(crate) struct Entries<'a> {
    single: Option<&'a Entry>,
    stack: Vec<&'a Slot>,
}

impl<'a> Entries<'a> {
    fn below(branch: &'a Branch) -> Entries<'a> {
        Entries {
            single: None,
            stack: branch.children.iter().rev().collect(),
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a Entry;

    fn next(&mut self) -> Option<&'a Entry> {
        if let Some(entry) = self.single.take() {
            return Some(entry);
        }
        loop {
            match self.stack.pop()? {
                Slot::Empty => {}
                Slot::Leaf(entry) => return Some(entry),
                Slot::Inner(branch) => self.stack.extend(branch.children.iter().rev()),
            }
        }
    }
}
