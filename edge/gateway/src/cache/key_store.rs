//! Where the key of the cache comes from. A file today; a TPM or KMS fits behind the same trait.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::disk::{Disk, replace};

/// Length of the key in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// The key of the cache; wiped when dropped.
pub(crate) type CacheKey = Zeroizing<[u8; KEY_BYTES]>;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyStoreError {
    /// The key cannot be read or written.
    #[error("the cache key {path} cannot be read or written")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is not a key.
    #[error("the cache key {path} must be {KEY_BYTES} bytes long, found {found}")]
    WrongLength { path: PathBuf, found: usize },
    /// Somebody else may read the key.
    #[error("the cache key {path} must be readable by its owner only (mode 0600)")]
    TooOpen { path: PathBuf },
    /// The system gives no randomness.
    #[error("no randomness for a new cache key")]
    NoRandomness,
}

/// Gives the key under which everything in the cache directory is sealed.
pub(crate) trait KeyStore {
    /// The key, made on first use.
    fn cache_key(&self) -> Result<CacheKey, KeyStoreError>;
}

/// A key in a file of mode 0600, next to the cache but not inside it.
#[derive(Debug)]
pub(crate) struct KeyFile<'a> {
    pub(crate) path: PathBuf,
    pub(crate) disk: &'a dyn Disk,
}

impl KeyStore for KeyFile<'_> {
    fn cache_key(&self) -> Result<CacheKey, KeyStoreError> {
        let failed = |source| KeyStoreError::Io {
            path: self.path.clone(),
            source,
        };
        match fs::read(&self.path) {
            Ok(bytes) => {
                refuse_open_file(&self.path)?;
                let bytes = Zeroizing::new(bytes);
                let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_wrong| {
                    KeyStoreError::WrongLength {
                        path: self.path.clone(),
                        found: bytes.len(),
                    }
                })?;
                Ok(Zeroizing::new(key))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                SystemRandom::new()
                    .fill(key.as_mut_slice())
                    .map_err(|_unspecified| KeyStoreError::NoRandomness)?;
                replace(self.disk, &self.path, key.as_slice()).map_err(failed)?;
                Ok(key)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(unix)]
fn refuse_open_file(path: &Path) -> Result<(), KeyStoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| KeyStoreError::Io {
        path: path.to_owned(),
        source,
    })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyStoreError::TooOpen {
            path: path.to_owned(),
        })
    }
}

#[cfg(not(unix))]
fn refuse_open_file(_path: &Path) -> Result<(), KeyStoreError> {
    Ok(())
}
