//! Where `tidegate dev` keeps each file, and the lock that keeps two of them apart.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{connection::write_private, failure::Failure, output::pretty};

/// The data directory of one local system, locked while this value lives.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    _lock: File,
}

impl Layout {
    /// Creates the directory if needed and takes its lock.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let explain = |error| Failure::refused(format!("cannot use {}: {error}", root.display()));
        fs::create_dir_all(root.join("logs")).map_err(explain)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(explain)?;
        let root = root.canonicalize().map_err(explain)?;
        let lock = File::create(root.join("lock")).map_err(explain)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::refused(format!(
                "another `tidegate dev` runs in {}: stop it, or give --data-dir or --ephemeral",
                root.display()
            ))),
            Err(TryLockError::Error(error)) => Err(explain(error)),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn node(&self, number: usize) -> PathBuf {
        self.root.join(format!("control-{number}"))
    }

    pub(super) fn edge(&self, number: usize) -> PathBuf {
        self.root.join(format!("edge-{number}"))
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.root.join("dev.json")
    }

    pub(super) fn endpoints(&self) -> PathBuf {
        self.root.join("endpoints.json")
    }

    pub(super) fn ca_certificate(&self) -> PathBuf {
        self.root.join("pki").join("ca.pem")
    }

    pub(super) fn ca_key(&self) -> PathBuf {
        self.root.join("pki").join("ca.key")
    }

    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.root.join("pki").join(format!("{name}.pem"))
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.root.join("pki").join(format!("{name}.key"))
    }

    pub(super) fn signing_key(&self) -> PathBuf {
        self.root.join("pki").join("signing.key")
    }

    pub(super) fn trust_pin(&self) -> PathBuf {
        self.root.join("pki").join("trust.pin")
    }

    pub(super) fn admin_token(&self) -> PathBuf {
        self.root.join("admin-token")
    }

    pub(super) fn edge_token(&self) -> PathBuf {
        self.root.join("edge-token")
    }

    /// Publishes the addresses; the file appears whole, once everything is ready.
    pub(super) fn write_endpoints(&self, endpoints: &Value) -> Result<(), Failure> {
        write_private(&self.endpoints(), pretty(endpoints).as_bytes())
    }

    /// Withdraws the addresses, so that nobody takes a stopped system for a running one.
    pub(super) fn forget_endpoints(&self) {
        // Missing when the start failed; then there is nothing to withdraw.
        let _ = fs::remove_file(self.endpoints());
    }

    pub(super) fn sample_was_deployed(&self) -> bool {
        self.sample_marker().exists()
    }

    pub(super) fn remember_sample(&self) -> Result<(), Failure> {
        Ok(fs::write(self.sample_marker(), "")?)
    }

    fn sample_marker(&self) -> PathBuf {
        self.root.join("sample-deployed")
    }
}
