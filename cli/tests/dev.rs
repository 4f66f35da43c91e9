//! `tidegate dev`: starts everything, keeps everything, stops everything.

mod definitions;

use std::time::Duration;

use definitions::{TIDEGATE, keyless};
use serde_json::Value;
use tidegate_testkit::{System, Upstream, eventually, http};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_first_start_serves_the_sample_and_says_how_to_use_it() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &[])?;
    let answer = http::get(system.edge(0)?, "/echo/hello?a=1")?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()?["path"], "/hello");
    assert_eq!(answer.json()?["query"], "a=1");

    let history = system.json(&["history", "Echo"])?;
    assert_eq!(history[0]["number"], 1);
    assert_eq!(history[0]["label"], "sample");
    let edges = system.json(&["edges"])?;
    assert_eq!(edges[0]["id"], "edge-1");
    assert_eq!(edges[0]["region"], "local");
    assert_eq!(edges[0]["lag"], 0);
    assert!(edges[0]["lastRefusal"].is_null());

    let banner = std::fs::read_to_string(system.data_dir().join("dev.log"))?;
    assert!(banner.contains("Tidegate is ready."), "{banner}");
    assert!(banner.contains("curl http://"), "{banner}");
    Ok(())
}

#[test]
fn the_addresses_file_has_the_promised_members() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let endpoints: Value = serde_json::from_slice(&std::fs::read(system.endpoints_file())?)?;
    for member in ["id", "grpc", "raft"] {
        assert!(
            !endpoints["control"][0][member].is_null(),
            "control.{member}: {endpoints}"
        );
    }
    for member in ["id", "http", "https", "technical"] {
        assert!(
            !endpoints["edges"][0][member].is_null(),
            "edges.{member}: {endpoints}"
        );
    }
    for file in ["admin_token_file", "ca_file"] {
        let path = endpoints[file].as_str().unwrap_or_default();
        assert!(std::path::Path::new(path).exists(), "{file}: {endpoints}");
    }
    let token = endpoints["admin_token_file"].as_str().unwrap_or_default();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(token)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[test]
fn a_second_start_finds_everything_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let upstream = Upstream::start("kept")?;
    let system = System::start_in(TIDEGATE, folder.path(), &[])?;
    system.deploy("kept.yaml", &keyless("Kept", "/kept", upstream.address()))?;
    let before = system.json(&["get", "apis"])?;
    system.stop()?;
    assert!(
        !folder.path().join("endpoints.json").exists(),
        "stopped, but still announced"
    );

    let system = System::start_in(TIDEGATE, folder.path(), &[])?;
    assert_eq!(system.json(&["get", "apis"])?, before);
    eventually("the API to be served again", SOON, || {
        Ok(http::get(system.edge(0)?, "/kept")?.status == 200)
    })?;
    assert_eq!(http::get(system.edge(0)?, "/echo")?.status, 200);
    system.stop()
}

#[test]
fn three_nodes_and_two_edges_act_as_one_system() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--nodes", "3", "--edges", "2"])?;
    let status = system.json(&["cluster", "status"])?;
    let members = status["members"].as_array().cloned().unwrap_or_default();
    assert_eq!(
        members
            .iter()
            .filter(|member| member["role"] == "voter")
            .count(),
        3,
        "{status}"
    );

    let upstream = Upstream::start("everywhere")?;
    // Writes on any node reach the leader, and edges of any node get them.
    for node in 0..3 {
        let server = format!("https://{}", system.address("control", node, "grpc")?);
        let name = format!("Via-{node}");
        let file = system.write(
            "via.yaml",
            &keyless(&name, &format!("/via-{node}"), upstream.address()),
        )?;
        let ca = system.data_dir().join("pki/ca.pem").display().to_string();
        let token = system.data_dir().join("admin-token").display().to_string();
        let output = std::process::Command::new(TIDEGATE)
            .args(["--server", &server, "--ca", &ca, "--token-file", &token])
            .args(["apply", "-f", &file, "--deploy", "--wait"])
            .output()?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for edge in 0..2 {
            let answer = http::get(system.edge(edge)?, &format!("/via-{node}/x"))?;
            assert_eq!(answer.status, 200, "edge {edge}, node {node}");
        }
    }
    system.stop()
}

#[test]
fn two_systems_run_side_by_side() -> anyhow::Result<()> {
    let first = System::start(TIDEGATE, &[])?;
    let second = System::start(TIDEGATE, &[])?;
    assert_ne!(first.edge(0)?, second.edge(0)?);
    for system in [&first, &second] {
        assert_eq!(http::get(system.edge(0)?, "/echo")?.status, 200);
    }
    Ok(())
}

#[test]
fn one_directory_holds_one_system() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let _running = System::start_in(TIDEGATE, folder.path(), &["--no-sample"])?;
    let output = std::process::Command::new(TIDEGATE)
        .args(["dev", "--data-dir"])
        .arg(folder.path())
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another `tidegate dev` runs in"), "{said}");
    Ok(())
}

#[test]
fn exit_codes_tell_usage_refusal_and_silence_apart() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    assert_eq!(system.run(&["get", "apis"])?.code, 0);
    assert_eq!(system.run(&["get", "api", "Nobody"])?.code, 1);
    assert_eq!(system.run(&["get", "nonsense"])?.code, 2);
    system.kill("control-1")?;
    let ran = system.run(&["get", "apis"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    Ok(())
}
