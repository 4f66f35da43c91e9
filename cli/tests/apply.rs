//! Definitions in every spelling: what is taken, what is refused and how it is said, what comes back.

mod definitions;

use definitions::{TIDEGATE, keyless, keyless_with};
use serde_json::{Value, json};
use tidegate_testkit::{System, Upstream, http};

fn runtime(upstream: std::net::SocketAddr) -> String {
    json!({
        "id": "runtime-api",
        "name": "Runtime",
        "type": "proxy",
        "gravitee": "4.0.0",
        "apiVersion": "1.0",
        "listeners": [{
            "type": "http",
            "paths": [{"path": "/runtime"}],
            "entrypoints": [{"type": "http-proxy"}]
        }],
        "endpointGroups": [{
            "name": "default",
            "type": "http-proxy",
            "endpoints": [{
                "name": "first",
                "type": "http-proxy",
                "configuration": {"target": format!("http://{upstream}")}
            }]
        }],
        "plans": [{
            "id": "runtime-plan",
            "name": "Free",
            "security": {"type": "key-less"},
            "status": "published"
        }]
    })
    .to_string()
}

fn envelope(upstream: std::net::SocketAddr) -> String {
    json!({
        "api": {
            "id": "envelope-api",
            "name": "Envelope",
            "type": "PROXY",
            "definitionVersion": "V4",
            "apiVersion": "1.0",
            "visibility": "PUBLIC",
            "listeners": [{
                "type": "HTTP",
                "paths": [{"path": "/envelope"}],
                "entrypoints": [{"type": "http-proxy", "qos": "AUTO"}]
            }],
            "endpointGroups": [{
                "name": "default",
                "type": "http-proxy",
                "loadBalancer": {"type": "ROUND_ROBIN"},
                "endpoints": [{
                    "name": "first",
                    "type": "http-proxy",
                    "configuration": {"target": format!("http://{upstream}")}
                }]
            }],
            "flowExecution": {"mode": "BEST_MATCH"}
        },
        "members": [{"id": "m", "displayName": "Somebody"}],
        "metadata": [{"key": "team", "name": "team", "format": "STRING", "value": "blue"}],
        "pages": [{"id": "page", "name": "Home", "type": "MARKDOWN", "content": "# Hello"}],
        "plans": [{
            "id": "envelope-plan",
            "name": "Free",
            "mode": "STANDARD",
            "security": {"type": "KEY_LESS"},
            "status": "PUBLISHED"
        }]
    })
    .to_string()
}

fn manifest(upstream: std::net::SocketAddr) -> String {
    format!(
        "apiVersion: gravitee.io/v1alpha1
kind: ApiV4Definition
metadata:
  name: manifest
spec:
  name: Manifest
  version: '1.0'
  type: PROXY
  state: STARTED
  definitionContext:
    syncFrom: MANAGEMENT
  listeners:
    - type: HTTP
      paths:
        - path: /manifest
      entrypoints:
        - type: http-proxy
  endpointGroups:
    - name: default
      type: http-proxy
      endpoints:
        - name: first
          type: http-proxy
          configuration:
            target: http://{upstream}
  plans:
    KeyLess:
      name: Free
      security:
        type: KEY_LESS
"
    )
}

#[test]
fn all_spellings_are_served_and_come_back_equal_in_meaning() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("spelled")?;
    let address = upstream.address();
    for (name, path, text) in [
        ("Runtime", "/runtime", runtime(address)),
        ("Envelope", "/envelope", envelope(address)),
        ("Manifest", "/manifest", manifest(address)),
        ("Native", "/native", keyless("Native", "/native", address)),
    ] {
        system.deploy(&format!("{name}.yaml"), &text)?;
        assert_eq!(http::get(system.edge(0)?, path)?.status, 200, "{name}");
        for format in ["tidegate", "gravitee", "gko"] {
            let exported = system.ok(&["export", name, "--format", format])?;
            let file = system.write("exported.yaml", &exported)?;
            let diff = system.json(&["diff", "-f", &file])?;
            assert_eq!(
                diff[0]["outcome"], "unchanged",
                "{name} as {format}: {diff}\n{exported}"
            );
        }
    }
    let exported: Value =
        serde_json::from_str(&system.ok(&["export", "Envelope", "--format", "gravitee"])?)?;
    for kept in ["members", "metadata", "pages"] {
        assert_eq!(
            exported[kept].as_array().map(Vec::len),
            Some(1),
            "{kept} of {exported}"
        );
    }
    assert_eq!(exported["api"]["type"], "PROXY");
    assert_eq!(exported["plans"][0]["security"]["type"], "KEY_LESS");
    Ok(())
}

