//! Compares the HTTP data plane with nginx, HAProxy, Envoy and Pingora on this machine, in one run, and writes
//! the results.
//!
//! Every round runs A B B A, so that a machine that drifts drifts for both. A direct run and a twin of
//! the peer show how much of a difference is noise.
//!
//! `tidegate-benches instructions` counts the instructions of a request instead; `tidegate-benches check` only makes
//! sure that every side answers as it should.

mod envoy;
mod haproxy;
mod instructions;
mod load;
mod nginx;
mod peer;
mod pingora;
mod report;
mod rounds;

use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_testkit::System;

use crate::{load::Target, peer::Peer, rounds::Comparison};

/// Size of the response body, in bytes.
const BODY_BYTES: usize = 1024;
/// Rounds of each comparison.
const ROUNDS: usize = 7;

/// One worker each: CPU per request is compared, not the number of threads.
const ONE_WORKER: &[(&str, &str)] = &[("TIDEGATE_WORKERS", "1"), ("TIDEGATE_ACCESS_LOG", "off")];

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => compare(true),
        Some("check") => compare(false),
        Some("instructions") => instructions::count(),
        Some(other) => {
            bail!("{other:?} is not known: nothing, \"check\" or \"instructions\" was expected")
        }
    }
}

/// Starts every side and makes sure that it works; compares them if `is_timed`.
fn compare(is_timed: bool) -> anyhow::Result<()> {
    let tidegate = std::env::current_exe()?.with_file_name("tidegate");
    let tidegate = tidegate.to_str().context("the path is UTF-8")?;
    let upstream = nginx::answering(BODY_BYTES)?;
    let twin = nginx::proxying(upstream.address())?;
    let peers = [
        ("nginx, proxy_pass", nginx::proxying(upstream.address())?),
        ("HAProxy", haproxy::proxying(upstream.address())?),
        ("Envoy", envoy::proxying(upstream.address())?),
        ("Pingora", pingora::proxying(upstream.address())?),
    ];

    let system = System::start_with(tidegate, &["--no-sample"], ONE_WORKER)?;
    system.deploy(
        "plain.yaml",
        &definition("Plain", "/plain", upstream.address(), "key-less", ""),
    )?;
    system.deploy(
        "keyed.yaml",
        &definition(
            "Keyed",
            "/keyed",
            upstream.address(),
            "api-key",
            HEADER_POLICY,
        ),
    )?;
    system.ok(&["app", "create", "bench"])?;
    let subscription = system.json(&[
        "subscription",
        "create",
        "--api",
        "Keyed",
        "--plan",
        "Plan",
        "--app",
        "bench",
    ])?;
    let key = subscription["apiKey"]
        .as_str()
        .context("a key is shown")?
        .to_owned();

    let edge = system.edge(0)?;
    let edge_pid = system.pid("edge-1")?;
    let plain = Target::new("Tidegate, keyless pass-through", edge, "/plain/", edge_pid);
    let keyed = Target::new(
        "Tidegate, API key + header policy",
        edge,
        "/keyed/",
        edge_pid,
    )
    .with_header("X-Gravitee-Api-Key", &key);
    let target =
        |name: &str, peer: &Peer| anyhow::Ok(Target::new(name, peer.address(), "/", peer.pid()?));
    let twin = target("nginx, proxy_pass (twin)", &twin)?;
    let direct = target("direct (no proxy)", &upstream)?;
    let peers = peers.iter().map(|(name, peer)| target(name, peer));
    let peers: Vec<Target> = peers.collect::<anyhow::Result<_>>()?;

    for target in [&plain, &keyed, &twin, &direct].into_iter().chain(&peers) {
        target.check(BODY_BYTES)?;
    }
    if !is_timed {
        return Ok(());
    }
    let comparisons = measure(&plain, &keyed, &twin, &peers)?;
    let floor = direct.measure()?;
    report::write(Path::new(env!("CARGO_MANIFEST_DIR")), &comparisons, &floor)
}

/// Tidegate against each peer, and what its policies and the machine's noise cost against the first.
fn measure(
    plain: &Target,
    keyed: &Target,
    twin: &Target,
    peers: &[Target],
) -> anyhow::Result<Vec<Comparison>> {
    let first = peers.first().context("there is a first peer")?;
    let mut comparisons = Vec::new();
    for peer in peers {
        comparisons.push(Comparison::run(plain, peer, ROUNDS)?);
    }
    comparisons.push(Comparison::run(keyed, first, ROUNDS)?);
    comparisons.push(Comparison::run(twin, first, ROUNDS)?);
    Ok(comparisons)
}

const HEADER_POLICY: &str = "  flows:
    - name: header
      request:
        - name: header
          policy: transform-headers
          configuration:
            addHeaders:
              - name: X-Bench
                value: yes
";

fn definition(
    name: &str,
    path: &str,
    upstream: std::net::SocketAddr,
    security: &str,
    flows: &str,
) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: Api
metadata:
  name: {name}
spec:
  type: proxy
  apiVersion: '1.0'
  listeners:
    - type: http
      paths:
        - path: {path}
      entrypoints:
        - type: http-proxy
  endpointGroups:
    - name: default
      type: http-proxy
      sharedConfiguration:
        http:
          maxConcurrentConnections: 100
      endpoints:
        - name: upstream
          type: http-proxy
          inheritConfiguration: true
          configuration:
            target: http://{upstream}
  plans:
    - name: Plan
      security:
        type: {security}
      status: published
{flows}"
    )
}
