//! Settings as the process takes them from its environment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::Command;

/// What `--check-config` prints with these variables and flags, and nothing else set.
fn settings(variables: &[(&str, &str)], flags: &[&str]) -> String {
    let pin = "ab".repeat(32);
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate-edge"))
        .env_clear()
        .env("TIDEGATE_CONTROL", "https://127.0.0.1:7400")
        .env("TIDEGATE_CA", "ca.pem")
        .env("TIDEGATE_TRUST", pin)
        .env("TIDEGATE_TOKEN_FILE", "token")
        .envs(variables.iter().copied())
        .arg("--check-config")
        .args(flags)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

fn has(settings: &str, line: &str) -> bool {
    settings.lines().any(|found| found.trim() == line)
}

#[test]
fn an_edge_has_a_worker_per_core_and_no_access_log_unless_told() {
    let cores = std::thread::available_parallelism().unwrap();
    let settings = settings(&[], &[]);
    assert!(has(&settings, &format!("workers: {cores},")), "{settings}");
    assert!(has(&settings, "access_log: None,"), "{settings}");
}

#[test]
fn variables_set_what_flags_do_not() {
    let variables = [
        ("TIDEGATE_WORKERS", "3"),
        ("TIDEGATE_ACCESS_LOG", "/tmp/access.log"),
    ];
    let from_variables = settings(&variables, &[]);
    assert!(has(&from_variables, "workers: 3,"), "{from_variables}");
    assert!(
        from_variables.contains("\"/tmp/access.log\""),
        "{from_variables}"
    );
    let from_flags = settings(&variables, &["--workers", "2", "--access-log", "-"]);
    assert!(has(&from_flags, "workers: 2,"), "{from_flags}");
    assert!(from_flags.contains("Stdout"), "{from_flags}");
}

#[test]
fn the_access_log_is_off_by_any_of_its_spellings() {
    for off in ["off", ""] {
        let settings = settings(&[("TIDEGATE_ACCESS_LOG", off)], &[]);
        assert!(has(&settings, "access_log: None,"), "{off:?}: {settings}");
    }
}
