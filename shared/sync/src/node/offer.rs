//! Answers an edge's walk through the offered tree: nodes and objects, within the credit.

use std::{collections::VecDeque, sync::Arc};

use prost::Message as _;
use tidegate_proto::sync::v1::{
    Nodes, Objects, TreeChild, TreeLeaf, TreeNode, Want, node_message, tree_child,
};
use tidegate_view::{Child, Hash};

use super::{
    ObjectChange, PublishedView,
    reply::send,
    session::{CloseReason, Credit, Effect},
};
use crate::limits::{CHUNK_BYTES, NODES_PER_MESSAGE, PATH_NIBBLES_MAX, WANT_ITEMS_MAX};

/// One object an edge asked for, as the offered tree knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Object kind.
    pub kind: String,
    /// Object id.
    pub id: String,
    /// Hash of its bytes.
    pub object_hash: Hash,
    /// Length of its bytes.
    pub object_len: u64,
}

/// One offered version and what the edge still waits for.
#[derive(Debug)]
pub(super) struct Offering {
    target: Arc<PublishedView>,
    paths: VecDeque<bytes::Bytes>,
    objects: VecDeque<Wanted>,
    /// Size of the objects being loaded; one load at a time.
    loading: bool,
}

impl Offering {
    pub(super) fn new(target: Arc<PublishedView>) -> Self {
        Self {
            target,
            paths: VecDeque::new(),
            objects: VecDeque::new(),
            loading: false,
        }
    }

    pub(super) fn target(&self) -> &Arc<PublishedView> {
        &self.target
    }

    /// Queues a request. An edge has one outstanding at a time, which bounds the queues.
    pub(super) fn want(&mut self, want: Want) -> Result<(), CloseReason> {
        if !self.paths.is_empty() || !self.objects.is_empty() || self.loading {
            return Err(CloseReason::Protocol(
                "Want before the last one was answered",
            ));
        }
        let fits = want.paths.len() <= WANT_ITEMS_MAX
            && want.objects.len() <= WANT_ITEMS_MAX
            && want.paths.iter().all(|path| {
                path.len() <= PATH_NIBBLES_MAX && path.iter().all(|nibble| *nibble < 16)
            });
        if !fits {
            return Err(CloseReason::Protocol("Want out of bounds"));
        }
        for key in want.objects {
            let leaf = self.target.tree.get(&key.kind, &key.id);
            let leaf = leaf.ok_or(CloseReason::Protocol("Want of an unknown object"))?;
            self.objects.push_back(Wanted {
                kind: key.kind,
                id: key.id,
                object_hash: leaf.object_hash,
                object_len: leaf.object_len,
            });
        }
        if want
            .paths
            .iter()
            .any(|path| self.target.tree.node(path).is_none())
        {
            return Err(CloseReason::Protocol("Want of an unknown tree node"));
        }
        self.paths.extend(want.paths);
        Ok(())
    }

    pub(super) fn pump(&mut self, credit: &mut Credit, effects: &mut Vec<Effect>) {
        while !self.paths.is_empty() {
            let count = self.paths.len().min(NODES_PER_MESSAGE);
            let nodes: Vec<_> = self
                .paths
                .iter()
                .take(count)
                .filter_map(|path| self.tree_node(path))
                .collect();
            let message = Nodes { nodes };
            let size = message.encoded_len();
            if !credit.allows(size) {
                return;
            }
            credit.spend(size);
            self.paths.drain(..count);
            effects.push(send(node_message::Kind::Nodes(message)));
        }
        if self.loading || self.objects.is_empty() {
            return;
        }
        let mut bytes = 0;
        let count = self
            .objects
            .iter()
            .take_while(|wanted| {
                let first = bytes == 0;
                bytes += usize::try_from(wanted.object_len)
                    .unwrap_or(usize::MAX / 2)
                    .max(1);
                first || bytes <= CHUNK_BYTES
            })
            .count();
        let size: u64 = self
            .objects
            .iter()
            .take(count)
            .map(|wanted| wanted.object_len)
            .sum();
        if credit.allows(usize::try_from(size).unwrap_or(usize::MAX / 2)) {
            self.loading = true;
            let wanted = self.objects.drain(..count).collect();
            effects.push(Effect::LoadObjects {
                of: Arc::clone(&self.target),
                wanted,
            });
        }
    }

    /// Sends what was loaded; its size was checked against the credit before loading.
    pub(super) fn loaded(&mut self, objects: Vec<ObjectChange>, credit: &mut Credit) -> Effect {
        self.loading = false;
        let objects = objects.into_iter().map(ObjectChange::into_wire).collect();
        let message = Objects { objects };
        credit.spend(message.encoded_len());
        send(node_message::Kind::Objects(message))
    }

    fn tree_node(&self, path: &bytes::Bytes) -> Option<TreeNode> {
        let children = self.target.tree.node(path)?;
        let children = children.into_iter().map(child_to_wire).collect();
        Some(TreeNode {
            path: path.clone(),
            children,
        })
    }
}

fn child_to_wire(child: Child) -> TreeChild {
    let kind = match child {
        Child::Empty => tree_child::Kind::Empty(true),
        Child::Inner(hash) => tree_child::Kind::Inner(bytes::Bytes::copy_from_slice(&hash)),
        Child::Leaf(leaf) => tree_child::Kind::Leaf(TreeLeaf {
            kind: leaf.kind.to_string(),
            id: leaf.id.to_string(),
            object_hash: bytes::Bytes::copy_from_slice(&leaf.object_hash),
        }),
    };
    TreeChild { kind: Some(kind) }
}
