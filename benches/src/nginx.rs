//! nginx as the upstream and as a peer.

use std::{net::SocketAddr, process::Command};

use crate::peer::{Peer, Work};

/// Answers every request with a body of `bytes` bytes.
pub(crate) fn answering(bytes: usize) -> anyhow::Result<Peer> {
    let body = "x".repeat(bytes);
    start(
        "",
        &format!("default_type text/plain; return 200 \"{body}\";"),
    )
}

/// Passes every request on, the way its manual recommends for speed.
pub(crate) fn proxying(upstream: SocketAddr) -> anyhow::Result<Peer> {
    start(
        &format!(
            "upstream backend {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}"
        ),
        "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";",
    )
}

fn start(http: &str, location: &str) -> anyhow::Result<Peer> {
    let configure = |address: SocketAddr, root: &str| {
        format!(
            "worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
             events {{ worker_connections 4096; }}
             http {{
               access_log off; keepalive_requests 100000000;
               client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
               {http}
               server {{ listen {address}; location / {{ {location} }} }}
             }}"
        )
    };
    Peer::start("nginx.conf", Work::Child, configure, |file| {
        let mut command = Command::new("nginx");
        command.args(["-c", file]);
        command
    })
}
