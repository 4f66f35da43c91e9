//! Rules of the project that no compiler checks. Each rule is a function from what is there to a
//! list of complaints.

mod dependencies;
mod files;
mod policies;

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail};

/// Runs every rule and fails with all complaints.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let sources = files::tracked(root)?;
    let mut complaints = files::check(root, &sources)?;
    complaints.extend(dependencies::check(&metadata(root)?)?);
    complaints.extend(policies::check(root)?);
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("{} complaints\n{}", complaints.len(), complaints.join("\n"))
}

fn metadata(root: &Path) -> anyhow::Result<serde_json::Value> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata is JSON")
}
