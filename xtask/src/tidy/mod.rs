//! Rules of the project that no compiler checks. Each rule is a function from what is there to a
//! list of complaints.

mod dependencies;
mod files;
mod policies;
mod third_party;

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};

/// Runs every rule and fails with all complaints.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let sources = files::tracked(root)?;
    let mut complaints = files::check(root, &sources)?;
    complaints.extend(dependencies::check(&metadata(root, &["--no-deps"])?)?);
    let deny = fs::read_to_string(root.join("deny.toml")).context("cannot read deny.toml")?;
    complaints.extend(third_party::check(
        &metadata(root, &[])?,
        &built(root)?,
        &deny,
    )?);
    complaints.extend(policies::check(root)?);
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("{} complaints\n{}", complaints.len(), complaints.join("\n"))
}

fn metadata(root: &Path, options: &[&str]) -> anyhow::Result<serde_json::Value> {
    let json = cargo(
        root,
        &[&["metadata", "--format-version", "1", "--locked"], options].concat(),
    )?;
    serde_json::from_str(&json).context("cargo metadata is JSON")
}

/// Names of all crates that are built for some target.
fn built(root: &Path) -> anyhow::Result<Vec<String>> {
    let tree = [
        "tree",
        "--locked",
        "--workspace",
        "--target",
        "all",
        "--prefix",
        "none",
    ];
    let listing = cargo(root, &[&tree[..], &["--format", "{p}"]].concat())?;
    Ok(listing
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run cargo {arguments:?}"))?;
    if !output.status.success() {
        bail!(
            "cargo {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).context("cargo prints UTF-8")
}
