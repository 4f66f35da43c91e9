//! A proxy that Tidegate is compared with, as a process that ends when it is dropped.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tempfile::TempDir;
use tidegate_testkit::eventually;

/// Time for a peer to listen.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// Which process of a peer does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// The one that was started.
    Itself,
    /// Its only child; the one that was started waits.
    Child,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    work: Work,
    child: Child,
    _folder: TempDir,
}

impl Peer {
    /// Writes `configure(address, folder)` to a file `name`, starts `command(file)` and waits until it listens.
    pub(crate) fn start(
        name: &str,
        work: Work,
        configure: impl FnOnce(SocketAddr, &str) -> String,
        command: impl FnOnce(&str) -> Command,
    ) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = tempfile::tempdir()?;
        let root = folder.path().to_str().context("a path in UTF-8")?;
        let file = format!("{root}/{name}");
        fs::write(&file, configure(address, root))?;
        let mut command = command(&file);
        let program = command.get_program().to_owned();
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} is missing: make setup", program.display()))?;
        let mut started = Self {
            address,
            work,
            child,
            _folder: folder,
        };
        eventually("the peer to listen", START_DEADLINE, || {
            if let Some(status) = started.child.try_wait()? {
                anyhow::bail!("{} ended with {status}", program.display());
            }
            Ok(TcpStream::connect(address).is_ok())
        })?;
        Ok(started)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process that does the work.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        let started = self.child.id();
        if self.work == Work::Itself {
            return Ok(started);
        }
        let children = fs::read_to_string(format!("/proc/{started}/task/{started}/children"))?;
        let first = children.split_whitespace().next();
        first.context("it has a worker")?.parse().context("a pid")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SIGTERM lets a master take its worker along.
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let _ = self.child.wait();
    }
}
