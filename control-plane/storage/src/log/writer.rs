//! The thread that makes the log durable: everything queued becomes one batch and one fsync.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use rocksdb::{WriteBatch, WriteOptions};

use super::{COMMITTED, Completion, ENTRIES, META, PURGED, Shared, VOTE, family};
use crate::{Error, LogMark, durable};

/// Commands one batch takes at most; the rest waits for the next fsync.
const BATCH_LEN_MAX: usize = 1024;
/// Entry bytes at which a batch is closed, so that one fsync stays in the milliseconds.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Sorts behind every entry key.
const BEHIND_ALL_ENTRIES: [u8; 9] = [0xff; 9];

/// One write to the log.
pub(super) enum Command {
    Append {
        generation: u64,
        first: u64,
        entries: Vec<Bytes>,
        done: Completion,
    },
    Vote {
        vote: Bytes,
        done: Completion,
    },
    Committed {
        committed: Bytes,
        done: Completion,
    },
    Truncate {
        generation: u64,
        from: u64,
        done: Completion,
    },
    Purge {
        purged: LogMark,
        done: Completion,
    },
}

impl Command {
    fn entry_bytes(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.iter().map(Bytes::len).sum(),
            Self::Vote { .. }
            | Self::Committed { .. }
            | Self::Truncate { .. }
            | Self::Purge { .. } => 0,
        }
    }

    /// Whether someone relies on this write surviving a power cut.
    ///
    /// A purge needs it because files are deleted right after.
    fn needs_sync(&self) -> bool {
        match self {
            Self::Append { entries, .. } => !entries.is_empty(),
            Self::Vote { .. } | Self::Truncate { .. } | Self::Purge { .. } => true,
            Self::Committed { .. } => false,
        }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    commands: Receiver<Command>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, commands: Receiver<Command>) -> Self {
        Self { shared, commands }
    }

    pub(super) fn start(self) -> Result<JoinHandle<()>, Error> {
        thread::Builder::new()
            .name("raft-log".to_owned())
            .spawn(move || self.run())
            .map_err(|source: io::Error| {
                durable::file_error("start the writer of", Path::new("raft log"))(source)
            })
    }

    /// Writes until the owner of the log is dropped and the queue is empty.
    fn run(self) {
        while let Ok(first) = self.commands.recv() {
            let group = self.gather(first);
            if let Err(error) = self.write(&group) {
                durable::end_process("writing the raft log", &error);
            }
            for command in group {
                self.finish(command);
            }
        }
    }

    /// Takes everything that waits, within the limits of one batch.
    fn gather(&self, first: Command) -> Vec<Command> {
        let mut bytes = first.entry_bytes();
        let mut group = vec![first];
        while group.len() < BATCH_LEN_MAX && bytes < BATCH_BYTES_MAX {
            match self.commands.try_recv() {
                Ok(command) => {
                    bytes += command.entry_bytes();
                    group.push(command);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        group
    }

    fn write(&self, group: &[Command]) -> Result<(), Error> {
        let entries_family = family(&self.shared.db, ENTRIES)?;
        let meta_family = family(&self.shared.db, META)?;
        let mut batch = WriteBatch::default();
        let mut entries_written = 0;
        for command in group {
            match command {
                Command::Append { first, entries, .. } => {
                    for (index, entry) in (*first..).zip(entries) {
                        batch.put_cf(&entries_family, index.to_be_bytes(), entry);
                    }
                    entries_written += entries.len() as u64;
                }
                Command::Vote { vote, .. } => batch.put_cf(&meta_family, VOTE, vote),
                Command::Committed { committed, .. } => {
                    batch.put_cf(&meta_family, COMMITTED, committed);
                }
                Command::Truncate { from, .. } => batch.delete_range_cf(
                    &entries_family,
                    from.to_be_bytes().as_slice(),
                    BEHIND_ALL_ENTRIES.as_slice(),
                ),
                Command::Purge { purged, .. } => {
                    batch.delete_range_cf(
                        &entries_family,
                        0_u64.to_be_bytes(),
                        (purged.index + 1).to_be_bytes(),
                    );
                    batch.put_cf(&meta_family, PURGED, purged.encode());
                }
            }
        }
        let sync = group.iter().any(Command::needs_sync);
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.shared.db.write_opt(batch, &options)?;
        self.shared
            .syncs
            .fetch_add(u64::from(sync), Ordering::Relaxed);
        self.shared
            .entries
            .fetch_add(entries_written, Ordering::Relaxed);
        Ok(())
    }

    /// Makes a durable command visible and tells whoever waits for it.
    fn finish(&self, command: Command) {
        match command {
            Command::Append {
                generation,
                first,
                entries,
                done,
            } => {
                let next = first + entries.len() as u64;
                if !entries.is_empty() {
                    self.shared.tail.write().written(generation, next);
                }
                done();
            }
            Command::Vote { vote, done } => {
                *self.shared.vote.write() = Some(vote);
                done();
            }
            Command::Committed { done, .. } => done(),
            Command::Truncate {
                generation,
                from,
                done,
            } => {
                self.shared.tail.write().written(generation, from);
                done();
            }
            Command::Purge { purged, done } => {
                self.drop_purged_files(&purged);
                done();
            }
        }
    }

    /// Gives the space of purged entries back at once instead of at the next compaction.
    fn drop_purged_files(&self, purged: &LogMark) {
        let dropped = family(&self.shared.db, ENTRIES).and_then(|entries| {
            let end = (purged.index + 1).to_be_bytes();
            Ok(self
                .shared
                .db
                .delete_file_in_range_cf(&entries, 0_u64.to_be_bytes(), end)?)
        });
        if let Err(error) = dropped {
            tracing::warn!(%error, "purged log files not dropped");
        }
    }
}
