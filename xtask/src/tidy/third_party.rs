//! Licences, sources and banned crates of everything that is built, by the lists in `deny.toml`.
//!
//! `cargo deny check` reads the same file and knows more (advisories above all); this part of it needs no tool.

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The registry every third-party crate must come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks `cargo metadata` with all dependencies against the text of `deny.toml`.
///
/// `built` names the crates that end up in a build; the lock file also has optional ones that do not.
pub(super) fn check(metadata: &Value, built: &[String], deny: &str) -> anyhow::Result<Vec<String>> {
    let allowed = quoted(deny, "\nallow = [")?;
    let banned = quoted(deny, "\ndeny = [")?;
    let packages = metadata["packages"]
        .as_array()
        .context("metadata lists packages")?;
    ensure!(
        !allowed.is_empty() && !banned.is_empty(),
        "deny.toml has no lists"
    );
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        let Some(source) = package["source"].as_str() else {
            continue;
        };
        if source != REGISTRY {
            complaints.push(format!("{name}: comes from {source}"));
        }
        let is_listed = |list: &[String]| list.iter().any(|known| known == name);
        if is_listed(&banned) && is_listed(built) {
            complaints.push(format!("{name} is banned by deny.toml"));
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_allowed(licence, &allowed) {
            complaints.push(format!(
                "{name}: licence {licence} is not on the list of deny.toml"
            ));
        }
    }
    Ok(complaints)
}

/// Evaluates an SPDX expression, or the older form with slashes: one alternative must be allowed, all its parts.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" OR ").any(|alternative| {
        alternative
            .split(" AND ")
            .all(|part| allowed.iter().any(|known| known == part.trim()))
    })
}

/// The quoted texts of a list; for `{ name = "x" }` those are the names.
fn quoted(text: &str, start: &str) -> anyhow::Result<Vec<String>> {
    let list = text
        .split(start)
        .nth(1)
        .with_context(|| format!("deny.toml has no {start:?}"))?;
    let list = list.split("\n]").next().unwrap_or_default();
    Ok(list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = "\nallow = [\n    \"MIT\",\n    \"Apache-2.0\",\n]\n\ndeny = [\n    { name = \"ring\" },\n]\n";

    fn complaints(name: &str, licence: &str, source: &str) -> usize {
        let package = json!({"name": name, "license": licence, "source": source});
        let metadata = json!({"packages": [package]});
        check(&metadata, &[name.to_owned()], DENY).unwrap().len()
    }

    #[test]
    fn one_alternative_with_all_its_parts_must_be_allowed() {
        assert_eq!(complaints("a", "MIT OR GPL-3.0", REGISTRY), 0);
        assert_eq!(complaints("a", "MIT/GPL-3.0", REGISTRY), 0);
        assert_eq!(complaints("a", "(MIT OR X) AND Apache-2.0", REGISTRY), 0);
        assert_eq!(complaints("a", "MIT AND GPL-3.0", REGISTRY), 1);
        assert_eq!(complaints("a", "GPL-3.0", REGISTRY), 1);
    }

    #[test]
    fn other_sources_and_banned_crates_are_refused() {
        assert_eq!(complaints("a", "MIT", "git+https://example.com/a"), 1);
        assert_eq!(complaints("ring", "MIT", REGISTRY), 1);
    }
}
