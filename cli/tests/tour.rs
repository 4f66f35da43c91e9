//! The tour of the README, command by command, on a fresh system.

mod definitions;

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};
use definitions::TIDEGATE;
use tidegate_testkit::System;

/// A command of the tour and the lines its output must contain.
#[derive(Debug, Default)]
struct Step {
    command: String,
    expected: Vec<String>,
}

#[test]
fn the_tour_works_as_written() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &[])?;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))?;
    let steps = steps(&readme);
    ensure!(steps.len() > 10, "only {} commands found", steps.len());
    let programs = Path::new(TIDEGATE)
        .parent()
        .context("the program lies somewhere")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let upstream = std::fs::read_to_string(system.endpoints_file())?;
    let upstream: serde_json::Value = serde_json::from_str(&upstream)?;
    let upstream = upstream["upstream"]
        .as_str()
        .context("the upstream has an address")?;
    for step in steps {
        let command = step
            .command
            .replace("127.0.0.1:8082", &system.edge(0)?.to_string())
            .replace("127.0.0.1:9900", upstream);
        let output = Command::new("sh")
            .args(["-ec", &command])
            .current_dir(system.data_dir())
            .env("PATH", &path)
            .env("TIDEGATE_ENDPOINTS", system.endpoints_file())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "{command} ended with {}: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        for line in step.expected {
            ensure!(
                said.contains(line.trim()),
                "{command}\nsaid: {said}\nexpected: {line}"
            );
        }
    }
    Ok(())
}

/// Reads the `console` blocks: `$` starts a command, a here-document belongs to it, the rest is output.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    let mut here_document = false;
    for line in readme.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    here_document = command.contains("<<'YAML'");
                    steps.push(Step {
                        command: command.to_owned(),
                        expected: Vec::new(),
                    });
                }
                (None, Some(step)) if here_document => {
                    step.command.push('\n');
                    step.command.push_str(line);
                    here_document = line != "YAML";
                }
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => {}
            },
        }
    }
    steps
}
