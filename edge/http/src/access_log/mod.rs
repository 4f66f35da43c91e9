//! One JSON line per answered request, written by a thread of its own.
//!
//! A worker hands a finished [`AccessRecord`] over a bounded queue and goes on; when the writer is
//! behind, records are dropped and counted. Records never hold keys, header values or bodies.

mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fmt, io,
    path::PathBuf,
    sync::mpsc::{self, SyncSender, TrySendError},
    thread,
};

pub use record::AccessRecord;

/// Records the queue holds: half a second of 100,000 requests a second would be more than a disk
/// stall should cost in memory, a twentieth is a few megabytes.
const QUEUE_RECORDS_MAX: usize = 4096;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output.
    Stdout,
    /// Appended to a file, which is created with mode 0640 if missing. The file is opened again
    /// when it was moved or removed, so that log rotation needs no signal.
    File(PathBuf),
}

/// The sending side, one clone per worker. The writer thread ends when the last clone is gone.
#[derive(Clone)]
pub struct AccessLog {
    records: SyncSender<Box<AccessRecord>>,
}

/// The writer of an access log. Waits for the last records in [`AccessLogWriter::join`].
#[derive(Debug)]
pub struct AccessLogWriter(thread::JoinHandle<()>);

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access log is behind")]
pub struct Dropped;

impl AccessLog {
    /// Opens the target and starts the writer.
    ///
    /// # Errors
    /// The file cannot be opened or the thread cannot be started.
    pub fn start(target: AccessLogTarget) -> io::Result<(AccessLog, AccessLogWriter)> {
        let output = writer::Output::open(target)?;
        let (records, queue) = mpsc::sync_channel(QUEUE_RECORDS_MAX);
        let thread = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer::run(&queue, output))?;
        Ok((AccessLog { records }, AccessLogWriter(thread)))
    }

    /// Hands a record to the writer; never blocks.
    ///
    /// # Errors
    /// The queue is full or the writer is gone; the record is lost and should be counted.
    pub fn record(&self, record: Box<AccessRecord>) -> Result<(), Dropped> {
        self.records.try_send(record).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Dropped,
        })
    }
}

impl AccessLogWriter {
    /// Waits until every record handed over is written. Call it when no [`AccessLog`] is left.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("access log writer panicked");
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").finish_non_exhaustive()
    }
}
