//! Who may do what on the operator API.

mod definitions;

use std::process::{Command, Output};

use definitions::TIDEGATE;
use tidegate_testkit::System;

fn as_token(system: &System, token: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    let file = system.write("token", token)?;
    let server = format!("https://{}", system.address("control", 0, "grpc")?);
    let ca = system.data_dir().join("pki/ca.pem");
    Ok(Command::new(TIDEGATE)
        .args(["--server", &server, "--token-file", &file, "--ca"])
        .arg(ca)
        .args(arguments)
        .output()?)
}

#[test]
fn viewers_read_and_strangers_do_not() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let made = system.json(&[
        "token", "create", "reader", "--role", "viewer", "--ttl", "1h",
    ])?;
    let secret = made["secret"].as_str().unwrap_or_default();
    assert!(
        as_token(&system, secret, &["get", "apis"])?
            .status
            .success()
    );
    let refused = as_token(&system, secret, &["app", "create", "x"])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let identity = as_token(&system, secret, &["whoami", "-o", "json"])?;
    assert!(
        String::from_utf8_lossy(&identity.stdout).contains("viewer"),
        "{identity:?}"
    );

    let edge = system.json(&["token", "create", "edge-token", "--role", "edge"])?;
    let edge = edge["secret"].as_str().unwrap_or_default();
    assert!(!as_token(&system, edge, &["get", "apis"])?.status.success());
    assert!(
        !as_token(&system, "tdg_nobody.nothing", &["get", "apis"])?
            .status
            .success()
    );

    system.ok(&["token", "revoke", made["id"].as_str().unwrap_or_default()])?;
    assert!(
        !as_token(&system, secret, &["get", "apis"])?
            .status
            .success()
    );
    Ok(())
}

#[test]
fn login_remembers_and_whoami_knows() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let home = tempfile::tempdir()?;
    let run = |arguments: &[&str]| -> anyhow::Result<Output> {
        Ok(Command::new(TIDEGATE)
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .args(arguments)
            .output()?)
    };
    let nowhere = run(&["whoami"])?;
    assert_eq!(nowhere.status.code(), Some(2), "{nowhere:?}");
    let endpoints = system.endpoints_file().display().to_string();
    assert!(run(&["--endpoints", &endpoints, "login"])?.status.success());
    let identity = run(&["whoami", "-o", "json"])?;
    assert!(
        String::from_utf8_lossy(&identity.stdout).contains("admin"),
        "{identity:?}"
    );
    let remembered = home.path().join("tidegate/login.json");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(remembered)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}
