//! Raft snapshots as files: a magic number, then per chunk its length (4 bytes, big-endian), its
//! hash and its data.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{BufWriter, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use tidegate_state::Hash;

use super::chunk::{Header, Piece, SNAPSHOT_CHUNK_BYTES_MAX, Sequence, SnapshotChunk, corrupt};
use crate::{Error, LogMark, durable};

const MAGIC: &[u8; 8] = b"TGSNAP\x00\x01";
const HASH_BYTES: usize = 32;
const FRAME_PREFIX_BYTES: usize = 4 + HASH_BYTES;

/// A complete Raft snapshot on disk; readable for as long as the handle lives, even after a newer
/// snapshot has replaced the file.
#[derive(Clone)]
pub struct RaftSnapshot {
    path: PathBuf,
    file: Arc<File>,
    header: Header,
}

impl fmt::Debug for RaftSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RaftSnapshot")
            .field("path", &self.path)
            .field("applied", &self.header.applied)
            .finish_non_exhaustive()
    }
}

impl RaftSnapshot {
    /// Opens a file and reads its header; the rest is verified when it is read.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = Arc::new(File::open(path).map_err(durable::file_error("open", path))?);
        let mut chunks = SnapshotChunks::new(path.to_owned(), Arc::clone(&file))?;
        match chunks.read()? {
            Some((_, Piece::Header(header))) => Ok(Self {
                path: path.to_owned(),
                file,
                header,
            }),
            _other => Err(corrupt("no header")),
        }
    }

    /// The last log position the snapshot covers; none for an empty state.
    #[must_use]
    pub fn applied(&self) -> Option<&LogMark> {
        self.header.applied.as_ref()
    }

    /// The membership at that position; opaque here.
    #[must_use]
    pub fn membership(&self) -> Option<&Bytes> {
        self.header.membership.as_ref()
    }

    /// The chunks in order, each verified; the iterator ends after the first error.
    ///
    /// # Errors
    /// Fails when the file cannot be read or is no snapshot.
    pub fn chunks(&self) -> Result<SnapshotChunks, Error> {
        SnapshotChunks::new(self.path.clone(), Arc::clone(&self.file))
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn at(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }
}

/// The chunks of a Raft snapshot, in order.
#[derive(Debug)]
pub struct SnapshotChunks {
    path: PathBuf,
    file: Arc<File>,
    offset: u64,
    sequence: Sequence,
    failed: bool,
}

impl SnapshotChunks {
    fn new(path: PathBuf, file: Arc<File>) -> Result<Self, Error> {
        let mut magic = [0; MAGIC.len()];
        file.read_exact_at(&mut magic, 0)
            .map_err(durable::file_error("read", &path))?;
        if magic != *MAGIC {
            return Err(corrupt("not a snapshot file"));
        }
        let offset = MAGIC.len() as u64;
        Ok(Self {
            path,
            file,
            offset,
            sequence: Sequence::default(),
            failed: false,
        })
    }

    /// The next chunk with its meaning; none behind the trailer.
    pub(super) fn read(&mut self) -> Result<Option<(SnapshotChunk, Piece)>, Error> {
        if self.sequence.is_complete() {
            return Ok(None);
        }
        let mut prefix = [0; FRAME_PREFIX_BYTES];
        self.fill(&mut prefix)?;
        let (length, hash) = prefix.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
        if length > SNAPSHOT_CHUNK_BYTES_MAX {
            return Err(corrupt(format!("chunk of {length} bytes")));
        }
        let hash = Hash::try_from(hash).unwrap_or_default();
        let mut data = vec![0; length];
        self.fill(&mut data)?;
        let chunk = SnapshotChunk {
            data: data.into(),
            hash,
        };
        let piece = self.sequence.accept(&chunk)?;
        Ok(Some((chunk, piece)))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.file
            .read_exact_at(buffer, self.offset)
            .map_err(durable::file_error("read", &self.path))?;
        self.offset += buffer.len() as u64;
        Ok(())
    }
}

impl Iterator for SnapshotChunks {
    type Item = Result<SnapshotChunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read();
        self.failed = next.is_err();
        next.map(|read| read.map(|(chunk, _)| chunk)).transpose()
    }
}

/// Writes chunks to a file that is removed again unless it becomes complete.
pub(super) struct FileWriter {
    path: PathBuf,
    file: BufWriter<File>,
    keep: bool,
}

impl FileWriter {
    pub(super) fn create(path: PathBuf) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(durable::file_error("create", &path))?;
        let mut writer = Self {
            path,
            file: BufWriter::with_capacity(1 << 20, file),
            keep: false,
        };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    pub(super) fn chunk(&mut self, chunk: &SnapshotChunk) -> Result<(), Error> {
        let length = u32::try_from(chunk.data.len()).map_err(|_size| corrupt("chunk too large"))?;
        self.write(&length.to_be_bytes())?;
        self.write(&chunk.hash)?;
        self.write(&chunk.data)
    }

    /// Makes the file durable and opens it.
    pub(super) fn finish(mut self) -> Result<RaftSnapshot, Error> {
        self.file
            .flush()
            .map_err(durable::file_error("write", &self.path))?;
        self.file
            .get_ref()
            .sync_all()
            .map_err(durable::file_error("sync", &self.path))?;
        let snapshot = RaftSnapshot::open(&self.path)?;
        self.keep = true;
        Ok(snapshot)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(durable::file_error("write", &self.path))
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = durable::remove_file(&self.path)
        {
            tracing::warn!(%error, "unfinished raft snapshot not removed");
        }
    }
}

/// A Raft snapshot that is being received.
///
/// Dropping it before [`IncomingSnapshot::finish`] removes what was received.
pub struct IncomingSnapshot {
    writer: FileWriter,
    sequence: Sequence,
    bytes_left: u64,
}

impl fmt::Debug for IncomingSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IncomingSnapshot")
            .field("path", &self.writer.path)
            .finish_non_exhaustive()
    }
}

impl IncomingSnapshot {
    pub(super) fn create(path: PathBuf, bytes_max: u64) -> Result<Self, Error> {
        Ok(Self {
            writer: FileWriter::create(path)?,
            sequence: Sequence::default(),
            bytes_left: bytes_max,
        })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is damaged, out of order or over the size limit;
    /// [`Error::File`] when it cannot be written.
    pub fn push(&mut self, chunk: &SnapshotChunk) -> Result<(), Error> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(chunk.data.len() as u64)
            .ok_or_else(|| corrupt("larger than this node accepts"))?;
        self.sequence.accept(chunk)?;
        self.writer.chunk(chunk)
    }

    /// Makes the snapshot durable.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when chunks are missing, [`Error::File`] when the disk refuses.
    pub fn finish(self) -> Result<RaftSnapshot, Error> {
        if !self.sequence.is_complete() {
            return Err(corrupt("the last chunk is missing"));
        }
        self.writer.finish()
    }
}
