//! nginx as the upstream and as the peer.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tempfile::TempDir;
use tidegate_testkit::eventually;

/// One nginx with one worker; ends when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Answers every request with a body of `bytes` bytes.
    pub(crate) fn answering(bytes: usize) -> anyhow::Result<Self> {
        let body = "x".repeat(bytes);
        Self::start(
            "",
            &format!("default_type text/plain; return 200 \"{body}\";"),
        )
    }

    /// Passes every request on, the way its manual recommends for speed.
    pub(crate) fn proxying(upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::start(
            &format!(
                "upstream backend {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}"
            ),
            "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";",
        )
    }

    fn start(http: &str, location: &str) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = tempfile::tempdir()?;
        let root = folder.path().display();
        let configuration = format!(
            "worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
             events {{ worker_connections 4096; }}
             http {{
               access_log off; keepalive_requests 100000000;
               client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
               {http}
               server {{ listen {address}; location / {{ {location} }} }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx is missing: make setup")?;
        let started = Self {
            address,
            child,
            _folder: folder,
        };
        eventually("nginx to listen", Duration::from_secs(10), || {
            Ok(TcpStream::connect(address).is_ok())
        })?;
        Ok(started)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The worker, which does the work; the master only waits.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        let master = self.child.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        children
            .split_whitespace()
            .next()
            .context("nginx has a worker")?
            .parse()
            .context("a pid")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SIGTERM lets the master take its worker along.
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let _ = self.child.wait();
    }
}
