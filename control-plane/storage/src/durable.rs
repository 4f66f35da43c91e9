//! File-system steps that survive a power cut, and the end of the process when they fail.

use std::{
    error::Error as StdError,
    fs::{self, File},
    io,
    path::Path,
    process,
};

use crate::Error;

/// Logs why storage can no longer be trusted and aborts the process.
///
/// After a failed write or fsync the kernel may have dropped the dirty pages, so a retry that
/// succeeds proves nothing; only a restart that reads back what is really on disk does.
pub fn end_process(activity: &'static str, error: &dyn StdError) -> ! {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(activity, error = causes, "storage failed, the process ends");
    process::abort();
}

/// Attaches the path and the verb to an error of the operating system.
pub(crate) fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Makes the entries of a directory (creations, renames, deletions) durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(file_error("sync", path))
}

/// Makes every file below `path`, and the directories themselves, durable.
pub(crate) fn sync_tree(path: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(path).map_err(file_error("list", path))? {
        let entry = entry.map_err(file_error("list", path))?;
        let child = entry.path();
        if entry
            .file_type()
            .map_err(file_error("inspect", &child))?
            .is_dir()
        {
            sync_tree(&child)?;
        } else {
            File::open(&child)
                .and_then(|file| file.sync_all())
                .map_err(file_error("sync", &child))?;
        }
    }
    sync_directory(path)
}

/// Gives `from` the name `to` atomically and durably; both must have the same parent.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(file_error("rename", from))?;
    match to.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Creates `path` and its parents, and makes the creation durable.
pub(crate) fn create_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(file_error("create", path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => Ok(()),
    }
}

/// Removes a directory tree; one that does not exist is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(file_error("remove", path)),
    }
}

/// Removes a file; one that does not exist is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(file_error("remove", path)),
    }
}
