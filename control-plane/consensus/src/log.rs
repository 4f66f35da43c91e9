//! The Raft log of `tidegate-storage` behind the traits of openraft.

use std::{fmt::Debug, io, ops::RangeBounds, sync::Arc};

use openraft::{
    OptionalSend, RaftLogReader,
    storage::{IOFlushed, LogState, RaftLogStorage},
};
use tidegate_storage::{Completion, LogLimits, LogReader, LogStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    error::corrupt,
    types::{Entry, LogId, TypeConfig, Vote, decode, encode, mark},
};

/// Bytes of entries sent in one append: a quarter of the smallest message limit between nodes.
const APPEND_BYTES_MAX: usize = 1 << 20;

/// The writing side.
#[derive(Debug)]
pub(crate) struct Log {
    store: LogStore,
    reader: Reader,
    /// One permit for each write that may wait for the writer thread. A full queue blocks its caller, so the wait
    /// happens here, where it holds no thread up.
    room: Arc<Semaphore>,
}

/// The reading side.
#[derive(Debug, Clone)]
pub(crate) struct Reader(LogReader);

impl Log {
    /// `limits` are those the store was opened with.
    pub(crate) fn new(store: LogStore, limits: LogLimits) -> Self {
        let reader = Reader(store.reader());
        let room = Arc::new(Semaphore::new(limits.queue_len_max));
        Self {
            store,
            reader,
            room,
        }
    }

    /// Waits for room in the queue; the permit goes into the completion of the write.
    async fn room(&self) -> io::Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.room).acquire_owned().await;
        permit.map_err(|_closed| io::Error::other("the log is closed"))
    }
}

/// Waits until the log writer has made a write durable.
async fn durable(receiver: oneshot::Receiver<()>) -> io::Result<()> {
    receiver
        .await
        .map_err(|_stopped| io::Error::other("the log writer has stopped"))
}

fn completion(room: OwnedSemaphorePermit) -> (Completion, oneshot::Receiver<()>) {
    let (done, receiver) = oneshot::channel();
    let completion = move || {
        drop(room);
        // The waiting side may be gone when the node stops.
        let _ = done.send(());
    };
    (Box::new(completion), receiver)
}

impl Reader {
    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let entries = self.0.entries(start..end, bytes_max)?;
        let decoded = entries.iter().map(|(index, bytes)| {
            decode(bytes).map_err(|error| corrupt(&format!("log entry {index}"), &error))
        });
        decoded.collect()
    }
}

impl RaftLogReader<TypeConfig> for Reader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        let vote = self.0.vote();
        vote.map(|bytes| decode(&bytes).map_err(|error| corrupt("vote", &error)))
            .transpose()
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, APPEND_BYTES_MAX)
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    use std::ops::Bound;

    let start = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Reader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let last_purged_log_id = match self.reader.0.purged() {
            Some(mark) => Some(decode(&mark.id).map_err(|error| corrupt("purged log id", &error))?),
            None => None,
        };
        let last_log_id = match self.reader.0.last()? {
            Some((index, bytes)) => {
                let entry: Entry = decode(&bytes)
                    .map_err(|error| corrupt(&format!("log entry {index}"), &error))?;
                Some(entry.log_id)
            }
            None => last_purged_log_id,
        };
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> Reader {
        self.reader.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let bytes = encode(vote).map_err(|error| corrupt("vote", &error))?;
        let (done, receiver) = completion(self.room().await?);
        self.store.save_vote(bytes.into(), done)?;
        durable(receiver).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(committed) = committed else {
            return Ok(());
        };
        let bytes = encode(&committed).map_err(|error| corrupt("committed log id", &error))?;
        let room = self.room().await?;
        Ok(self
            .store
            .save_committed(bytes.into(), Box::new(move || drop(room)))?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        let committed = self.reader.0.committed();
        committed
            .map(|bytes| decode(&bytes).map_err(|error| corrupt("committed log id", &error)))
            .transpose()
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut first = None;
        let mut encoded = Vec::new();
        for entry in entries {
            first.get_or_insert(entry.log_id.index);
            let bytes = encode(&entry).map_err(|error| corrupt("log entry", &error))?;
            encoded.push(bytes.into());
        }
        let Some(first) = first else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        let room = self.room().await?;
        let done: Completion = Box::new(move || {
            drop(room);
            callback.io_completed(Ok(()));
        });
        Ok(self.store.append(first, encoded, done)?)
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |log_id| log_id.index + 1);
        let (done, receiver) = completion(self.room().await?);
        self.store.truncate(from, done)?;
        durable(receiver).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let purged = mark(&log_id).map_err(|error| corrupt("purged log id", &error))?;
        let (done, receiver) = completion(self.room().await?);
        self.store.purge(purged, done)?;
        durable(receiver).await
    }
}
