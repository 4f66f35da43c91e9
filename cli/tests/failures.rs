//! Processes die at the worst moment; nothing acknowledged is lost and traffic goes on.

mod definitions;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use definitions::{TIDEGATE, keyless, keyless_with};
use tidegate_testkit::{System, Upstream, eventually, http};

const SOON: Duration = Duration::from_secs(30);

/// Sends requests until told to stop and counts those that failed.
struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Traffic {
    fn start(edge: std::net::SocketAddr, path: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (ends, sends, fails) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&failed));
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                sends.fetch_add(1, Ordering::Relaxed);
                if !http::get(edge, path).is_ok_and(|answer| answer.status == 200) {
                    fails.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            stop,
            sent,
            failed,
            thread: Some(thread),
        }
    }

    /// Requests sent and failed.
    fn finish(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        (
            self.sent.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

/// Waits until the control plane serves the edge again.
fn await_edge(system: &System) -> anyhow::Result<()> {
    eventually("the edge to be connected", SOON, || {
        let ran = system.run(&["edges", "-o", "json"])?;
        Ok(ran.code == 0 && ran.json()?[0]["connected"] == true)
    })
}

fn leader(system: &System) -> anyhow::Result<u64> {
    system.json(&["cluster", "status"])?["leaderId"]
        .as_u64()
        .ok_or_else(|| anyhow::anyhow!("no leader"))
}

#[test]
fn killing_the_leader_loses_no_acknowledged_write_and_no_request() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--nodes", "3", "--no-sample"])?;
    let upstream = Upstream::start("steady")?;
    system.deploy(
        "steady.yaml",
        &keyless("Steady", "/steady", upstream.address()),
    )?;
    let traffic = Traffic::start(system.edge(0)?, "/steady");

    let mut acknowledged = Vec::new();
    let mut killed = None;
    for number in 0..12 {
        let name = format!("app-{number}");
        if number == 4 {
            killed = Some(system.kill(&format!("control-{}", leader(&system)?))?);
        }
        if system.run(&["app", "create", &name])?.code == 0 {
            acknowledged.push(name);
        }
    }
    assert!(
        acknowledged.len() >= 8,
        "writes did not resume: {acknowledged:?}"
    );
    let listed = system.json(&["app", "list"])?.to_string();
    for name in &acknowledged {
        assert!(
            listed.contains(&format!("\"{name}\"")),
            "{name} was lost: {listed}"
        );
    }
    // A deployment works without the dead node, and the edge moves to a live one.
    system.deploy(
        "later.yaml",
        &keyless("Later", "/later", upstream.address()),
    )?;
    assert_eq!(http::get(system.edge(0)?, "/later")?.status, 200);

    if let Some(killed) = killed {
        system.revive(&killed)?;
    }
    eventually("the old leader to follow", SOON, || {
        let members = system.json(&["cluster", "status"])?;
        Ok(members["leaderId"].as_u64().is_some())
    })?;
    let (sent, failed) = traffic.finish();
    assert!(sent > 50, "only {sent} requests");
    assert_eq!(failed, 0, "of {sent} requests");
    Ok(())
}

#[test]
fn a_deployment_cut_off_by_a_kill_happened_or_did_not() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--nodes", "3", "--no-sample"])?;
    let upstream = Upstream::start("cut")?;
    let version = |word: &str| {
        let flow = format!(
            "  flows:
    - name: word
      response:
        - policy: transform-headers
          configuration:
            addHeaders:
              - name: X-One
                value: {word}
              - name: X-Two
                value: {word}
"
        );
        keyless_with("Cut", "/cut", upstream.address(), &flow)
    };
    system.deploy("cut.yaml", &version("old"))?;
    let file = system.write("new.yaml", &version("new"))?;
    let edge = system.edge(0)?;
    let stop = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&stop);
    let mixes = thread::spawn(move || -> anyhow::Result<u64> {
        let mut mixed = 0;
        while !ends.load(Ordering::Relaxed) {
            let answer = http::get(edge, "/cut")?;
            mixed += u64::from(answer.header("x-one") != answer.header("x-two"));
        }
        Ok(mixed)
    });

    let leader = format!("control-{}", leader(&system)?);
    let mut deploying = system
        .command(&["apply", "-f", &file, "--deploy"])
        .spawn()?;
    let killed = system.kill(&leader)?;
    let acknowledged = deploying.wait()?.success();
    let numbers = |system: &System| -> anyhow::Result<usize> {
        Ok(system
            .json(&["history", "Cut"])?
            .as_array()
            .map_or(0, Vec::len))
    };
    let before = numbers(&system)?;
    assert!(
        before == 2 || (before == 1 && !acknowledged),
        "{before}, acknowledged {acknowledged}"
    );
    // A retry is safe either way.
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    eventually("the new version", SOON, || {
        Ok(http::get(edge, "/cut")?.header("x-one") == Some("new"))
    })?;
    system.revive(&killed)?;
    stop.store(true, Ordering::Relaxed);
    let mixed = mixes
        .join()
        .map_err(|_panic| anyhow::anyhow!("the reader panicked"))??;
    assert_eq!(mixed, 0, "a request saw two versions");
    Ok(())
}

