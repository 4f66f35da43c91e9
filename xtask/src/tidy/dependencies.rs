//! Which crate may use which: the arrows of the architecture, checked against `cargo metadata`.

use anyhow::Context as _;
use serde_json::Value;

/// What one crate may use of the workspace, and what it must never use of the outside.
struct Rule {
    name: &'static str,
    workspace: &'static [&'static str],
    never: &'static [&'static str],
}

/// What a crate without I/O keeps away from: runtimes, sockets, clocks.
const RUNTIME: &[&str] = &["tokio", "tonic", "hyper", "tracing", "rand"];

/// What a crate that also knows nothing of the wire keeps away from.
const PURE: &[&str] = &[
    "tokio",
    "tonic",
    "hyper",
    "tracing",
    "rand",
    "tidegate-proto",
];

const RULES: &[Rule] = &[
    Rule {
        name: "tidegate-proto",
        workspace: &[],
        never: &[],
    },
    Rule {
        name: "tidegate-model",
        workspace: &[],
        never: PURE,
    },
    Rule {
        name: "tidegate-expression",
        workspace: &["tidegate-model"],
        never: PURE,
    },
    Rule {
        name: "tidegate-policy",
        workspace: &["tidegate-model", "tidegate-expression"],
        never: PURE,
    },
    Rule {
        name: "tidegate-policies",
        workspace: &[
            "tidegate-model",
            "tidegate-expression",
            "tidegate-jolt",
            "tidegate-keystore",
            "tidegate-policy",
            "tidegate-xsd",
            "tidegate-xslt",
        ],
        // Policies tell the log what they let pass; all else reaches the outside through their services.
        never: &["tokio", "tonic", "hyper", "rand", "tidegate-proto"],
    },
    Rule {
        name: "tidegate-jolt",
        workspace: &[],
        never: PURE,
    },
    Rule {
        name: "tidegate-xsd",
        workspace: &[],
        never: PURE,
    },
    Rule {
        name: "tidegate-keystore",
        workspace: &[],
        never: PURE,
    },
    Rule {
        name: "tidegate-xslt",
        workspace: &[],
        never: PURE,
    },
    Rule {
        name: "tidegate-check",
        workspace: &[
            "tidegate-expression",
            "tidegate-jolt",
            "tidegate-keystore",
            "tidegate-model",
            "tidegate-policies",
        ],
        never: PURE,
    },
    Rule {
        name: "tidegate-view",
        workspace: &["tidegate-model"],
        never: PURE,
    },
    // Its state machines speak in protocol messages, and still know no runtime.
    Rule {
        name: "tidegate-sync",
        workspace: &["tidegate-model", "tidegate-proto", "tidegate-view"],
        never: RUNTIME,
    },
    Rule {
        name: "tidegate-wire",
        workspace: &["tidegate-model"],
        never: &["tokio", "hyper"],
    },
    Rule {
        name: "tidegate-telemetry",
        workspace: &[],
        never: &["tonic"],
    },
    Rule {
        name: "tidegate-state",
        workspace: &["tidegate-model"],
        never: PURE,
    },
    Rule {
        name: "tidegate-storage",
        workspace: &["tidegate-state"],
        never: &["openraft", "tokio", "tonic"],
    },
    Rule {
        name: "tidegate-consensus",
        workspace: &[
            "tidegate-state",
            "tidegate-storage",
            "tidegate-wire",
            "tidegate-proto",
            "tidegate-telemetry",
        ],
        never: &["rocksdb"],
    },
    Rule {
        name: "tidegate-control-plane",
        workspace: &[
            "tidegate-check",
            "tidegate-consensus",
            "tidegate-jolt",
            "tidegate-model",
            "tidegate-policies",
            "tidegate-proto",
            "tidegate-state",
            "tidegate-storage",
            "tidegate-sync",
            "tidegate-telemetry",
            "tidegate-view",
            "tidegate-wire",
        ],
        never: &["openraft", "rocksdb"],
    },
    Rule {
        name: "tidegate-edge-resources",
        workspace: &[
            "tidegate-expression",
            "tidegate-model",
            "tidegate-policies",
            "tidegate-policy",
        ],
        never: &["tonic"],
    },
    Rule {
        name: "tidegate-edge-http",
        workspace: &[
            "tidegate-edge-resources",
            "tidegate-expression",
            "tidegate-keystore",
            "tidegate-model",
            "tidegate-policies",
            "tidegate-policy",
            "tidegate-telemetry",
        ],
        never: &["tonic"],
    },
    Rule {
        name: "tidegate-edge-tcp",
        workspace: &["tidegate-edge-http", "tidegate-model", "tidegate-telemetry"],
        never: &["tonic"],
    },
    Rule {
        name: "tidegate-edge",
        workspace: &[
            "tidegate-keystore",
            "tidegate-edge-http",
            "tidegate-edge-tcp",
            "tidegate-model",
            "tidegate-policies",
            "tidegate-proto",
            "tidegate-sync",
            "tidegate-telemetry",
            "tidegate-view",
            "tidegate-wire",
        ],
        never: &["openraft", "rocksdb"],
    },
    Rule {
        name: "tidegate-cli",
        workspace: &[
            "tidegate-check",
            "tidegate-model",
            "tidegate-policies",
            "tidegate-proto",
            "tidegate-wire",
        ],
        never: &["openraft", "rocksdb"],
    },
    Rule {
        name: "tidegate-testkit",
        workspace: &[],
        never: &[],
    },
    Rule {
        name: "tidegate-benches",
        workspace: &["tidegate-edge-http", "tidegate-model", "tidegate-testkit"],
        never: &["openraft", "rocksdb"],
    },
    Rule {
        name: "xtask",
        workspace: &[],
        never: &[],
    },
];

