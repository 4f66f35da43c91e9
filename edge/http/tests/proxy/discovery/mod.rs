//! Endpoints that are discovered: they come, go and change under traffic, and outages of their source change
//! nothing.

mod catalog;
mod consul;
mod dns;
mod kubernetes;
mod stand_in;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{client::get, definition::api, edge::Edge};

const PATIENCE: Duration = Duration::from_secs(30);

/// API `a` on `/a` without endpoints of its own, whose endpoints `kind` finds.
fn discovered(kind: &str, configuration: &Value) -> Value {
    let mut api = api("a", "/a", &[]);
    api["endpointGroups"][0]["services"] =
        json!({"discovery": {"type": kind, "enabled": true, "configuration": configuration}});
    api
}

/// The line of a scrape that says how many endpoints are known.
fn known(source: &str, count: usize) -> String {
    let labels = format!("api=\"a\",group=\"default\",source=\"{source}\"");
    format!("tidegate_edge_discovery_endpoints{{{labels}}} {count}")
}

/// The line of a scrape that says whether the source answers.
fn current(source: &str, value: u8) -> String {
    let labels = format!("api=\"a\",group=\"default\",source=\"{source}\"");
    format!("tidegate_edge_discovery_current{{{labels}}} {value}")
}

/// Requests one after the other until it is stopped.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u16>>,
}

impl Traffic {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut statuses = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                statuses.push(get(address, "/a", &[]).status);
            }
            statuses
        });
        Self { stop, thread }
    }

    /// Asserts that every request was answered by an endpoint.
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let statuses = self.thread.join().unwrap();
        let failed: Vec<&u16> = statuses.iter().filter(|status| **status != 200).collect();
        assert!(failed.is_empty() && !statuses.is_empty(), "{failed:?}");
    }
}

/// Waits until a scrape has `line`.
fn wait_for(edge: &Edge, line: &str) {
    wait_until(line, || edge.scrape().lines().any(|found| found == line));
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Who answers a request.
fn answering(edge: &Edge) -> Option<String> {
    let answer = get(edge.address, "/a", &[]);
    answer.header("x-upstream").map(str::to_owned)
}
