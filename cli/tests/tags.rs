//! Sharding tags of edges, APIs and plans.

mod definitions;

use definitions::{TIDEGATE, keyless_with, proxy};
use tidegate_testkit::{System, Upstream, http};

#[test]
fn an_edge_gets_what_its_tags_entitle_it_to() -> anyhow::Result<()> {
    // Edge 1 includes a and excludes b, edge 2 excludes b only, edge 3 takes everything.
    let system = System::start(
        TIDEGATE,
        &["--no-sample", "--edges", "3", "--edge-tags", "a,!b;!b;"],
    )?;
    let upstream = Upstream::start("tagged")?;
    for (name, tags) in [
        ("None", ""),
        ("A", "a"),
        ("B", "b"),
        ("AB", "a, b"),
        ("C", "c"),
    ] {
        let spec = match tags {
            "" => String::new(),
            tags => format!("  tags: [{tags}]\n"),
        };
        let path = format!("/{}", name.to_lowercase());
        let file = format!("{name}.yaml");
        system.deploy(&file, &keyless_with(name, &path, upstream.address(), &spec))?;
    }
    let serves = |edge: usize, path: &str| -> anyhow::Result<bool> {
        Ok(http::get(system.edge(edge)?, path)?.status == 200)
    };
    for (path, expected) in [
        ("/none", [false, true, true]),
        ("/a", [true, true, true]),
        ("/b", [false, false, true]),
        ("/ab", [false, false, true]),
        ("/c", [false, true, true]),
    ] {
        for (edge, expected) in expected.into_iter().enumerate() {
            assert_eq!(serves(edge, path)?, expected, "{path} on edge {}", edge + 1);
        }
    }
    let edges = system.json(&["edges"])?;
    assert_eq!(edges[0]["tags"], serde_json::json!(["a", "!b"]), "{edges}");
    Ok(())
}

#[test]
fn moving_an_api_to_another_tag_withdraws_it() -> anyhow::Result<()> {
    let system = System::start(
        TIDEGATE,
        &["--no-sample", "--edges", "2", "--edge-tags", "a;b"],
    )?;
    let upstream = Upstream::start("moved")?;
    let tagged = |tag: &str| {
        keyless_with(
            "Moving",
            "/moving",
            upstream.address(),
            &format!("  tags: [{tag}]\n"),
        )
    };
    let statuses = || -> anyhow::Result<[u16; 2]> {
        Ok([
            http::get(system.edge(0)?, "/moving")?.status,
            http::get(system.edge(1)?, "/moving")?.status,
        ])
    };
    system.deploy("moving.yaml", &tagged("a"))?;
    assert_eq!(statuses()?, [200, 404]);
    system.deploy("moving.yaml", &tagged("b"))?;
    tidegate_testkit::eventually("the move", std::time::Duration::from_secs(10), || {
        Ok(statuses()? == [404, 200])
    })
}

#[test]
fn plans_follow_their_own_tags() -> anyhow::Result<()> {
    let system = System::start(
        TIDEGATE,
        &["--no-sample", "--edges", "2", "--edge-tags", "a;b"],
    )?;
    let upstream = Upstream::start("plans")?;
    let spec = "  tags: [a, b]\n";
    let definition = proxy("Split", "/split", upstream.address(), "", spec).replace(
        "      status: published\n",
        "      status: published\n      tags: [a]\n",
    );
    system.deploy("split.yaml", &definition)?;
    assert_eq!(http::get(system.edge(0)?, "/split")?.status, 200);
    assert_eq!(
        http::get(system.edge(1)?, "/split")?.status,
        404,
        "no plan is left there"
    );
    Ok(())
}