#[test]
fn every_violation_is_reported_with_place_value_and_expectation() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let broken = "apiVersion: tidegate/v1
kind: Api
metadata:
  name: Broken
spec:
  type: proxy
  apiVersion: '1.0'
  listeners:
    - type: http
      paths: []
      entrypoints:
        - type: http-proxy
    - type: http
      paths:
        - path: /ok
      entrypoints: []
  endpointGroups:
    - name: 'a:b'
      type: http-proxy
      endpoints:
        - name: first
          type: http-proxy
          configuration:
            target: 'ftp://nowhere'
  flows:
    - selectors:
        - type: http
          path: /a
        - type: http
          path: /b
      request:
        - policy: transform-headers
          configuration:
            addHeaders: 7
  plans:
    - name: Free
      status: publishedd
      security:
        type: key-less
";
    let file = system.write("broken.yaml", broken)?;
    let said = system.refused(&["apply", "-f", &file])?;
    for place in [
        "listeners[0].paths",
        "listeners[1]",
        "endpointGroups[0].name",
        "endpointGroups[0].endpoints[0]",
        "flows[0].selectors",
        "plans[0].status",
        "flows[0].request[0].configuration",
    ] {
        assert!(said.contains(place), "{place} is not in: {said}");
    }
    assert!(said.contains("publishedd"), "the value is shown: {said}");
    assert!(
        said.contains("staging"),
        "what was expected is shown: {said}"
    );
    system.refused(&["get", "api", "Broken"])?;
    Ok(())
}

#[test]
fn a_batch_is_stored_whole_or_not_at_all() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("batch")?;
    let good = keyless("Good", "/good", upstream.address());
    let bad = keyless("Bad", "/bad", upstream.address()).replace("type: proxy", "type: proxxy");
    let file = system.write("batch.yaml", &format!("{good}---\n{bad}"))?;
    system.refused(&["apply", "-f", &file])?;
    system.refused(&["get", "api", "Good"])?;
    let also_good = keyless("AlsoGood", "/also-good", upstream.address());
    let file = system.write("batch.yaml", &format!("{good}---\n{also_good}"))?;
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    assert_eq!(http::get(system.edge(0)?, "/also-good")?.status, 200);
    Ok(())
}

#[test]
fn paths_are_unique_in_the_environment() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("conflict")?;
    let file = system.write("one.yaml", &keyless("One", "/a/b", upstream.address()))?;
    system.ok(&["apply", "-f", &file])?;
    for path in ["/a/b", "/a", "/a/b/c", "/"] {
        let file = system.write("two.yaml", &keyless("Two", path, upstream.address()))?;
        let said = system.refused(&["apply", "-f", &file])?;
        assert!(said.contains("listeners[0].paths[0]"), "{path}: {said}");
    }
    let file = system.write("two.yaml", &keyless("Two", "/ab", upstream.address()))?;
    system.ok(&["apply", "-f", &file])?;
    Ok(())
}

#[test]
fn hostile_documents_are_refused_with_a_reason() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let laughs = (0..12).fold(String::from("a0: &a0 [lol, lol]\n"), |text, level| {
        let list = format!("[*a{level}, *a{level}, *a{level}, *a{level}, *a{level}, *a{level}]");
        format!("{text}a{}: &a{} {list}\n", level + 1, level + 1)
    });
    for (what, content) in [
        ("nothing", Vec::new()),
        ("no object", b"[1, 2".to_vec()),
        ("nesting", deep.into_bytes()),
        ("aliases", laughs.into_bytes()),
        (
            "a duplicate key",
            b"{\"name\": \"a\", \"name\": \"b\", \"type\": \"proxy\"}".to_vec(),
        ),
        ("an encoding", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("size", vec![b' '; 4 * 1024 * 1024 + 1]),
        (
            "a wrong type",
            b"{\"name\": 7, \"type\": \"proxy\", \"gravitee\": \"4.0.0\"}".to_vec(),
        ),
    ] {
        let file = system.data_dir().join("hostile.json");
        std::fs::write(&file, &content)?;
        let said = system.refused(&["apply", "-f", &file.display().to_string()])?;
        assert!(said.len() > 10 && !said.contains("panic"), "{what}: {said}");
    }
    assert_eq!(system.json(&["get", "apis"])?, json!([]));
    Ok(())
}

