//! Rules about single source files: size, names, leftovers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

/// Longest source file, in lines; tests are exempt.
const LINES_MAX: usize = 600;
/// Names that say nothing about what a module knows.
const BANNED_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

/// The Rust files under version control.
pub(super) fn tracked(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .current_dir(root)
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .output()
        .context("cannot run git ls-files")?;
    ensure!(output.status.success(), "git ls-files failed");
    let listing = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    Ok(listing
        .lines()
        .map(PathBuf::from)
        .filter(|path| root.join(path).exists())
        .collect())
}

pub(super) fn check(root: &Path, sources: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in sources {
        let text = fs::read_to_string(root.join(path))?;
        complaints.extend(check_one(path, &text));
    }
    Ok(complaints)
}

fn check_one(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |line: usize, what: &str| {
        complaints.push(format!("{}:{line}: {what}", path.display()));
    };
    let is_test = path.components().any(|part| part.as_os_str() == "tests")
        || path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with("tests.rs"));
    let lines = text.lines().count();
    if !is_test && lines > LINES_MAX {
        complain(
            lines,
            &format!("{lines} lines, at most {LINES_MAX}: cut it by subject"),
        );
    }
    for part in path.components() {
        let name = part.as_os_str().to_string_lossy();
        let stem = name.strip_suffix(".rs").unwrap_or(&name);
        if BANNED_NAMES.contains(&stem) {
            complain(
                1,
                &format!("{stem:?} says nothing: name the thing after what it knows"),
            );
        }
    }
    let is_root_of_docs = text
        .lines()
        .next()
        .is_none_or(|line| line.starts_with("//!"));
    if !is_test && !is_root_of_docs && !text.starts_with("#![") {
        complain(1, "a module opens with //! and what lives in it");
    }
    for (index, line) in text.lines().enumerate() {
        // Spelled apart, so that this file does not complain about itself.
        let marker = concat!("TO", "DO");
        if let Some(rest) = line.split(marker).nth(1)
            && !rest.starts_with("(#")
        {
            complain(index + 1, &format!("{marker} without an issue number"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check_one(Path::new(path), text).len()
    }

    #[test]
    fn a_plain_module_passes() {
        assert_eq!(complaints("edge/src/route.rs", "//! Routes.\n"), 0);
    }

    #[test]
    fn long_files_are_refused_unless_they_are_tests() {
        let long = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
        assert_eq!(complaints("edge/src/route.rs", &long), 1);
        assert_eq!(complaints("edge/src/tests.rs", &long), 0);
    }

    #[test]
    fn empty_names_and_nameless_leftovers_are_refused() {
        assert_eq!(complaints("edge/src/utils.rs", "//! Things.\n"), 1);
        assert_eq!(
            complaints("edge/src/route.rs", concat!("//! R.\n// TO", "DO later\n")),
            1
        );
        assert_eq!(
            complaints(
                "edge/src/route.rs",
                concat!("//! R.\n// TO", "DO(#12) then\n")
            ),
            0
        );
    }

    #[test]
    fn a_module_without_a_word_about_itself_is_refused() {
        assert_eq!(complaints("edge/src/route.rs", "fn route() {}\n"), 1);
    }
}
