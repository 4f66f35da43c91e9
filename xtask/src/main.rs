//! Tooling of the project: checks that no compiler makes, generated documentation, fuzzing.

mod docs;
mod fuzz;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

const USAGE: &str = "usage: cargo xtask tidy | docs [--check] | fuzz MINUTES";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root()?;
    match arguments.as_slice() {
        ["tidy"] => tidy::run(&root),
        ["docs"] => docs::write(&root),
        ["docs", "--check"] => docs::check(&root),
        ["fuzz", minutes] => fuzz::run(&root, minutes.parse().context("MINUTES is a number")?),
        _ => bail!(USAGE),
    }
}

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here
        .parent()
        .context("xtask lies in the workspace")?
        .to_owned())
}
