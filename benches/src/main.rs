//! Compares the HTTP data plane with nginx on this machine, in one run, and writes the results.
//!
//! Every round runs A B B A, so that a machine that drifts drifts for both. A direct run and a twin of
//! the peer show how much of a difference is noise.
//!
//! `tidegate-benches instructions` counts the instructions of a request instead.

mod instructions;
mod load;
mod nginx;
mod report;
mod rounds;

use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_testkit::System;

use crate::{load::Target, nginx::Nginx, rounds::Comparison};

/// Size of the response body, in bytes.
const BODY_BYTES: usize = 1024;
/// Rounds of each comparison.
const ROUNDS: usize = 7;

/// One worker each: CPU per request is compared, not the number of threads.
const ONE_WORKER: &[(&str, &str)] = &[("TIDEGATE_WORKERS", "1"), ("TIDEGATE_ACCESS_LOG", "off")];

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => compare(),
        Some("instructions") => instructions::count(),
        Some(other) => bail!("{other:?} is not known: nothing, or \"instructions\", was expected"),
    }
}

fn compare() -> anyhow::Result<()> {
    let tidegate = std::env::current_exe()?.with_file_name("tidegate");
    let tidegate = tidegate.to_str().context("the path is UTF-8")?;
    let upstream = Nginx::answering(BODY_BYTES)?;
    let peer = Nginx::proxying(upstream.address())?;
    let twin = Nginx::proxying(upstream.address())?;

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
    let nginx = Target::new("nginx, proxy_pass", peer.address(), "/", peer.pid()?);
    let nginx_twin = Target::new("nginx, proxy_pass (twin)", twin.address(), "/", twin.pid()?);
    let direct = Target::new(
        "direct (no proxy)",
        upstream.address(),
        "/",
        upstream.pid()?,
    );

    for target in [&plain, &keyed, &nginx, &nginx_twin, &direct] {
        target.check(BODY_BYTES)?;
    }
    let comparisons = [
        Comparison::run(&plain, &nginx, ROUNDS)?,
        Comparison::run(&keyed, &nginx, ROUNDS)?,
        Comparison::run(&nginx_twin, &nginx, ROUNDS)?,
    ];
    let floor = direct.measure()?;
    report::write(Path::new(env!("CARGO_MANIFEST_DIR")), &comparisons, &floor)
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
