//! What can go wrong with the storage of a node.

use std::{io, path::PathBuf};

/// A storage operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RocksDB reported an error: I/O, a full disk, or a failed checksum.
    #[error("database operation failed")]
    Database(#[from] rocksdb::Error),

    /// A file or directory of the data directory could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The verb that failed, for example "open".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// Stored or received bytes do not have the shape they must have.
    #[error("corrupt {what}: {detail}")]
    Corrupt {
        /// The thing that was read, for example "raft snapshot".
        what: &'static str,
        /// What about it is wrong.
        detail: String,
    },

    /// Log entries must follow each other without a gap.
    #[error("log entry {found} does not follow the log, which needs entry {expected} next")]
    Gap {
        /// The index that had to come next.
        expected: u64,
        /// The index that came.
        found: u64,
    },

    /// The thread that writes the log has ended, because the process is shutting down.
    #[error("the log writer has stopped")]
    WriterStopped,
}

impl Error {
    pub(crate) fn corrupt(what: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt {
            what,
            detail: detail.into(),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
