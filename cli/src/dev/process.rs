//! The child processes of a local system: how each is started, watched and stopped.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{layout::Layout, plan::Plan};
use crate::failure::Failure;

/// Log lines shown when a process does not come up.
const LOG_TAIL_LINES: usize = 15;

/// One running child.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    command_line: String,
    log: PathBuf,
    child: Child,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
}

impl Process {
    fn spawn(layout: &Layout, name: &str, mut command: Command) -> Result<Self, Failure> {
        let log = layout.log(name);
        let log_file = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            // Ctrl-C reaches the whole foreground group; children end when we ask them to.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            let program = command.as_std().get_program().display();
            Failure::refused(format!("cannot start {program}: {error}"))
        })?;
        let stdout = child
            .stdout
            .take()
            .map(|stdout| BufReader::new(stdout).lines());
        let command_line = words(&command);
        Ok(Self {
            name: name.to_owned(),
            command_line,
            log,
            child,
            stdout,
        })
    }

    /// Returns once the child has printed its ready line.
    pub(super) async fn wait_until_ready(&mut self, deadline: Duration) -> Result<(), Failure> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(());
        };
        let reason = match timeout(deadline, stdout.next_line()).await {
            Ok(Ok(Some(line))) if line.contains("\"ready\":true") => return Ok(()),
            Ok(Ok(Some(line))) => format!("said {line:?}"),
            Ok(Ok(None)) => "ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("did nothing for {}", humantime::format_duration(deadline)),
        };
        Err(Failure::refused(format!(
            "{} did not become ready: it {reason}\n{}\n(log: {})",
            self.name,
            tail(&self.log),
            self.log.display()
        )))
    }

    /// Returns once the child is gone, with a sentence for the user.
    pub(super) async fn ended(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        format!(
            "{} ended ({how}); to start it again:\n  {}",
            self.name, self.command_line
        )
    }

    /// Sends SIGTERM.
    pub(super) fn ask_to_stop(&self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            // The child may be gone already, which is what we want.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// Waits for the child to end, and kills it when it takes longer than `deadline`.
    pub(super) async fn wait_until_gone(&mut self, deadline: Duration) {
        if timeout(deadline, self.child.wait()).await.is_err() {
            crate::output::remark(&format!("{} does not end by itself: killing it", self.name));
            // Fails only for a child that is gone.
            let _ = self.child.kill().await;
        }
    }
}

pub(super) fn start_upstream(layout: &Layout, plan: &Plan) -> Result<Process, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("sample-upstream")
        .arg("--listen")
        .arg(plan.upstream.to_string());
    Process::spawn(layout, "upstream", command)
}

pub(super) fn start_control(
    layout: &Layout,
    plan: &Plan,
    number: usize,
) -> Result<Process, Failure> {
    let name = format!("control-{number}");
    let node = &plan.control[number - 1];
    let mut command = Command::new(sibling("tidegate-control")?);
    command
        .arg("--data-dir")
        .arg(layout.node(number))
        .args([
            "--node-id",
            &number.to_string(),
            "--cluster-id",
            &plan.cluster_id,
        ])
        .args([
            "--grpc",
            &node.grpc.to_string(),
            "--raft",
            &node.raft.to_string(),
        ])
        .args(["--peers", &plan.peers()])
        .arg("--tls-ca")
        .arg(layout.ca_certificate())
        .arg("--tls-cert")
        .arg(layout.certificate(&name))
        .arg("--tls-key")
        .arg(layout.key(&name))
        .arg("--signing-key")
        .arg(layout.signing_key())
        .arg("--admin-token-file")
        .arg(layout.admin_token())
        .arg("--edge-token-file")
        .arg(layout.edge_token())
        .arg("--trust-pin-file")
        .arg(layout.trust_pin())
        .arg("--parent-bound");
    if number == 1 {
        command.arg("--bootstrap");
    }
    Process::spawn(layout, &name, command)
}

pub(super) fn start_edge(layout: &Layout, plan: &Plan, number: usize) -> Result<Process, Failure> {
    let name = format!("edge-{number}");
    let edge = &plan.edges[number - 1];
    let control: Vec<String> = plan
        .control
        .iter()
        .map(|node| format!("https://{}", node.grpc))
        .collect();
    let mut command = Command::new(sibling("tidegate-edge")?);
    command
        .arg("--data-dir")
        .arg(layout.edge(number))
        .args(["--edge-id", &name, "--region", "local"])
        .args(["--control", &control.join(",")])
        .arg("--ca")
        .arg(layout.ca_certificate())
        .arg("--trust")
        .arg(layout.trust_pin())
        .arg("--token-file")
        .arg(layout.edge_token())
        .args([
            "--http",
            &edge.http.to_string(),
            "--https",
            &edge.https.to_string(),
        ])
        .arg("--tls-cert")
        .arg(layout.certificate("edge"))
        .arg("--tls-key")
        .arg(layout.key("edge"))
        .args(["--technical", &edge.technical.to_string(), "--parent-bound"]);
    if !edge.tags.is_empty() {
        command.arg(format!("--tags={}", edge.tags));
    }
    Process::spawn(layout, &name, command)
}

/// A program that is installed beside this one.
fn sibling(program: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(program);
    if path.exists() {
        Ok(path)
    } else {
        Err(Failure::refused(format!(
            "{} is missing: build all programs",
            path.display()
        )))
    }
}

fn words(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(
        command
            .get_args()
            .filter(|argument| *argument != "--parent-bound"),
    );
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
