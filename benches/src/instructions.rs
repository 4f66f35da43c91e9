//! How many instructions a request costs the edge: a number that noise on the machine does not change.
//!
//! callgrind counts two runs that differ only in their number of requests, so that what starting costs
//! falls out of the difference. The edge runs without a control plane (`edge/http/examples/gateway.rs`).

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tidegate_testkit::eventually;

use crate::{BODY_BYTES, nginx};

/// Requests of the two runs.
const FEW: u64 = 200;
const MANY: u64 = 1_200;
/// Time the edge gets to start; valgrind makes it fifty times slower.
const START: Duration = Duration::from_secs(60);

/// Prints the instructions of one request through a keyless pass-through API.
pub(crate) fn count() -> anyhow::Result<()> {
    let gateway = std::env::current_exe()?.with_file_name("examples/gateway");
    ensure!(
        gateway.is_file(),
        "{} is missing: cargo build --release -p tidegate-edge-http --example gateway",
        gateway.display()
    );
    let upstream = nginx::answering(BODY_BYTES)?;
    let folder = tempfile::tempdir()?;
    let definition = folder.path().join("plain.json");
    fs::write(&definition, pass_through(upstream.address()))?;
    let few = instructions(&gateway, &definition, FEW)?;
    let many = instructions(&gateway, &definition, MANY)?;
    let each = many.saturating_sub(few) / (MANY - FEW);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "keyless pass-through, 1 KiB: {each} instructions per request"
    )?;
    Ok(())
}

/// Instructions of a whole run that serves `requests` requests.
fn instructions(gateway: &Path, definition: &Path, requests: u64) -> anyhow::Result<u64> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let profile = definition.with_file_name(format!("callgrind.{requests}"));
    let mut edge = Counted::start(gateway, definition, address, &profile)?;
    eventually("the edge to listen", START, || {
        Ok(TcpStream::connect(address).is_ok())
    })?;
    ask(address, requests)?;
    edge.stop()?;
    let text = fs::read_to_string(&profile).context("callgrind wrote no profile")?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let totals = totals.context("the profile has no totals")?;
    totals.trim().parse().context("the totals are a number")
}

/// An edge under callgrind; killed when dropped.
struct Counted(Child);

impl Counted {
    fn start(
        gateway: &Path,
        definition: &Path,
        address: SocketAddr,
        profile: &Path,
    ) -> anyhow::Result<Self> {
        let child = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(gateway)
            .arg(address.to_string())
            .arg(definition)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("valgrind is missing: apt-get install valgrind")?;
        Ok(Self(child))
    }

    /// Ends the edge; callgrind then writes what it counted.
    fn stop(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.0.id()).context("a pid")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // It has ended already unless something failed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks `requests` times over one connection, and checks every answer.
fn ask(address: SocketAddr, requests: u64) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut body = vec![0; BODY_BYTES];
    for _ in 0..requests {
        writer.write_all(
            b"GET /plain/ HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
        )?;
        let mut line = String::new();
        reader.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200 "), "{line:?}");
        while line != "\r\n" {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "the head is cut off");
        }
        reader.read_exact(&mut body)?;
    }
    Ok(())
}

fn pass_through(upstream: SocketAddr) -> String {
    format!(
        r#"{{"id": "plain", "name": "Plain", "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "proxy",
        "listeners": [{{"type": "http", "paths": [{{"path": "/plain"}}], "entrypoints": [{{"type": "http-proxy"}}]}}],
        "endpointGroups": [{{"name": "default", "type": "http-proxy", "endpoints": [
            {{"name": "upstream", "type": "http-proxy", "configuration": {{"target": "http://{upstream}"}}}}]}}],
        "plans": [{{"id": "plan", "name": "Plan", "security": {{"type": "key-less"}}, "status": "published"}}]}}"#
    )
}
