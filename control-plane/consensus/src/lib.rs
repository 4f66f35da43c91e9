//! Consensus of the control plane: the only crate that sees openraft.
//!
//! The rest of the program knows [`Consensus`]: propose a transaction, wait until a read is linearizable, follow what
//! was applied, hand over leadership. Rules live in `tidegate-state`, bytes on disk in `tidegate-storage`.
//!
//! ```text
//!   propose ─► leader? ─no─► Forward over mutual TLS ─► propose on the leader
//!                 │yes
//!                 ▼
//!   openraft ─► log adapter ─► fsync on a quorum ─► state machine adapter ─► apply, one batch ─► reply, events
//! ```
//!
//! Supervision is crash-only: a consensus task that dies, a write that fails or an entry that cannot be understood ends
//! the process within a second. What is in the log is never skipped.

#![warn(missing_docs)]

mod admission;
mod error;
mod handle;
mod log;
mod network;
mod options;
mod peers;
mod propose;
mod read_index;
mod service;
mod state_machine;
mod status;
#[cfg(test)]
mod storage_suite_tests;
mod supervise;
mod types;

pub use error::{Error, ProposeError, ReadError};
pub use handle::Consensus;
pub use options::{Member, Options, PeerTls, Timing};
pub use state_machine::AppliedBatch;
pub use status::Status;
pub use tidegate_storage::{StateDb, StateView};
