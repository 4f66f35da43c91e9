//! Paths, hosts, balancing and what reaches the endpoint.

use serde_json::json;

use crate::{
    client::get,
    definition::{api, snapshot},
    edge::Edge,
    upstream::Upstream,
};

#[test]
fn the_longest_prefix_answers_and_the_context_path_is_cut() {
    let (short, long) = (Upstream::echo("short"), Upstream::echo("long"));
    let edge = Edge::serving(vec![
        api("short", "/shop", &[&format!("{}/base/", short.url())]),
        api("long", "/shop/eu/", &[&format!("{}?k=v", long.url())]),
    ]);
    for (path, name, line) in [
        ("/shop", "short", "GET /base HTTP/1.1"),
        (
            "/shop/a%20b?x=1&y",
            "short",
            "GET /base/a%20b?x=1&y HTTP/1.1",
        ),
        ("/shop/eu", "long", "GET /?k=v HTTP/1.1"),
        ("/shop/eu/1?a=2", "long", "GET /1?a=2&k=v HTTP/1.1"),
        ("/shop/europe", "short", "GET /base/europe HTTP/1.1"),
    ] {
        let answer = get(edge.address, path, &[]);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("x-upstream"), Some(name), "{path}");
        assert_eq!(answer.body.lines().next(), Some(line), "{path}");
    }
}

#[test]
fn a_path_of_no_api_is_told_in_plain_text() {
    let edge = Edge::serving(vec![]);
    let answer = get(edge.address, "/x", &[("Accept", "application/json")]);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body, "No context-path matches the request URI.");
    assert_eq!(answer.header("content-type"), Some("text/plain"));
}

#[test]
fn a_virtual_host_wins_over_a_hostless_path() {
    let (any, host) = (Upstream::echo("any"), Upstream::echo("host"));
    let mut on_host = api("host", "/", &[&host.url()]);
    on_host["listeners"][0]["paths"] = json!([{"path": "/a", "host": "shop.test"}]);
    let edge = Edge::serving(vec![api("any", "/", &[&any.url()]), on_host]);
    for (name, path, expected) in [
        ("SHOP.test", "/a/b", "host"),
        ("shop.test", "/b", "any"),
        ("other", "/a/b", "any"),
    ] {
        let answer = get(edge.address, path, &[("Host", name)]);
        assert_eq!(answer.header("x-upstream"), Some(expected), "{name} {path}");
    }
}

#[test]
fn round_robin_holds_for_the_edge_as_a_whole() {
    let upstreams: Vec<Upstream> = ["a", "b", "c"].map(Upstream::echo).into();
    let urls: Vec<String> = upstreams.iter().map(Upstream::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let edge = Edge::serving(vec![api("api", "/", &urls)]);
    let order: Vec<String> = (0..9)
        .map(|_| {
            get(edge.address, "/", &[])
                .header("x-upstream")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(order.concat(), "abcabcabc");
}

#[test]
fn weighted_round_robin_gives_a_b_a_a() {
    let (a, b) = (Upstream::echo("a"), Upstream::echo("b"));
    let mut definition = api("api", "/", &[&a.url(), &b.url()]);
    definition["endpointGroups"][0]["loadBalancer"] = json!({"type": "weighted-round-robin"});
    definition["endpointGroups"][0]["endpoints"][0]["weight"] = json!(3);
    let edge = Edge::serving(vec![definition]);
    let order: Vec<String> = (0..8)
        .map(|_| {
            get(edge.address, "/", &[])
                .header("x-upstream")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(order.concat(), "abaaabaa");
}

#[test]
fn a_secondary_serves_only_without_primaries() {
    let (a, b) = (Upstream::echo("a"), Upstream::echo("b"));
    let mut definition = api("api", "/", &[&a.url(), &b.url()]);
    definition["endpointGroups"][0]["endpoints"][1]["secondary"] = json!(true);
    let edge = Edge::serving(vec![definition.clone()]);
    for _ in 0..4 {
        assert_eq!(get(edge.address, "/", &[]).header("x-upstream"), Some("a"));
    }
    definition["endpointGroups"][0]["endpoints"][0]["secondary"] = json!(true);
    edge.swap(&snapshot(
        2,
        vec![crate::definition::object(definition)],
        vec![],
    ));
    assert!(get(edge.address, "/", &[]).header("x-upstream").is_some());
}

#[test]
fn the_endpoint_sees_its_own_host_ids_and_configured_headers() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["endpointGroups"][0]["sharedConfiguration"] =
        json!({"headers": [{"name": "X-Group", "value": "{#api.name}"}]});
    let edge = Edge::serving(vec![definition]);
    let fields = [
        ("X-Gravitee-Transaction-Id", "tx-1"),
        ("X-Group", "client"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "X-Hop"),
        ("X-Hop", "1"),
        ("X-Stays", "1"),
    ];
    let answer = get(edge.address, "/", &fields);
    let seen = answer.body.to_ascii_lowercase();
    assert!(
        seen.contains(&format!("host: {}\r\n", upstream.address)),
        "{seen}"
    );
    assert!(
        seen.contains("x-gravitee-transaction-id: tx-1\r\n"),
        "{seen}"
    );
    assert!(seen.contains("x-group: api\r\n"), "{seen}");
    assert!(seen.contains("x-stays: 1\r\n"), "{seen}");
    assert!(
        !seen.contains("accept-encoding") && !seen.contains("x-hop"),
        "{seen}"
    );
    let id = answer.header("x-gravitee-request-id").unwrap();
    assert!(
        seen.contains(&format!("x-gravitee-request-id: {id}\r\n")),
        "{seen}"
    );
    assert_eq!(answer.header("x-gravitee-transaction-id"), Some("tx-1"));
    let client = answer.header("x-gravitee-client-identifier").unwrap();
    assert_eq!(
        client,
        "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0"
    );
}

#[test]
fn a_policy_routes_to_a_named_endpoint_a_path_or_a_url() {
    let (a, b) = (Upstream::echo("a"), Upstream::echo("b"));
    let mut definition = api("api", "/", &[&format!("{}/base", a.url()), &b.url()]);
    let step = json!({"policy": "policy-assign-attributes", "enabled": true, "configuration":
        {"attributes": [{"name": "gravitee.attribute.request.endpoint",
                         "value": "{#request.headers['To'][0]}"}]}});
    definition["flows"] = json!([{"name": "f", "enabled": true, "request": [step]}]);
    let edge = Edge::serving(vec![definition]);
    let url = format!("{}/direct?q=1", b.url());
    for (to, upstream, line) in [
        ("e0:/x?r=2", "a", "GET /base/x?c=1&r=2 HTTP/1.1"),
        ("e1:/x", "b", "GET /x?c=1 HTTP/1.1"),
        ("e1:", "b", "GET /in?c=1 HTTP/1.1"),
        (url.as_str(), "b", "GET /direct?c=1&q=1 HTTP/1.1"),
    ] {
        let answer = get(edge.address, "/in?c=1", &[("To", to)]);
        assert_eq!(
            answer.header("x-upstream"),
            Some(upstream),
            "{to}: {answer:?}"
        );
        assert_eq!(answer.body.lines().next(), Some(line), "{to}");
    }
    let answer = get(edge.address, "/in", &[("To", "unknown:/x")]);
    assert_eq!(answer.status, 503);
}
