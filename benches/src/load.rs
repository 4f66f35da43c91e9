//! Load from wrk, and the CPU time a process spent on it.

use std::{fs, net::SocketAddr, process::Command};

use anyhow::{Context as _, bail, ensure};
use tidegate_testkit::http;

/// Connections kept open by the load generator.
const CONNECTIONS: &str = "64";
/// Length of one run.
const DURATION: &str = "3s";

/// Something to put load on.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub name: String,
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
    pid: u32,
}

/// What one run showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// CPU time of the process per request, in microseconds.
    pub cpu_us: f64,
    /// Requests per second.
    pub per_second: f64,
    /// 99th percentile of the latency, in milliseconds.
    pub p99_ms: f64,
}

impl Target {
    pub(crate) fn new(name: &str, address: SocketAddr, path: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            address,
            path: path.to_owned(),
            headers: Vec::new(),
            pid,
        }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes sure that what is timed also works.
    pub(crate) fn check(&self, body_bytes: usize) -> anyhow::Result<()> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = http::get_with(self.address, &self.path, &headers)?;
        ensure!(
            answer.status == 200,
            "{} answers {}",
            self.name,
            answer.status
        );
        ensure!(
            answer.body.len() == body_bytes,
            "{}: {} bytes",
            self.name,
            answer.body.len()
        );
        Ok(())
    }

    /// Runs the load once.
    pub(crate) fn measure(&self) -> anyhow::Result<Measured> {
        let before = cpu_ticks(self.pid)?;
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c", CONNECTIONS, "-d", DURATION, "--latency"]);
        for (name, value) in &self.headers {
            command.arg("-H").arg(format!("{name}: {value}"));
        }
        command.arg(format!("http://{}{}", self.address, self.path));
        let output = command.output().context("wrk is missing: make setup")?;
        let ticks = cpu_ticks(self.pid)? - before;
        let text = String::from_utf8(output.stdout)?;
        // A target that fails quickly would look fast.
        ensure!(
            !text.contains("Non-2xx"),
            "{} failed under load: {text}",
            self.name
        );
        ensure!(
            !text.contains("Socket errors"),
            "{} broke under load: {text}",
            self.name
        );
        let requests = number_before(&text, " requests in ")?;
        let micros_per_tick = 1_000_000.0 / ticks_per_second()?;
        Ok(Measured {
            cpu_us: ticks * micros_per_tick / requests,
            per_second: number_after(&text, "Requests/sec:")?,
            p99_ms: latency(&text, "99%")?,
        })
    }
}

/// User and system time of a process so far, in clock ticks (proc(5), stat).
fn cpu_ticks(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may contain blanks; fields are counted after its closing parenthesis.
    let fields = stat.rsplit_once(") ").context("stat has a name")?.1;
    let fields: Vec<&str> = fields.split(' ').collect();
    let (Some(user), Some(system)) = (fields.get(11), fields.get(12)) else {
        bail!("stat is short: {stat}")
    };
    Ok(user.parse::<f64>()? + system.parse::<f64>()?)
}

fn ticks_per_second() -> anyhow::Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output()?;
    String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("CLK_TCK is a number")
}

fn number_before(text: &str, marker: &str) -> anyhow::Result<f64> {
    let before = text
        .split(marker)
        .next()
        .filter(|before| before.len() < text.len());
    let word = before.and_then(|before| before.split_whitespace().last());
    word.with_context(|| format!("no {marker:?} in {text}"))?
        .parse()
        .context("a number")
}

fn number_after(text: &str, marker: &str) -> anyhow::Result<f64> {
    word_after(text, marker)?.parse().context("a number")
}

fn word_after<'a>(text: &'a str, marker: &str) -> anyhow::Result<&'a str> {
    let after = text
        .split(marker)
        .nth(1)
        .and_then(|after| after.split_whitespace().next());
    after.with_context(|| format!("no {marker:?} in {text}"))
}

fn latency(text: &str, percentile: &str) -> anyhow::Result<f64> {
    // The same figure may stand in the table of deviations above; the distribution has lines of its own.
    let line = text
        .lines()
        .map(str::trim_start)
        .find(|line| line.starts_with(percentile));
    let word = line.and_then(|line| line.split_whitespace().nth(1));
    let word = word.with_context(|| format!("no {percentile} in {text}"))?;
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1000.0)] {
        if let Some(number) = word.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("no time: {word:?}")
}
