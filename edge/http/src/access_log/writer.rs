//! The writer thread: takes records off the queue and appends lines.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Stdout, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::mpsc::{Receiver, TryRecvError},
};

use super::{AccessLogTarget, AccessRecord};

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 64 * 1024;

/// Readable by the owner and its group: paths and addresses are personal data.
const FILE_MODE: u32 = 0o640;

/// An opened target.
pub(super) enum Output {
    Stdout(BufWriter<Stdout>),
    File {
        path: PathBuf,
        file: BufWriter<File>,
    },
}

impl Output {
    pub(super) fn open(target: AccessLogTarget) -> io::Result<Output> {
        match target {
            AccessLogTarget::Stdout => Ok(Output::Stdout(BufWriter::with_capacity(
                BUFFER_BYTES,
                io::stdout(),
            ))),
            AccessLogTarget::File(path) => {
                let file = open_file(&path)?;
                Ok(Output::File { path, file })
            }
        }
    }

    fn write(&mut self, record: &AccessRecord) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Output::Stdout(writer) => writer,
            Output::File { file, .. } => file,
        };
        serde_json::to_writer(&mut *writer, record)?;
        writer.write_all(b"\n")
    }

    /// Writes out what is gathered, then follows a file that was rotated away.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(writer) => writer.flush(),
            Output::File { path, file } => {
                file.flush()?;
                let written = file.get_ref().metadata()?;
                let same = fs::metadata(&*path).is_ok_and(|named| {
                    (named.dev(), named.ino()) == (written.dev(), written.ino())
                });
                if !same {
                    *file = open_file(path)?;
                }
                Ok(())
            }
        }
    }
}

fn open_file(path: &PathBuf) -> io::Result<BufWriter<File>> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)?;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
}

/// Writes records until every sender is gone; flushes whenever the queue runs empty.
pub(super) fn run(queue: &Receiver<Box<AccessRecord>>, mut output: Output) {
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let written = write_burst(queue, &first, &mut output);
        // A full disk fails every burst: say so once, and once more when it is over.
        match written {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("access log is written again");
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "access log cannot be written");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

fn write_burst(
    queue: &Receiver<Box<AccessRecord>>,
    first: &AccessRecord,
    output: &mut Output,
) -> io::Result<()> {
    output.write(first)?;
    loop {
        match queue.try_recv() {
            Ok(record) => output.write(&record)?,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return output.flush(),
        }
    }
}