#[test]
fn unknown_things_are_kept_reported_and_never_deployed_blindly() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("unknown")?;
    let flow = "  madeUpField:
    nested: [1, 2]
  flows:
    - name: strange
      request:
        - policy: from-the-future
          enabled: ENABLED
          configuration:
            anything: 1
";
    let with = |enabled: &str| {
        keyless_with(
            "Odd",
            "/odd",
            upstream.address(),
            &flow.replace("ENABLED", enabled),
        )
    };
    let file = system.write("odd.yaml", &with("true"))?;
    let applied = system.json(&["apply", "-f", &file])?;
    let notices = applied[0]["notices"].to_string();
    assert!(notices.contains("madeUpField"), "{notices}");
    assert!(notices.contains("from-the-future"), "{notices}");
    let exported = system.ok(&["export", "Odd"])?;
    assert!(
        exported.contains("madeUpField") && exported.contains("from-the-future"),
        "{exported}"
    );

    let said = system.refused(&["deploy", "Odd"])?;
    assert!(said.contains("from-the-future"), "{said}");
    assert!(said.contains("flows[0].request[0]"), "{said}");
    assert_eq!(http::get(system.edge(0)?, "/odd")?.status, 404);

    // A disabled step does nothing, whoever wrote the policy.
    system.deploy("odd.yaml", &with("false"))?;
    assert_eq!(http::get(system.edge(0)?, "/odd")?.status, 200);
    Ok(())
}

#[test]
fn the_second_of_two_editors_gets_a_conflict() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("edited")?;
    let file = system.write(
        "api.yaml",
        &keyless("Edited", "/edited", upstream.address()),
    )?;
    system.ok(&["apply", "-f", &file])?;
    // Both export the same version; the export carries its etag.
    let exported = system.ok(&["export", "Edited"])?;
    let first = system.write("first.yaml", &exported.replace("/edited", "/first"))?;
    let second = system.write("second.yaml", &exported.replace("/edited", "/second"))?;
    system.ok(&["apply", "-f", &first])?;
    let said = system.refused(&["apply", "-f", &second])?;
    assert!(
        said.contains("stored etag") && said.contains("your etag"),
        "{said}"
    );
    let now = system.ok(&["export", "Edited"])?;
    assert!(
        now.contains("/first") && !now.contains("/second"),
        "an update was lost: {now}"
    );
    Ok(())
}

#[test]
fn a_dry_run_says_what_would_happen_and_stores_nothing() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("dry")?;
    let file = system.write("dry.yaml", &keyless("Dry", "/dry", upstream.address()))?;
    let said = system.ok(&["apply", "-f", &file, "--dry-run"])?;
    assert!(said.contains("created"), "{said}");
    system.refused(&["get", "api", "Dry"])?;
    system.ok(&["apply", "-f", &file])?;
    let again = system.json(&["apply", "-f", &file])?;
    assert_eq!(again[0]["outcome"], "unchanged", "{again}");
    let file = system.write("dry.yaml", &keyless("Dry", "/drier", upstream.address()))?;
    let diff = system.ok(&["diff", "-f", &file])?;
    assert!(diff.contains("/dry") && diff.contains("/drier"), "{diff}");
    Ok(())
}

#[test]
fn lint_needs_no_cluster() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("api.yaml");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    std::fs::write(&file, keyless("Linted", "/linted", address))?;
    let lint = || {
        std::process::Command::new(TIDEGATE)
            .arg("lint")
            .arg("-f")
            .arg(&file)
            .output()
    };
    assert!(lint()?.status.success());
    std::fs::write(
        &file,
        keyless("Linted", "/linted", address).replace("key-less", "key-full"),
    )?;
    let output = lint()?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("plans[0].security.type"), "{said}");
    Ok(())
}

#[test]
fn the_definitions_shown_in_the_documentation_are_valid() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let page = |name| {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/");
        std::fs::read_to_string(format!("{docs}{name}"))
    };
    let pages = [page("apis.md")?, page("shared.md")?].concat();
    let examples: Vec<&str> = pages
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        // Parts of documents say no version.
        .filter(|example| example.contains("apiVersion"))
        .collect();
    assert!(!examples.is_empty(), "the page shows no definition");
    for (index, example) in examples.iter().enumerate() {
        let file = folder.path().join(format!("example-{index}.yaml"));
        std::fs::write(&file, example)?;
        let output = std::process::Command::new(TIDEGATE)
            .args(["lint", "-f"])
            .arg(&file)
            .output()?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(())
}
