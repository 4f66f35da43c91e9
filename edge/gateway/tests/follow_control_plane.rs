//! The edge binary against a node with real TLS: it gets a view, serves it, survives without any
//! node, and believes nothing that is not signed.

mod support;

use support::{Outcome, author::Author, edge::Edge, eventually, node::Node, upstream};
use tempfile::TempDir;
use tidegate_sync::node::Report;

/// A node that published one API, and the directory of an edge that trusts it.
async fn published() -> Outcome<(TempDir, Node)> {
    let directory = TempDir::new()?;
    let mut author = Author::new()?;
    author.put_api("echo", "/echo", &upstream::start().await?)?;
    author.publish()?;
    let node = Node::start(author, directory.path()).await?;
    Ok((directory, node))
}

fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

async fn assert_serves(edge: &Edge) -> Outcome {
    let (status, body) = edge.get("/echo").await?;
    assert_eq!(status, 200);
    assert!(body.contains(upstream::BODY), "{body}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_edge_gets_its_view_and_follows_changes() -> Outcome {
    install_provider();
    let (directory, node) = published().await?;
    let edge = Edge::start(directory.path(), node.address).await?;
    edge.until_ready().await?;
    assert_serves(&edge).await?;

    let upstream = upstream::start().await?;
    node.author(|author| -> Outcome {
        author.put_api("second", "/second", &upstream)?;
        author.publish()
    })?;
    edge.until_revision(2).await?;
    let (_, apis) = edge.technical("/_node/apis").await?;
    assert!(apis.contains("second"), "{apis}");
    let reported = || {
        node.reports()
            .iter()
            .any(|report| matches!(report, Report::Active(position) if position.revision == 2))
    };
    eventually("report", || async { reported().then_some(()) }).await?;
    assert!(edge.terminate().await?, "a drained edge ends well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_edge_serves_from_its_cache_without_a_control_plane() -> Outcome {
    install_provider();
    let (directory, node) = published().await?;
    let edge = Edge::start(directory.path(), node.address).await?;
    edge.until_ready().await?;
    let address = node.address;
    drop(node);
    edge.kill().await?;

    let edge = Edge::start(directory.path(), address).await?;
    let (status, _) = edge.technical("/health/ready").await?;
    assert_eq!(status, 200, "ready at once, from the cache");
    assert_serves(&edge).await?;
    assert_eq!(edge.node().await?["connected"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_view_never_becomes_active() -> Outcome {
    install_provider();
    let (directory, node) = published().await?;
    let edge = Edge::start(directory.path(), node.address).await?;
    edge.until_ready().await?;
    node.author(|author| -> Outcome {
        author.put_api("evil", "/evil", "http://127.0.0.1:1")?;
        author.forge()
    })?;
    eventually("alarm", || async {
        let node = edge.node().await.ok()?;
        node["alarms"]["SIGNATURE"].as_u64()
    })
    .await?;
    let facts = edge.node().await?;
    assert_eq!(facts["active"]["revision"], 1);
    assert_serves(&edge).await?;
    let (_, metrics) = edge.technical("/metrics").await?;
    assert!(metrics.contains("tidegate_edge_sync_refusals_total{code=\"SIGNATURE\"} 1"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_never_got_a_view_is_alive_but_not_ready() -> Outcome {
    install_provider();
    let directory = TempDir::new()?;
    let node = Node::start(Author::new()?, directory.path()).await?;
    let edge = Edge::start(directory.path(), node.address).await?;
    eventually("connection", || async {
        (edge.node().await.ok()?["connected"] == true).then_some(())
    })
    .await?;
    assert_eq!(edge.technical("/health/live").await?.0, 200);
    assert_eq!(edge.technical("/health/ready").await?.0, 503);
    Ok(())
}
