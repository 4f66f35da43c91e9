//! The chunks of a Raft snapshot and the order they must come in. Pure.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidegate_state::Hash;

use crate::{Error, LogMark};

/// Bytes of one chunk at most.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 1 << 20;

/// Version of the record encoding.
const FORMAT: u32 = 1;

const HEADER: u8 = 1;
const RECORDS: u8 = 2;
const TRAILER: u8 = 3;

/// One piece of a Raft snapshot, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotChunk {
    /// At most [`SNAPSHOT_CHUNK_BYTES_MAX`] bytes.
    pub data: Bytes,
    /// BLAKE3-256 of `data`.
    pub hash: Hash,
}

impl SnapshotChunk {
    fn new(kind: u8, content: &[u8]) -> Self {
        let data = Bytes::from([&[kind], content].concat());
        let hash = *blake3::hash(&data).as_bytes();
        Self { data, hash }
    }
}

/// What a snapshot covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) applied: Option<LogMark>,
    pub(super) membership: Option<Bytes>,
}

#[derive(Serialize, Deserialize)]
struct HeaderContent {
    format: u32,
    applied: Option<(u64, Vec<u8>)>,
    membership: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct TrailerContent {
    chunks: u64,
    root: Hash,
}

/// What one chunk, in its place, means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Header(Header),
    Records(Bytes),
    End,
}

/// Makes the chunks of one snapshot, or checks those of another, one after the other.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    chunks: u64,
    /// Hash over the hashes of all chunks so far.
    root: blake3::Hasher,
    ended: bool,
}

impl Sequence {
    pub(super) fn header(&mut self, header: &Header) -> Result<SnapshotChunk, Error> {
        let content = HeaderContent {
            format: FORMAT,
            applied: header
                .applied
                .as_ref()
                .map(|mark| (mark.index, mark.id.to_vec())),
            membership: header
                .membership
                .as_ref()
                .map(|membership| membership.to_vec()),
        };
        Ok(self.count(SnapshotChunk::new(HEADER, &encode(&content)?)))
    }

    /// `records` must leave room for the kind byte.
    pub(super) fn records(&mut self, records: &[u8]) -> SnapshotChunk {
        self.count(SnapshotChunk::new(RECORDS, records))
    }

    pub(super) fn trailer(&mut self) -> Result<SnapshotChunk, Error> {
        self.ended = true;
        let content = self.commitment();
        Ok(SnapshotChunk::new(TRAILER, &encode(&content)?))
    }

    /// Checks that `chunk` is intact and may come next.
    pub(super) fn accept(&mut self, chunk: &SnapshotChunk) -> Result<Piece, Error> {
        if chunk.data.len() > SNAPSHOT_CHUNK_BYTES_MAX {
            return Err(corrupt(format!("chunk of {} bytes", chunk.data.len())));
        }
        if blake3::hash(&chunk.data) != chunk.hash {
            return Err(corrupt(format!(
                "chunk {} does not match its hash",
                self.chunks
            )));
        }
        let (kind, content) = chunk
            .data
            .split_first()
            .ok_or_else(|| corrupt("empty chunk"))?;
        let piece = match (*kind, self.chunks, self.ended) {
            (_, _, true) => return Err(corrupt("chunk behind the end")),
            (HEADER, 0, false) => Piece::Header(decode_header(content)?),
            (RECORDS, 1.., false) => Piece::Records(chunk.data.slice(1..)),
            (TRAILER, 1.., false) => {
                let trailer: TrailerContent = decode(content)?;
                let expected = self.commitment();
                if trailer.chunks != expected.chunks || trailer.root != expected.root {
                    return Err(corrupt("chunks are missing or out of order"));
                }
                self.ended = true;
                return Ok(Piece::End);
            }
            (kind, position, false) => {
                return Err(corrupt(format!(
                    "chunk of kind {kind} at position {position}"
                )));
            }
        };
        self.chunks += 1;
        self.root.update(&chunk.hash);
        Ok(piece)
    }

    /// Whether the trailer was made or accepted.
    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }

    fn count(&mut self, chunk: SnapshotChunk) -> SnapshotChunk {
        self.chunks += 1;
        self.root.update(&chunk.hash);
        chunk
    }

    fn commitment(&self) -> TrailerContent {
        TrailerContent {
            chunks: self.chunks,
            root: *self.root.finalize().as_bytes(),
        }
    }
}

pub(super) fn corrupt(detail: impl Into<String>) -> Error {
    Error::corrupt("raft snapshot", detail)
}

fn decode_header(content: &[u8]) -> Result<Header, Error> {
    let content: HeaderContent = decode(content)?;
    if content.format != FORMAT {
        return Err(corrupt(format!(
            "format {} is unknown to this release",
            content.format
        )));
    }
    Ok(Header {
        applied: content.applied.map(|(index, id)| LogMark {
            index,
            id: id.into(),
        }),
        membership: content.membership.map(Bytes::from),
    })
}

fn encode(content: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(content).map_err(|error| corrupt(error.to_string()))
}

fn decode<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, Error> {
    postcard::from_bytes(content).map_err(|error| corrupt(error.to_string()))
}
