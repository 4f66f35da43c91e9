//! Every policy folder is complete.

use std::{fs, path::Path};

/// Files a policy folder must have.
const FILES: &[&str] = &["mod.rs", "config.rs", "README.md", "tests.rs"];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for entry in fs::read_dir(root.join("shared/policies/src"))? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        let is_policy = fs::read_to_string(folder.join("mod.rs"))
            .is_ok_and(|text| text.contains("impl PolicyKind for"));
        for file in FILES {
            if is_policy && !folder.join(file).exists() {
                complaints.push(format!("{}: {file} is missing", folder.display()));
            }
        }
    }
    Ok(complaints)
}