#[test]
fn killing_every_node_loses_nothing() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--nodes", "3", "--no-sample"])?;
    let upstream = Upstream::start("all")?;
    system.deploy("all.yaml", &keyless("All", "/all", upstream.address()))?;
    let before = system.json(&["get", "apis"])?;
    let killed: Vec<_> = (1..=3)
        .map(|node| system.kill(&format!("control-{node}")))
        .collect::<anyhow::Result<_>>()?;
    assert_eq!(
        http::get(system.edge(0)?, "/all")?.status,
        200,
        "traffic needs no control plane"
    );
    for node in &killed {
        system.revive(node)?;
    }
    eventually("the cluster to be back", SOON, || {
        Ok(system.run(&["get", "apis"])?.code == 0)
    })?;
    assert_eq!(system.json(&["get", "apis"])?, before);
    await_edge(&system)?;
    system.deploy("more.yaml", &keyless("More", "/more", upstream.address()))?;
    assert_eq!(http::get(system.edge(0)?, "/more")?.status, 200);
    Ok(())
}

#[test]
fn an_edge_restarts_from_its_cache_without_a_control_plane() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("cached")?;
    system.deploy(
        "cached.yaml",
        &keyless("Cached", "/cached", upstream.address()),
    )?;
    let node = system.kill("control-1")?;
    let edge = system.kill("edge-1")?;
    system.revive(&edge)?;
    eventually("the edge to serve from its cache", SOON, || {
        Ok(http::get(system.edge(0)?, "/cached").is_ok_and(|answer| answer.status == 200))
    })?;
    let technical = system.address("edges", 0, "technical")?;
    assert_eq!(http::get(technical, "/health/ready")?.status, 200);

    system.revive(&node)?;
    await_edge(&system)?;
    system.deploy(
        "fresh.yaml",
        &keyless("Fresh", "/fresh", upstream.address()),
    )?;
    assert_eq!(http::get(system.edge(0)?, "/fresh")?.status, 200);
    Ok(())
}

#[test]
fn an_edge_killed_again_and_again_always_comes_back() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("again")?;
    system.deploy(
        "again.yaml",
        &keyless("Again", "/again", upstream.address()),
    )?;
    for round in 0..5 {
        // Killed while a new view is on its way.
        let name = format!("Round{round}");
        let path = format!("/round-{round}");
        let file = system.write("round.yaml", &keyless(&name, &path, upstream.address()))?;
        system.ok(&["apply", "-f", &file, "--deploy"])?;
        let edge = system.kill("edge-1")?;
        system.revive(&edge)?;
        eventually("the edge to have it", SOON, || {
            Ok(http::get(system.edge(0)?, &path).is_ok_and(|answer| answer.status == 200))
        })?;
    }
    assert_eq!(http::get(system.edge(0)?, "/again")?.status, 200);
    Ok(())
}
