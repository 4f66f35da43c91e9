//! A small proxy on Pingora as a peer; `benches/pingora` holds it, outside of the workspace.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use crate::peer::{Peer, Work};

/// Where `make bench` builds it; `PINGORA` may name another program.
const PROGRAM: &str = "benches/pingora/target/release/pingora-peer";

/// Passes every request on.
pub(crate) fn proxying(upstream: SocketAddr) -> anyhow::Result<Peer> {
    let configure = move |address: SocketAddr, _root: &str| format!("{address} {upstream}");
    Peer::start("addresses", Work::Itself, configure, |file| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = std::env::var_os("PINGORA").map_or_else(|| root.join(PROGRAM), PathBuf::from);
        let mut command = Command::new(program);
        command.arg(file);
        command
    })
}
