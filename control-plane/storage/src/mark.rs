//! A position in the Raft log.

use bytes::Bytes;

use crate::Error;

/// A position in the Raft log: an index, and the consensus protocol's own id of that entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMark {
    /// Index of the entry.
    pub index: u64,
    /// The encoded log id; opaque here.
    pub id: Bytes,
}

impl LogMark {
    /// Eight bytes of big-endian index, then the id.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.index.to_be_bytes(), self.id.as_ref()].concat()
    }

    pub(crate) fn decode(value: &Bytes) -> Result<Self, Error> {
        let index = value
            .get(..8)
            .and_then(|index| <[u8; 8]>::try_from(index).ok())
            .ok_or_else(|| Error::corrupt("log mark", format!("{} bytes", value.len())))?;
        Ok(Self {
            index: u64::from_be_bytes(index),
            id: value.slice(8..),
        })
    }
}
