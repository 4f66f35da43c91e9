//! A whole system, started the way a user starts one: `tidegate dev`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait_for;

/// A first start creates databases and keys, on a machine that may be busy.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// Draining takes at most this long.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// A running `tidegate dev`; stopped when dropped.
#[derive(Debug)]
pub struct System {
    program: PathBuf,
    data_dir: PathBuf,
    endpoints: Value,
    dev: Child,
    /// Processes started again by a test, which `tidegate dev` does not know.
    revived: Mutex<Vec<Child>>,
    temporary: Option<TempDir>,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// Fails if it is none, showing both outputs.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("not JSON: {:?}, stderr: {:?}", self.stdout, self.stderr))
    }
}

impl System {
    /// Starts a system in a directory of its own and waits until all of it is ready.
    ///
    /// `program` is the `tidegate` binary; the other programs lie beside it.
    ///
    /// # Errors
    /// Fails if it does not become ready.
    pub fn start(program: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(program, arguments, &[])
    }

    /// As [`System::start`], with environment variables for all its processes.
    ///
    /// # Errors
    /// Fails if it does not become ready.
    pub fn start_with(
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let temporary = tempfile::tempdir()?;
        let data_dir = temporary.path().join("dev");
        let mut system = Self::launch(program, &data_dir, arguments, environment)?;
        system.temporary = Some(temporary);
        Ok(system)
    }

    /// As [`System::start`], in a directory that outlives the system.
    ///
    /// # Errors
    /// Fails if it does not become ready.
    pub fn start_in(program: &str, data_dir: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::launch(program, data_dir, arguments, &[])
    }

    fn launch(
        program: &str,
        data_dir: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir)?;
        let log = fs::File::create(data_dir.join("dev.log"))?;
        let mut dev = Command::new(program)
            .args(["dev", "--parent-bound", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let file = data_dir.join("endpoints.json");
        let endpoints = wait_for("the system to be ready", START_DEADLINE, || {
            if let Some(status) = dev.try_wait()? {
                return Ok(Some(Err(status)));
            }
            let Ok(text) = fs::read_to_string(&file) else {
                return Ok(None);
            };
            Ok(Some(Ok(serde_json::from_str::<Value>(&text)?)))
        })?;
        match endpoints {
            Ok(endpoints) => {
                let system = Self {
                    program: PathBuf::from(program),
                    data_dir: data_dir.to_owned(),
                    endpoints,
                    dev,
                    revived: Mutex::default(),
                    temporary: None,
                };
                Ok(system)
            }
            Err(status) => bail!(
                "tidegate dev ended with {status}: {}",
                fs::read_to_string(data_dir.join("dev.log"))?
            ),
        }
    }

    /// Runs a command against the system.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let output = self.command(arguments).stdin(Stdio::null()).output()?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A command against the system, for a test that wants to hold on to the process.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--endpoints")
            .arg(self.endpoints_file())
            .args(arguments);
        command
    }

    /// Runs a command that must succeed and gives its standard output.
    ///
    /// # Errors
    /// Fails if the command does.
    pub fn ok(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let ran = self.run(arguments)?;
        ensure!(
            ran.code == 0,
            "{arguments:?} ended with {}: {}",
            ran.code,
            ran.stderr
        );
        Ok(ran.stdout)
    }

