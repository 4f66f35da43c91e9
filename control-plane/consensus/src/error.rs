//! What can go wrong between a caller and the cluster.

use std::io;

/// A node that could not be started or steered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("cannot open the storage")]
    Storage(#[from] tidegate_storage::Error),
    /// The certificates for peers cannot be used.
    #[error("unusable certificates for the raft port: {0}")]
    Tls(String),
    /// Settings that consensus refuses.
    #[error("invalid consensus settings: {0}")]
    Settings(String),
    /// Consensus has stopped.
    #[error("consensus has stopped: {0}")]
    Stopped(String),
    /// The cluster exists with other members, or this node is none of them.
    #[error("cannot form the cluster: {0}")]
    Form(String),
    /// Leadership could not be moved.
    #[error("leadership was not moved: {0}")]
    Transfer(String),
}

/// A transaction without a known good outcome.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// No leader was found in time; nothing was proposed.
    #[error("no leader")]
    NoLeader,
    /// The time is up and the outcome unknown; a retry with the same idempotency key is safe.
    #[error("not confirmed in time, the outcome is unknown")]
    Timeout,
    /// The transaction is larger than the log takes.
    #[error("transaction of {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The transaction, or the level it sets, is of a newer release: replicas could not apply it.
    #[error("needs feature level {needed}, this release has {supported}")]
    LevelTooNew {
        /// Level needed.
        needed: u32,
        /// Level of this release.
        supported: u32,
    },
    /// The leader does not take the transaction, for instance because its release is older.
    #[error("refused by the leader: {0}")]
    Refused(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Shutdown,
    /// A defect: an answer nobody understands.
    #[error("unreadable reply: {0}")]
    Reply(#[from] tidegate_state::DecodeError),
}

/// A read that could not be made linearizable.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No leader was found in time.
    #[error("no leader")]
    NoLeader,
    /// The time is up.
    #[error("not confirmed in time")]
    Timeout,
    /// The node is stopping.
    #[error("the node is stopping")]
    Shutdown,
}

/// Bytes that are none of ours, as the storage traits of openraft report errors.
pub(crate) fn corrupt(what: &str, error: &dyn std::error::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {error}"))
}
