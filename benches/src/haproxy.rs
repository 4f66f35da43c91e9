//! HAProxy as a peer.

use std::{net::SocketAddr, process::Command};

use crate::peer::{Peer, Work};

/// Passes every request on over connections that all clients share.
pub(crate) fn proxying(upstream: SocketAddr) -> anyhow::Result<Peer> {
    let configure = |address: SocketAddr, _root: &str| {
        format!(
            "global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 3s
  timeout client 60s
  timeout server 10s
  http-reuse always
frontend clients
  bind {address}
  default_backend backend
backend backend
  server upstream {upstream} pool-max-conn 128
"
        )
    };
    Peer::start("haproxy.cfg", Work::Itself, configure, |file| {
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f", file]);
        command
    })
}
