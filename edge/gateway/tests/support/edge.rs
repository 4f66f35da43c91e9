//! The edge binary as a child process.

use std::{net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use super::{Outcome, eventually};

/// A running edge; killed when dropped.
pub(crate) struct Edge {
    child: Child,
    http: SocketAddr,
    technical: SocketAddr,
}

/// Status and body of a response.
pub(crate) type Answer = (u16, String);

impl Edge {
    /// Starts an edge whose files are in `directory` and which follows `control`.
    pub(crate) async fn start(directory: &Path, control: SocketAddr) -> Outcome<Self> {
        let path = |name: &str| directory.join(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-edge"))
            .arg("--data-dir")
            .arg(path("edge"))
            .arg("--ca")
            .arg(path("ca.pem"))
            .arg("--trust")
            .arg(path("trust.pin"))
            .arg("--token-file")
            .arg(path("token"))
            .args(["--control", &format!("https://{control}")])
            .args(["--edge-id", "edge-1", "--workers", "1"])
            .args([
                "--http",
                "127.0.0.1:0",
                "--technical",
                "127.0.0.1:0",
                "--parent-bound",
            ])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines
            .next_line()
            .await?
            .ok_or("the edge ended before it was ready")?;
        let ready: serde_json::Value = serde_json::from_str(&line)?;
        let address = |name: &str| -> Outcome<SocketAddr> {
            Ok(ready[name].as_str().ok_or("no address")?.parse()?)
        };
        Ok(Self {
            http: address("http")?,
            technical: address("technical")?,
            child,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Outcome<Answer> {
        get(self.http, path).await
    }

    pub(crate) async fn technical(&self, path: &str) -> Outcome<Answer> {
        get(self.technical, path).await
    }

    /// Facts from `/_node`.
    pub(crate) async fn node(&self) -> Outcome<serde_json::Value> {
        Ok(serde_json::from_str(&self.technical("/_node").await?.1)?)
    }

    pub(crate) async fn until_ready(&self) -> Outcome {
        eventually("readiness", || async {
            let answer = self.technical("/health/ready").await.ok()?;
            (answer.0 == 200).then_some(())
        })
        .await
    }

    pub(crate) async fn until_revision(&self, revision: u64) -> Outcome {
        eventually("revision", || async {
            let node = self.node().await.ok()?;
            (node["active"]["revision"].as_u64() == Some(revision)).then_some(())
        })
        .await
    }

    /// Kills the process without notice.
    pub(crate) async fn kill(mut self) -> Outcome {
        self.child.kill().await?;
        Ok(())
    }

    /// Asks the process to stop and gives whether it ended well.
    pub(crate) async fn terminate(mut self) -> Outcome<bool> {
        let id = i32::try_from(self.child.id().ok_or("the edge has ended")?)?;
        let id = nix::unistd::Pid::from_raw(id);
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM)?;
        Ok(self.child.wait().await?.success())
    }
}

async fn get(address: SocketAddr, path: &str) -> Outcome<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no response")?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, body.to_owned()))
}
