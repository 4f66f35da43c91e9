//! A delta between two versions of a view, encoded once and shared by all streams that need it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tidegate_proto::sync::v1::{Change, Changes};
use tidegate_view::Hash;

use super::PublishedView;
use crate::limits::CHUNK_BYTES;

/// One object put into a view, or removed from it when `object` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    /// Object kind, such as `api`.
    pub kind: String,
    /// Object id.
    pub id: String,
    /// The bytes whose hash is in the tree.
    pub object: Option<Bytes>,
}

/// All changes from one root to a published version, as encoded chunks.
#[derive(Debug)]
pub struct Delta {
    /// Root the changes start from.
    pub from_root: Hash,
    /// The version they lead to.
    pub target: Arc<PublishedView>,
    /// Changes in all chunks.
    pub change_count: u64,
    /// Object bytes in all chunks.
    pub byte_count: u64,
    /// Encoded `Changes` messages of about [`CHUNK_BYTES`]; never empty, the last says so.
    pub chunks: Vec<Bytes>,
}

impl Delta {
    /// Encodes `changes` in chunks; one larger object travels alone.
    pub fn encode(
        from_root: Hash,
        target: Arc<PublishedView>,
        changes: impl IntoIterator<Item = ObjectChange>,
    ) -> Self {
        let mut delta = Self {
            from_root,
            target,
            change_count: 0,
            byte_count: 0,
            chunks: Vec::new(),
        };
        let mut open = Changes {
            changes: Vec::new(),
            last: false,
        };
        let mut open_bytes = 0;
        for change in changes {
            let change = change.into_wire();
            let size = change.encoded_len();
            if !open.changes.is_empty() && open_bytes + size > CHUNK_BYTES {
                delta.chunks.push(open.encode_to_vec().into());
                open.changes.clear();
                open_bytes = 0;
            }
            delta.change_count += 1;
            delta.byte_count += change
                .object
                .as_ref()
                .map_or(0, |object| object.len() as u64);
            open_bytes += size;
            open.changes.push(change);
        }
        open.last = true;
        delta.chunks.push(open.encode_to_vec().into());
        delta
    }
}

impl ObjectChange {
    pub(crate) fn into_wire(self) -> Change {
        Change {
            kind: self.kind,
            id: self.id,
            object: self.object,
        }
    }
}
