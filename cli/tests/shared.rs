//! What APIs share: policy groups, dictionaries, the organisation's flows.

mod definitions;

use std::{net::SocketAddr, time::Duration};

use definitions::{TIDEGATE, keyed, keyless_with};
use tidegate_testkit::{System, Upstream, eventually, http};

const SOON: Duration = Duration::from_secs(30);

/// A group that adds a header to requests; the upstream's echo shows it.
fn group(value: &str) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: SharedPolicyGroup
metadata:
  name: Stamp
  id: stamp
spec:
  crossId: stamp-everywhere
  apiType: proxy
  phase: response
  steps:
    - policy: transform-headers
      name: stamp
      configuration:
        addHeaders:
          - name: X-Stamp
            value: '{value}'
"
    )
}

/// An API whose response steps name a group.
fn user_of(name: &str, reference: &str, upstream: SocketAddr) -> String {
    let flows = format!(
        "  flows:
    - name: stamped
      response:
        - policy: shared-policy-group-policy
          configuration:
            sharedPolicyGroupId: {reference}
"
    );
    keyless_with(name, &format!("/{name}"), upstream, &flows)
}

fn header(system: &System, path: &str, name: &str) -> anyhow::Result<Option<String>> {
    let answer = http::get(system.edge(0)?, path)?;
    Ok(answer.header(name).map(str::to_owned))
}

fn number_of(system: &System, api: &str) -> anyhow::Result<u64> {
    let api = system.json(&["get", "api", api])?;
    Ok(api["deploymentNumber"].as_u64().unwrap_or_default())
}

#[test]
fn a_shared_policy_group_runs_in_every_api_that_names_it() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    // The APIs come first in the file: what they share is stored before them all the same.
    let both = format!(
        "{}---\n{}---\n{}",
        user_of("by-id", "stamp", upstream.address()),
        user_of("by-cross-id", "stamp-everywhere", upstream.address()),
        group("one"),
    );
    let file = system.write("both.yaml", &both)?;
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    for path in ["/by-id", "/by-cross-id"] {
        assert_eq!(header(&system, path, "x-stamp")?.as_deref(), Some("one"));
    }
    let file = system.write("group.yaml", &group("two"))?;
    system.ok(&["apply", "-f", &file])?;
    let stored = system.json(&["get", "shared-policy-group", "Stamp"])?;
    assert_eq!(stored["deploymentState"], "NEED_REDEPLOY", "{stored}");
    assert_eq!(
        stored["usedBy"].as_array().map(Vec::len),
        Some(2),
        "{stored}"
    );
    assert_eq!(
        header(&system, "/by-id", "x-stamp")?.as_deref(),
        Some("one")
    );

    system.ok(&[
        "deploy",
        "Stamp",
        "--kind",
        "shared-policy-group",
        "--label",
        "second",
        "--wait",
    ])?;
    for path in ["/by-id", "/by-cross-id"] {
        assert_eq!(header(&system, path, "x-stamp")?.as_deref(), Some("two"));
    }
    for api in ["by-id", "by-cross-id"] {
        assert_eq!(
            number_of(&system, api)?,
            1,
            "the APIs were not deployed again"
        );
    }
    let history = system.json(&["history", "stamp", "--kind", "shared-policy-group"])?;
    assert_eq!(history[0]["label"], "second", "{history}");
    assert_eq!(history[0]["current"], true);
    assert_eq!(history.as_array().map(Vec::len), Some(2));
    for format in ["tidegate", "gravitee", "gko"] {
        let kind = ["export", "Stamp", "--kind", "spg", "--format", format];
        let exported = system.ok(&kind)?;
        if format != "gko" {
            let file = system.write("again.yaml", &exported)?;
            let again = system.json(&["apply", "-f", &file])?;
            assert_eq!(again[0]["outcome"], "unchanged", "{format}: {again}");
        }
    }
    Ok(())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn a_group_is_neither_missing_nor_taken_away_silently() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    let api = user_of("shop", "stamp-everywhere", upstream.address());
    let api = system.write("api.yaml", &api)?;
    let applied = system.run(&["apply", "-f", &api])?;
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    assert!(
        applied.stderr.contains("stamp-everywhere"),
        "{}",
        applied.stderr
    );
    let said = system.refused(&["deploy", "shop"])?;
    assert!(
        said.contains("stamp-everywhere") && said.contains("exists"),
        "{said}"
    );

    let file = system.write("group.yaml", &group("one"))?;
    system.ok(&["apply", "-f", &file])?;
    let said = system.refused(&["apply", "-f", &api, "--deploy"])?;
    assert!(said.contains("deploy this one first"), "{said}");
    system.ok(&["deploy", "Stamp", "--kind", "spg", "--wait"])?;
    system.ok(&["apply", "-f", &api, "--deploy", "--wait"])?;
    assert_eq!(header(&system, "/shop", "x-stamp")?.as_deref(), Some("one"));

    for command in [
        &["delete", "shared-policy-group", "Stamp"][..],
        &["undeploy", "Stamp", "--kind", "spg"],
    ] {
        let said = system.refused(command)?;
        assert!(
            said.contains("is deployed with it") || said.contains("in its draft"),
            "{said}"
        );
    }
    for (change, expected) in [
        (("phase: response", "phase: request"), "keeps its phase"),
        (
            (
                "policy: transform-headers",
                "policy: shared-policy-group-policy",
            ),
            "nest",
        ),
        (("addHeaders", "addHeader5"), ""),
        (("value: 'one'", "value: '{#broken['"), "steps[0]"),
    ] {
        let changed = group("one").replace(change.0, change.1);
        let file = system.write("changed.yaml", &changed)?;
        let ran = system.run(&["apply", "-f", &file])?;
        match expected {
            "" => assert_eq!(ran.code, 0, "an unknown member is a notice: {}", ran.stderr),
            expected => assert!(
                ran.code == 1 && ran.stderr.contains(expected),
                "{}",
                ran.stderr
            ),
        }
    }
    let wrong_phase = user_of("shop", "stamp", upstream.address()).replace("response:", "request:");
    let wrong_phase = system.write("wrong.yaml", &wrong_phase)?;
    let said = system.refused(&["apply", "-f", &wrong_phase, "--deploy"])?;
    assert!(said.contains("phase"), "{said}");

    system.ok(&["stop", "shop"])?;
    system.ok(&["delete", "api", "shop", "--close-plans"])?;
    system.ok(&["delete", "shared-policy-group", "Stamp"])?;
    assert_eq!(
        system
            .json(&["get", "shared-policy-groups"])?
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    Ok(())
}

