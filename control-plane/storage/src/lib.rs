//! Durable state of one control-plane node: the Raft log, the replicated tables and Raft snapshots.
//!
//! Two RocksDB instances, so that the fsync of the log never waits for a flush of the tables:
//! `<data>/log` ([`LogStore`]) and `<data>/state` ([`StateDb`]); Raft snapshots are plain files in
//! `<data>/snapshots` ([`SnapshotStore`]). No rule about the content lives here, and nothing here
//! knows the consensus protocol: log entries, log ids and memberships are opaque bytes.
//!
//! A write or fsync that fails leaves memory and disk in an unknown relation, so it ends the
//! process ([`end_process`]) instead of being reported; reads report their errors.

#![warn(missing_docs)]

mod crash_point;
mod durable;
mod error;
mod log;
mod mark;
mod raft_snapshot;
mod state;

pub use durable::end_process;
pub use error::Error;
pub use log::{Completion, LogLimits, LogReader, LogStats, LogStore};
pub use mark::LogMark;
pub use raft_snapshot::{
    IncomingSnapshot, RaftSnapshot, SNAPSHOT_CHUNK_BYTES_MAX, SnapshotChunk, SnapshotChunks,
    SnapshotStore,
};
pub use state::{Commit, StateDb, StateView};
