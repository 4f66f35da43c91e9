//! The types openraft is put together from, and their bytes.

use std::{collections::BTreeSet, fmt};

use bytes::Bytes;
use openraft::type_config::alias::{EntryOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidegate_storage::LogMark;

openraft::declare_raft_types!(
    /// Types of the control plane's consensus.
    pub(crate) TypeConfig:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = PeerNode,
);

pub(crate) type Entry = EntryOf<TypeConfig>;
pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Vote = VoteOf<TypeConfig>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = SnapshotMetaOf<TypeConfig>;

/// An encoded transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command(pub Bytes);

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "transaction of {} bytes", self.0.len())
    }
}

/// An encoded reply; empty for entries that are no transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome(pub Bytes);

/// How a node is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerNode {
    pub raft_address: String,
    pub grpc_address: String,
}

/// Encodes an openraft value; the versions of openraft and of this form are pinned together.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(value)
}

/// Decodes what [`encode`] wrote; trailing bytes are an error.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, _) => Err(postcard::Error::DeserializeUnexpectedEnd),
    }
}

/// The position of an entry, as storage keeps it.
pub(crate) fn mark(log_id: &LogId) -> Result<LogMark, postcard::Error> {
    Ok(LogMark {
        index: log_id.index,
        id: encode(log_id)?.into(),
    })
}

/// Ids of the voters of a membership.
pub(crate) fn voters(membership: &StoredMembership) -> BTreeSet<u64> {
    membership.membership().voter_ids().collect()
}