const ROUTING: &str = "apiVersion: tidegate/v1
kind: Dictionary
metadata:
  name: Routing Table
spec:
  type: manual
  properties:
    DE: VALUE
    port: 8080
";

/// An API that answers with an entry of a dictionary.
fn reader(upstream: SocketAddr) -> String {
    let flows = "  flows:
    - name: read
      response:
        - policy: transform-headers
          configuration:
            addHeaders:
              - name: X-Entry
                value: \"{#dictionaries['routing-table'] != null ? #dictionaries['routing-table']['DE'] : 'none'}\"
";
    keyless_with("reader", "/reader", upstream, flows)
}

#[test]
fn entries_of_a_dictionary_change_without_a_deployment_of_the_apis() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    let entry = || header(&system, "/reader", "x-entry");
    system.deploy("reader.yaml", &reader(upstream.address()))?;
    assert_eq!(entry()?.as_deref(), Some("none"));
    let file = system.write("routing.yaml", &ROUTING.replace("VALUE", "eu-1"))?;
    system.ok(&["apply", "-f", &file])?;
    assert_eq!(entry()?.as_deref(), Some("none"), "a draft changes nothing");
    system.ok(&["deploy", "Routing Table", "--kind", "dictionary", "--wait"])?;
    assert_eq!(entry()?.as_deref(), Some("eu-1"));
    let file = system.write("routing.yaml", &ROUTING.replace("VALUE", "eu-2"))?;
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    assert_eq!(entry()?.as_deref(), Some("eu-2"));
    let again = system.json(&["apply", "-f", &file, "--deploy"])?;
    assert_eq!(again[0]["outcome"], "unchanged");
    assert_eq!(again[0]["deployment"]["number"], 2, "{again}");
    assert_eq!(number_of(&system, "reader")?, 1);

    // What an edge holds outlives the control plane.
    let control = system.kill("control-1")?;
    let edge = system.kill("edge-1")?;
    system.revive(&edge)?;
    eventually("the edge serves from its cache", SOON, || {
        Ok(entry().ok().flatten().as_deref() == Some("eu-2"))
    })?;
    system.revive(&control)?;
    eventually("the control plane answers", SOON, || {
        Ok(system.run(&["get", "dictionaries"])?.code == 0)
    })?;
    system.ok(&["undeploy", "routing-table", "--kind", "dictionary"])?;
    eventually("the dictionary is gone", SOON, || {
        Ok(entry()?.as_deref() == Some("none"))
    })?;
    let exported = system.ok(&[
        "export",
        "routing-table",
        "--kind",
        "dictionary",
        "--format",
        "gravitee",
    ])?;
    assert!(exported.contains("\"type\": \"MANUAL\""), "{exported}");
    system.ok(&["delete", "dictionary", "Routing Table"])?;
    let bad = ROUTING.replace("DE: VALUE", "DE: [1]");
    let file = system.write("bad.yaml", &bad)?;
    let said = system.refused(&["apply", "-f", &file])?;
    assert!(said.contains("properties.DE"), "{said}");
    Ok(())
}

