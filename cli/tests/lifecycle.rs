//! Deploy, history, compare, out of sync, rollback, start, stop, delete.

mod definitions;

use std::time::Duration;

use definitions::{TIDEGATE, keyless, keyless_with};
use serde_json::Value;
use tidegate_testkit::{System, Upstream, eventually, http};

const SOON: Duration = Duration::from_secs(10);

const GREETING: &str = "  flows:
    - name: greet
      request: []
      response:
        - name: greet
          policy: transform-headers
          configuration:
            addHeaders:
              - name: X-Greeting
                value: WORD
";

/// An API that greets with a word.
struct Shop {
    system: System,
    upstream: Upstream,
}

impl Shop {
    fn open() -> anyhow::Result<Self> {
        Ok(Self {
            system: System::start(TIDEGATE, &["--no-sample"])?,
            upstream: Upstream::start("hello")?,
        })
    }

    fn apply(&self, word: &str) -> anyhow::Result<()> {
        let flows = GREETING.replace("WORD", word);
        let definition = keyless_with("Shop", "/shop", self.upstream.address(), &flows);
        let file = self.system.write("shop.yaml", &definition)?;
        self.system.ok(&["apply", "-f", &file])?;
        Ok(())
    }

    /// The word an edge greets with; none while the API is not served.
    fn served(&self) -> anyhow::Result<Option<String>> {
        let answer = http::get(self.system.edge(0)?, "/shop")?;
        Ok(answer.header("x-greeting").map(str::to_owned))
    }

    fn deployment_state(&self) -> anyhow::Result<Value> {
        Ok(self.system.json(&["get", "api", "Shop"])?["deploymentState"].clone())
    }
}

#[test]
fn a_draft_changes_nothing_until_it_is_deployed() -> anyhow::Result<()> {
    let shop = Shop::open()?;
    shop.apply("one")?;
    assert_eq!(shop.deployment_state()?, "NEED_REDEPLOY");
    assert_eq!(shop.served()?, None);
    shop.system
        .ok(&["deploy", "Shop", "--label", "first", "--wait"])?;
    assert_eq!(shop.served()?.as_deref(), Some("one"));
    assert_eq!(shop.deployment_state()?, "DEPLOYED");

    shop.apply("two")?;
    assert_eq!(shop.deployment_state()?, "NEED_REDEPLOY");
    assert_eq!(shop.served()?.as_deref(), Some("one"));
    let compared = shop.system.json(&["compare", "Shop"])?;
    assert_eq!(
        compared["differences"].as_array().map(Vec::len),
        Some(1),
        "{compared}"
    );
    assert_eq!(compared["differences"][0]["from"], "one");
    assert_eq!(compared["differences"][0]["to"], "two");
    let text = shop.system.ok(&["compare", "Shop"])?;
    assert!(text.contains("one") && text.contains("two"), "{text}");
    Ok(())
}

#[test]
fn a_rollback_is_a_new_deployment_of_old_content() -> anyhow::Result<()> {
    let shop = Shop::open()?;
    let system = &shop.system;
    shop.apply("one")?;
    system.ok(&[
        "deploy",
        "Shop",
        "--label",
        "first",
        "--message",
        "as is",
        "--wait",
    ])?;
    shop.apply("two")?;
    system.ok(&["deploy", "Shop", "--label", "second", "--wait"])?;
    assert_eq!(shop.served()?.as_deref(), Some("two"));

    system.ok(&["rollback", "Shop", "--to", "1", "--wait"])?;
    assert_eq!(shop.served()?.as_deref(), Some("one"));
    assert_eq!(shop.deployment_state()?, "DEPLOYED", "the draft followed");
    let history = system.json(&["history", "Shop"])?;
    let numbers: Vec<_> = history
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["number"])
        .collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(history[0]["rollbackOf"], 1);
    for member in ["number", "label", "message", "author", "createdAt"] {
        assert!(!history[2][member].is_null(), "{member} of {history}");
    }
    assert_eq!(history[2]["label"], "first");
    let same = system.json(&["compare", "Shop", "--from", "1", "--to", "3"])?;
    assert_eq!(
        same["differences"].as_array().map(Vec::len),
        Some(0),
        "{same}"
    );
    Ok(())
}

#[test]
fn stop_and_start_change_traffic_without_a_new_deployment_number() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    system.deploy("shop.yaml", &keyless("Shop", "/shop", upstream.address()))?;
    let status = || -> anyhow::Result<u16> { Ok(http::get(system.edge(0)?, "/shop")?.status) };
    assert_eq!(status()?, 200);
    assert_eq!(system.json(&["stop", "Shop"])?["state"], "STOPPED");
    eventually("the stop to reach the edge", SOON, || Ok(status()? == 404))?;
    assert_eq!(system.json(&["start", "Shop"])?["state"], "STARTED");
    eventually("the start to reach the edge", SOON, || Ok(status()? == 200))?;
    assert_eq!(system.json(&["get", "api", "Shop"])?["deploymentNumber"], 1);
    Ok(())
}

#[test]
fn delete_needs_a_stopped_api_or_the_word_to_close_its_plans() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    system.deploy("shop.yaml", &keyless("Shop", "/shop", upstream.address()))?;
    system.refused(&["delete", "api", "Shop"])?;
    system.ok(&["stop", "Shop"])?;
    system.ok(&["delete", "api", "Shop", "--close-plans"])?;
    system.refused(&["get", "api", "Shop"])?;
    eventually("the edge to forget it", SOON, || {
        Ok(http::get(system.edge(0)?, "/shop")?.status == 404)
    })?;
    // The path and the name are free again.
    system.deploy("shop.yaml", &keyless("Shop", "/shop", upstream.address()))?;
    assert_eq!(http::get(system.edge(0)?, "/shop")?.status, 200);
    Ok(())
}

#[test]
fn a_document_that_says_stopped_is_deployed_but_not_served() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    let definition = keyless_with("Quiet", "/quiet", upstream.address(), "  state: STOPPED\n");
    let file = system.write("quiet.yaml", &definition)?;
    system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    assert_eq!(system.json(&["get", "api", "Quiet"])?["state"], "STOPPED");
    assert_eq!(http::get(system.edge(0)?, "/quiet")?.status, 404);
    Ok(())
}

#[test]
fn watch_prints_each_change_once() -> anyhow::Result<()> {
    use std::io::{BufRead as _, BufReader};

    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("hello")?;
    let revision = system.json(&["cluster", "status"])?["revision"].to_string();
    for name in ["One", "Two"] {
        let path = format!("/{}", name.to_lowercase());
        let file = system.write("api.yaml", &keyless(name, &path, upstream.address()))?;
        system.ok(&["apply", "-f", &file])?;
    }
    let mut watch = system
        .command(&["watch", "api", "--after", &revision, "-o", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let stdout = watch
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines());
    let names: Vec<String> = stdout
        .take(2)
        .map(|line| Ok(serde_json::from_str::<Value>(&line?)?["name"].to_string()))
        .collect::<anyhow::Result<_>>()?;
    watch.kill()?;
    watch.wait()?;
    assert_eq!(names, ["\"One\"", "\"Two\""]);
    Ok(())
}
