//! Consul, as a stand-in of its API and for real where it is installed.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{
    Traffic, answering,
    catalog::{Agent, Catalog, SERVICE, StandIn, TOKEN},
    current, discovered, known, wait_for, wait_until,
};
use crate::{
    definition::{object, snapshot},
    edge::Edge,
    upstream::Upstream,
};

fn consul(url: &str) -> Value {
    let configuration = json!({"url": url, "service": SERVICE, "acl": TOKEN});
    discovered("consul-service-discovery", &configuration)
}

/// Instances come and go while requests are sent, of which none may fail.
fn follows(catalog: &dyn Catalog) {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    catalog.register("web-1", one.address, &json!({"Tags": ["blue"]}));
    let edge = Edge::serving(vec![consul(&catalog.url())]);
    wait_for(&edge, &known("consul", 1));
    wait_for(&edge, &current("consul", 1));
    let traffic = Traffic::start(edge.address);
    catalog.register("web-2", two.address, &json!({}));
    wait_for(&edge, &known("consul", 2));
    wait_until("the new one is called", || two.served() > 0);
    catalog.deregister("web-1");
    wait_for(&edge, &known("consul", 1));
    for _ in 0..4 {
        assert_eq!(answering(&edge).as_deref(), Some("two"));
    }
    let meta = json!({"Meta": {"gravitee_weight": "3", "gravitee_path": "/base"}});
    catalog.register("web-1", one.address, &meta);
    wait_for(&edge, &known("consul", 2));
    traffic.stop();
    let report = tidegate_edge_http::discovery::report(&edge.live);
    let weights: Vec<(&str, u32)> = report[0]
        .instances
        .iter()
        .map(|instance| (instance.name.as_str(), instance.weight))
        .collect();
    assert_eq!(weights, [("web-1", 3), ("web-2", 1)]);
    wait_until("the base path of the catalog is used", || {
        let answer = crate::client::get(edge.address, "/a/x", &[]);
        answer.header("x-upstream") == Some("one") && answer.body.starts_with("GET /base/x ")
    });
}

#[test]
fn instances_of_a_catalog_come_and_go_under_traffic() {
    follows(&StandIn::start());
}

#[test]
#[ignore = "needs a consul program, on the PATH or in TIDEGATE_CONSUL"]
fn instances_of_a_real_agent_come_and_go_under_traffic() {
    follows(&Agent::start().expect("a consul program"));
}

#[test]
fn an_outage_keeps_what_is_known_and_its_end_is_noticed() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let catalog = StandIn::start();
    catalog.register("web-1", one.address, &json!({}));
    let edge = Edge::serving(vec![consul(&catalog.url())]);
    wait_for(&edge, &known("consul", 1));
    let traffic = Traffic::start(edge.address);
    catalog.set_down(true);
    wait_for(&edge, &current("consul", 0));
    let report = &tidegate_edge_http::discovery::report(&edge.live)[0];
    assert_eq!(report.cause, "the source answered with status 500");
    wait_for(&edge, &known("consul", 1));
    catalog.register("web-2", two.address, &json!({}));
    catalog.set_down(false);
    wait_for(&edge, &known("consul", 2));
    wait_for(&edge, &current("consul", 1));
    catalog.reset_index();
    catalog.deregister("web-1");
    wait_for(&edge, &known("consul", 1));
    traffic.stop();
}

#[test]
fn other_tenants_stay_away_and_health_is_checked() {
    let (one, sick) = (
        Upstream::echo("one"),
        Upstream::answering(|_| {
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned()
        }),
    );
    let catalog = StandIn::start();
    catalog.register("web-1", one.address, &json!({}));
    catalog.register("web-2", sick.address, &json!({}));
    let mut api = consul(&catalog.url());
    api["endpointGroups"][0]["services"]["healthCheck"] = json!({
        "type": "http-health-check", "enabled": true,
        "configuration": {"schedule": "* * * * * *", "target": "/health", "failureThreshold": 1}});
    let edge = Edge::serving(vec![api]);
    wait_for(
        &edge,
        "tidegate_edge_endpoint_up{api=\"a\",group=\"default\",endpoint=\"web-2\"} 0",
    );
    for _ in 0..3 {
        assert_eq!(answering(&edge).as_deref(), Some("one"));
    }
}

#[test]
fn a_refused_token_is_a_failure_with_its_cause() {
    let catalog = StandIn::start();
    let configuration = json!({"url": catalog.url(), "service": SERVICE, "acl": "wrong"});
    let edge = Edge::serving(vec![discovered("consul-service-discovery", &configuration)]);
    let cause = || {
        tidegate_edge_http::discovery::report(&edge.live)[0]
            .cause
            .clone()
    };
    wait_until("the cause is told", || {
        cause() == "the source answered with status 403"
    });
    assert_eq!(crate::client::get(edge.address, "/a", &[]).status, 503);
}

#[test]
fn a_redeployment_goes_on_and_an_undeployment_ends_the_questions() {
    let one = Upstream::echo("one");
    let catalog = StandIn::start();
    catalog.register("web-1", one.address, &json!({}));
    let edge = Edge::serving(vec![consul(&catalog.url())]);
    wait_for(&edge, &known("consul", 1));
    let traffic = Traffic::start(edge.address);
    let mut changed = consul(&catalog.url());
    changed["name"] = json!("another name");
    edge.swap(&snapshot(2, vec![object(changed)], Vec::new()));
    wait_for(&edge, &current("consul", 1));
    traffic.stop();
    edge.swap(&snapshot(3, Vec::new(), Vec::new()));
    wait_until("questions end", || {
        let before = catalog.asked();
        catalog.register("web-1", one.address, &json!({}));
        thread::sleep(Duration::from_millis(600));
        catalog.asked() == before
    });
}