    /// Runs a command that must succeed with `-o json`.
    ///
    /// # Errors
    /// Fails if the command does or prints no JSON.
    pub fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let text = self.ok(&all)?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} printed {text:?}"))
    }

    /// Runs a command that must be refused with exit code 1, and gives what it said.
    ///
    /// # Errors
    /// Fails if it ends otherwise.
    pub fn refused(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let ran = self.run(arguments)?;
        ensure!(
            ran.code == 1,
            "{arguments:?} ended with {}: {}",
            ran.code,
            ran.stderr
        );
        Ok(ran.stderr)
    }

    /// Writes a file into the system's directory and gives its path.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> anyhow::Result<String> {
        let path = self.data_dir.join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    /// Writes a definition, applies and deploys it, and waits for the edges.
    ///
    /// # Errors
    /// Fails if any of it does.
    pub fn deploy(&self, name: &str, definition: &str) -> anyhow::Result<()> {
        let file = self.write(name, definition)?;
        self.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
        Ok(())
    }

    /// Where the system keeps its files.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The file that tells how to reach the system.
    #[must_use]
    pub fn endpoints_file(&self) -> PathBuf {
        self.data_dir.join("endpoints.json")
    }

    /// An address out of `endpoints.json`, such as `("edges", 0, "http")`.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn address(&self, group: &str, index: usize, name: &str) -> anyhow::Result<SocketAddr> {
        let text = self.endpoints[group][index][name]
            .as_str()
            .with_context(|| format!("no {group}[{index}].{name} in {}", self.endpoints))?;
        Ok(text.parse()?)
    }

    /// The HTTP address of an edge, counted from 0.
    ///
    /// # Errors
    /// Fails if there is no such edge.
    pub fn edge(&self, index: usize) -> anyhow::Result<SocketAddr> {
        self.address("edges", index, "http")
    }

    /// Sends a signal to a process of the system, such as "control-1" or "edge-2", and waits for its
    /// end if the signal ends it.
    ///
    /// # Errors
    /// Fails if it does not run.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<Stopped> {
        let (pid, arguments) = self.find(name)?;
        kill(pid, signal)?;
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM) {
            self.reap();
            wait_for(&format!("{name} to end"), STOP_DEADLINE, || {
                self.reap();
                Ok(self.find(name).is_err().then_some(()))
            })?;
        }
        Ok(Stopped {
            name: name.to_owned(),
            arguments,
        })
    }

    /// The process id of a process of the system.
    ///
    /// # Errors
    /// Fails if it does not run.
    pub fn pid(&self, name: &str) -> anyhow::Result<u32> {
        Ok(u32::try_from(self.find(name)?.0.as_raw())?)
    }

    /// Kills a process the hard way.
    ///
    /// # Errors
    /// Fails if it does not run.
    pub fn kill(&self, name: &str) -> anyhow::Result<Stopped> {
        self.signal(name, Signal::SIGKILL)
    }

    /// Starts a stopped process again, with the command line it had.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub fn revive(&self, stopped: &Stopped) -> anyhow::Result<()> {
        let (program, arguments) = stopped.arguments.split_first().context("a command line")?;
        let log = fs::File::options().append(true).create(true).open(
            self.data_dir
                .join("logs")
                .join(format!("{}.log", stopped.name)),
        )?;
        let child = Command::new(program)
            // The test thread is the parent now, and may end before the process should.
            .args(
                arguments
                    .iter()
                    .filter(|argument| *argument != "--parent-bound"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.revived
            .lock()
            .map_err(|_poisoned| anyhow::anyhow!("poisoned"))?
            .push(child);
        Ok(())
    }

    /// Stops the system as Ctrl-C does.
    ///
    /// # Errors
    /// Fails if it does not end cleanly in time.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.dev.id())?);
        kill(pid, Signal::SIGINT)?;
        let status = wait_for("tidegate dev to end", STOP_DEADLINE, || {
            Ok(self.dev.try_wait()?)
        })?;
        ensure!(status.success(), "tidegate dev ended with {status}");
        Ok(())
    }

    /// Finds a process of this system by its data directory.
    fn find(&self, name: &str) -> anyhow::Result<(Pid, Vec<String>)> {
        let wanted = self
            .data_dir
            .canonicalize()?
            .join(name)
            .display()
            .to_string();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Ok(line) = fs::read_to_string(entry.path().join("cmdline")) else {
                continue;
            };
            let words: Vec<String> = line
                .split('\0')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect();
            if words.contains(&wanted) {
                return Ok((Pid::from_raw(pid), words));
            }
        }
        bail!("{name} does not run")
    }

    fn reap(&self) {
        if let Ok(mut revived) = self.revived.lock() {
            revived.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if let Ok(mut revived) = self.revived.lock() {
            for child in revived.iter_mut() {
                // Either may fail for a process that is gone, which is the goal.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if matches!(self.dev.try_wait(), Ok(None)) {
            if let Ok(pid) = i32::try_from(self.dev.id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let ended = wait_for("the end", STOP_DEADLINE, || Ok(self.dev.try_wait()?));
            if ended.is_err() {
                let _ = self.dev.kill();
                let _ = self.dev.wait();
            }
        }
    }
}

/// A process that was stopped and can be started again.
#[derive(Debug, Clone)]
pub struct Stopped {
    name: String,
    arguments: Vec<String>,
}
