//! Runs every fuzz target for a while.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

/// Longest input a target is given, in bytes.
const INPUT_BYTES_MAX: u32 = 65_536;

/// Runs each target of `fuzz/` for the given number of minutes; stops at the first finding.
pub(crate) fn run(root: &Path, minutes: u32) -> anyhow::Result<()> {
    let targets = root.join("fuzz").join("fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(&targets)
        .with_context(|| format!("no targets in {}", targets.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    for name in names {
        let corpus = root.join("fuzz").join("corpus").join(&name);
        fs::create_dir_all(&corpus)?;
        let seeds = root.join("fuzz").join("seeds").join(&name);
        let status = Command::new("cargo")
            .current_dir(root)
            // The instrumentation needs unstable flags of an otherwise stable compiler.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", &name])
            // What is found goes to the first folder; the others are only read.
            .arg(&corpus)
            .args(seeds.exists().then_some(&seeds))
            .arg("--")
            .arg(format!("-max_total_time={}", minutes.saturating_mul(60)))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .status()
            .context("cargo-fuzz is missing: cargo install cargo-fuzz")?;
        ensure!(status.success(), "fuzz target {name} found something");
    }
    Ok(())
}
