//! Small sealed files: the floor, and what an edge needs to verify and to check keys offline.

use std::{fs, io, path::Path};

use prost::Message;
use tidegate_sync::edge::{Floors, Position};

use super::{
    disk::{Disk, replace},
    seal::{SealError, Sealer},
};

/// No sealed file is larger: a chain of 64 keysets and 16 floors stay far below.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a sealed file gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealedFileError {
    /// There is none.
    #[error("the file does not exist")]
    Missing,
    /// It was changed or sealed under another key.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// It opens, but holds something else.
    #[error("the file is malformed")]
    Malformed,
    /// The disk failed.
    #[error("the file cannot be read or written")]
    Io(#[source] io::Error),
}

/// The floors as stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StoredFloors {
    #[prost(message, repeated, tag = "1")]
    views: Vec<StoredFloor>,
    #[prost(uint64, tag = "2")]
    keyset_version: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct StoredFloor {
    #[prost(string, tag = "1")]
    view_id: String,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(bytes = "vec", tag = "4")]
    root: Vec<u8>,
}

/// Keysets and the key of API-key hashes.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StoredSecrets {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) pepper: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) keysets: Vec<StoredKeyset>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StoredKeyset {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) keyset: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) signatures: Vec<StoredSignature>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StoredSignature {
    #[prost(string, tag = "1")]
    pub(crate) key_id: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) signature: Vec<u8>,
}

impl StoredFloors {
    pub(crate) fn of(floors: &Floors) -> Self {
        let views = floors
            .views()
            .map(|(view_id, position)| StoredFloor {
                view_id: view_id.to_owned(),
                epoch: position.epoch,
                revision: position.revision,
                root: position.root.to_vec(),
            })
            .collect();
        Self {
            views,
            keyset_version: floors.keyset_version(),
        }
    }

    pub(crate) fn restore(self) -> Result<Floors, SealedFileError> {
        let views = self
            .views
            .into_iter()
            .map(|floor| {
                let root = floor
                    .root
                    .try_into()
                    .map_err(|_length| SealedFileError::Malformed)?;
                let position = Position {
                    epoch: floor.epoch,
                    revision: floor.revision,
                    root,
                };
                Ok((floor.view_id, position))
            })
            .collect::<Result<_, SealedFileError>>()?;
        Ok(Floors::restore(views, self.keyset_version))
    }
}

/// Seals `message` and replaces the file as a whole.
pub(crate) fn write_sealed(
    disk: &dyn Disk,
    sealer: &Sealer,
    path: &Path,
    message: &impl Message,
) -> Result<(), SealedFileError> {
    let sealed = sealer.seal(&context(path), &message.encode_to_vec())?;
    replace(disk, path, &sealed).map_err(SealedFileError::Io)
}

/// Opens what [`write_sealed`] wrote under the same name.
pub(crate) fn read_sealed<M: Message + Default>(
    sealer: &Sealer,
    path: &Path,
) -> Result<M, SealedFileError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SealedFileError::Missing);
        }
        Err(error) => return Err(SealedFileError::Io(error)),
    };
    if length > FILE_BYTES_MAX {
        return Err(SealedFileError::Malformed);
    }
    let sealed = fs::read(path).map_err(SealedFileError::Io)?;
    let plain = sealer.open(&context(path), &sealed)?;
    M::decode(plain.as_slice()).map_err(|_bad| SealedFileError::Malformed)
}

/// The file name is authenticated, so that one file cannot stand in for another.
fn context(path: &Path) -> Vec<u8> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    [b"tidegate/cache/v1/", name.unwrap_or_default().as_bytes()].concat()
}
