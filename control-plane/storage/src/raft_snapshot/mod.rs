//! Raft snapshots: the whole replicated state at one position, as a verifiable file.
//!
//! A snapshot is a sequence of chunks, each with its own BLAKE3 hash: a header (position and
//! membership), the records of all tables in key order, and a trailer that commits to number and
//! order of the chunks. The same chunks are stored, sent and received, so a received file equals
//! the sender's. A file is named after the position it covers; the newest one counts.

mod chunk;
mod file;
mod record;
mod store;

#[cfg(test)]
mod tests;

pub use self::{
    chunk::{SNAPSHOT_CHUNK_BYTES_MAX, SnapshotChunk},
    file::{IncomingSnapshot, RaftSnapshot, SnapshotChunks},
    store::SnapshotStore,
};