/// As management exports it: flows of version 2, one of them for a sharding tag.
const PLATFORM: &str = r#"{
  "id": "DEFAULT", "name": "Acme", "flowMode": "DEFAULT", "flows": [
    {"name": "everywhere", "path-operator": {"path": "/", "operator": "STARTS_WITH"},
     "pre": [{"policy": "transform-headers", "configuration":
       {"addHeaders": [{"name": "X-Gravitee-Api-Key", "value": "{#request.headers['X-Partner'][0]}"}]},
       "condition": "{#request.headers['X-Partner'] != null}"}],
     "post": [{"policy": "transform-headers", "configuration":
       {"addHeaders": [{"name": "X-Platform", "value": "{#response.status}"}]}}]},
    {"name": "internal only", "path-operator": {"path": "/", "operator": "STARTS_WITH"},
     "consumers": [{"consumerType": "TAG", "consumerId": "internal"}],
     "post": [{"policy": "transform-headers", "configuration":
       {"addHeaders": [{"name": "X-Internal", "value": "yes"}]}}]}
  ]}"#;

#[test]
fn flows_of_the_organisation_stand_around_those_of_every_api() -> anyhow::Result<()> {
    let system = System::start(
        TIDEGATE,
        &[
            "--no-sample",
            "--edges",
            "2",
            "--edge-tags",
            "internal;public",
        ],
    )?;
    let upstream = Upstream::start("hello")?;
    let tags = "  tags:\n    - internal\n    - public\n";
    let api = keyed("shop", "/shop", upstream.address()) + tags;
    system.deploy("shop.yaml", &api)?;
    system.ok(&["app", "create", "Partner"])?;
    let subscription = system.json(&[
        "subscription",
        "create",
        "--api",
        "shop",
        "--plan",
        "Keyed",
        "--app",
        "Partner",
        "--api-key",
        "partner-key-1",
    ])?;
    assert_eq!(subscription["status"], "ACCEPTED", "{subscription}");
    let file = system.write("platform.json", PLATFORM)?;
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    let (internal, public) = (system.edge(0)?, system.edge(1)?);
    for (edge, is_internal) in [(internal, Some("yes")), (public, None)] {
        // Before security: the platform puts the key where the plan looks for it.
        let answer = http::get_with(edge, "/shop", &[("x-partner", "partner-key-1")])?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-platform"), Some("200"));
        assert_eq!(answer.header("x-internal"), is_internal);
        // On errors too.
        let answer = http::get(edge, "/shop")?;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("x-platform"), Some("401"));
        assert!(answer.header("x-gravitee-request-id").is_some());
    }
    let stored = system.json(&["get", "organization", "DEFAULT"])?;
    assert_eq!(stored["deploymentState"], "DEPLOYED", "{stored}");
    system.ok(&["undeploy", "DEFAULT", "--kind", "organization"])?;
    eventually("the flows are gone", SOON, || {
        Ok(http::get(public, "/shop")?.header("x-platform").is_none())
    })?;
    let broken = PLATFORM.replace("transform-headers", "unheard-of");
    let file = system.write("broken.json", &broken)?;
    let said = system.refused(&["apply", "-f", &file, "--deploy"])?;
    assert!(said.contains("unheard-of"), "{said}");
    Ok(())
}