pub(super) fn check(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"]
        .as_array()
        .context("metadata lists packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            complaints.push(format!("{name}: no dependency rule, add one to xtask"));
            continue;
        };
        let dependencies = package["dependencies"]
            .as_array()
            .context("dependencies are listed")?;
        for dependency in dependencies {
            let used = dependency["name"]
                .as_str()
                .context("a dependency has a name")?;
            // Tests may use what they like; programs may not.
            let is_normal = dependency["kind"].is_null();
            if is_normal && let Some(complaint) = judge(rule, used) {
                complaints.push(complaint);
            }
        }
    }
    Ok(complaints)
}

fn judge(rule: &Rule, used: &str) -> Option<String> {
    let ours = used.starts_with("tidegate-");
    if rule.never.contains(&used) {
        return Some(format!("{} must never use {used}", rule.name));
    }
    if ours && !rule.workspace.contains(&used) {
        return Some(format!(
            "{} may not use {used}: the arrow points the other way",
            rule.name
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(name: &str, used: &str, kind: Option<&str>) -> usize {
        let metadata =
            json!({"packages": [{"name": name, "dependencies": [{"name": used, "kind": kind}]}]});
        check(&metadata).unwrap().len()
    }

    #[test]
    fn arrows_point_one_way() {
        assert_eq!(complaints("tidegate-policy", "tidegate-model", None), 0);
        assert_eq!(complaints("tidegate-model", "tidegate-policy", None), 1);
    }

    #[test]
    fn pure_crates_stay_free_of_a_runtime_outside_their_tests() {
        assert_eq!(complaints("tidegate-state", "tokio", None), 1);
        assert_eq!(complaints("tidegate-state", "tokio", Some("dev")), 0);
    }

    #[test]
    fn only_consensus_sees_openraft() {
        assert_eq!(complaints("tidegate-consensus", "openraft", None), 0);
        assert_eq!(complaints("tidegate-control-plane", "openraft", None), 1);
    }

    #[test]
    fn a_crate_without_a_rule_is_noticed() {
        assert_eq!(complaints("tidegate-new", "serde", None), 1);
    }
}
