//! Keys, dates and the order of plans.

use serde_json::json;
use tidegate_model::SubscriptionObject;

use crate::{
    client::{Answer, get},
    definition::{api, key_plan, keyless_plan, object, snapshot, subscription},
    edge::Edge,
    upstream::Upstream,
};

const LONG_AGO_MS: u64 = 1_000;
const FAR_AWAY_MS: u64 = 99_999_999_999_999;

fn edge_with_key(change: impl Fn(&mut SubscriptionObject)) -> (Edge, Upstream) {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["plans"] = json!([keyless_plan(), key_plan("gold")]);
    let mut known = subscription("sub", "api", "gold", "secret");
    change(&mut known);
    (
        Edge::start(&snapshot(1, vec![object(definition)], vec![known])),
        upstream,
    )
}

fn with_key(edge: &Edge, key: &str) -> Answer {
    get(edge.address, "/", &[("X-Gravitee-Api-Key", key)])
}

#[test]
fn a_key_is_taken_from_header_or_query_and_does_not_reach_the_endpoint() {
    let (edge, _upstream) = edge_with_key(|_| {});
    for answer in [
        with_key(&edge, "secret"),
        get(edge.address, "/?a=1&api-key=secret", &[]),
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.body.contains("secret"), "{answer:?}");
        assert_eq!(answer.header("x-gravitee-client-identifier"), Some("sub"));
    }
}

#[test]
fn a_wrong_key_never_falls_back_to_the_key_less_plan() {
    let (edge, upstream) = edge_with_key(|_| {});
    for key in ["wrong", "", "SECRET"] {
        let answer = with_key(&edge, key);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, "Unauthorized"),
            "{key:?}"
        );
    }
    assert_eq!(upstream.served(), 0);
    assert_eq!(get(edge.address, "/", &[]).status, 200);
}

#[test]
fn dates_and_expiry_are_checked_per_request() {
    type Change = fn(&mut SubscriptionObject);
    let cases: [(Change, u16); 6] = [
        (|known| known.starting_ms = Some(LONG_AGO_MS), 200),
        (|known| known.starting_ms = Some(FAR_AWAY_MS), 401),
        (|known| known.ending_ms = Some(LONG_AGO_MS), 401),
        (|known| known.ending_ms = Some(FAR_AWAY_MS), 200),
        (|known| known.keys[0].expires_ms = Some(LONG_AGO_MS), 401),
        (|known| known.keys[0].expires_ms = Some(FAR_AWAY_MS), 200),
    ];
    for (index, (change, status)) in cases.into_iter().enumerate() {
        let (edge, _upstream) = edge_with_key(change);
        assert_eq!(with_key(&edge, "secret").status, status, "case {index}");
    }
}

#[test]
fn an_expired_key_and_an_unknown_one_have_different_error_keys() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["plans"] = json!([key_plan("gold")]);
    let template = |body: &str| json!({"*/*": {"status": 403, "body": body}});
    definition["responseTemplates"] = json!({
        "API_KEY_INVALID": template("expired {#error.key}"),
        "GATEWAY_PLAN_UNRESOLVABLE": template("unknown {#error.statusCode}"),
    });
    let mut expired = subscription("sub", "api", "gold", "old");
    expired.keys[0].expires_ms = Some(LONG_AGO_MS);
    let edge = Edge::start(&snapshot(1, vec![object(definition)], vec![expired]));
    let answer = with_key(&edge, "old");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "expired API_KEY_INVALID")
    );
    assert_eq!(with_key(&edge, "new").body, "unknown 401");
    assert_eq!(get(edge.address, "/", &[]).body, "unknown 401");
}

#[test]
fn a_revoked_key_is_refused_after_the_swap() {
    let (edge, upstream) = edge_with_key(|_| {});
    assert_eq!(with_key(&edge, "secret").status, 200);
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["plans"] = json!([keyless_plan(), key_plan("gold")]);
    let mut revoked = subscription("sub", "api", "gold", "secret");
    revoked.keys.clear();
    edge.swap(&snapshot(2, vec![object(definition)], vec![revoked]));
    assert_eq!(with_key(&edge, "secret").status, 401);
}

#[test]
fn a_key_of_another_plan_or_api_does_not_open_this_one() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/a", &[&upstream.url()]);
    definition["plans"] = json!([key_plan("gold")]);
    let mut other = api("other", "/b", &[&upstream.url()]);
    other["plans"] = json!([key_plan("silver")]);
    let edge = Edge::start(&snapshot(
        1,
        vec![object(definition), object(other)],
        vec![
            subscription("one", "api", "closed-plan", "k1"),
            subscription("two", "other", "silver", "k2"),
        ],
    ));
    for (path, key, status) in [
        ("/a", "k1", 401),
        ("/a", "k2", 401),
        ("/b", "k2", 200),
        ("/b", "k1", 401),
    ] {
        let answer = get(edge.address, path, &[("X-Gravitee-Api-Key", key)]);
        assert_eq!(answer.status, status, "{path} {key}");
    }
}

#[test]
fn a_selection_rule_that_does_not_hold_passes_to_the_next_plan() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let mut gold = key_plan("gold");
    gold["selectionRule"] = json!("#request.headers['X-Tier'] != null");
    definition["plans"] = json!([gold, keyless_plan()]);
    let known = subscription("sub", "api", "gold", "secret");
    let edge = Edge::start(&snapshot(1, vec![object(definition)], vec![known]));
    let key = ("X-Gravitee-Api-Key", "secret");
    let gold = get(edge.address, "/", &[key, ("X-Tier", "1")]);
    assert_eq!(gold.header("x-gravitee-client-identifier"), Some("sub"));
    let open = get(edge.address, "/", &[key]);
    assert_eq!(open.status, 200);
    assert_ne!(open.header("x-gravitee-client-identifier"), Some("sub"));
}

#[test]
fn answers_are_counted_by_plan_and_by_endpoint() {
    let upstream = Upstream::echo("alive");
    let edge = Edge::serving(vec![api(
        "a",
        "/a",
        &[&upstream.url(), "http://127.0.0.1:1"],
    )]);
    let statuses: Vec<u16> = (0..2)
        .map(|_| get(edge.address, "/a", &[]).status)
        .collect();
    assert!(
        statuses.contains(&200) && statuses.contains(&502),
        "{statuses:?}"
    );
    let endpoint = |name: &str, status: &str| {
        let labels = format!("api=\"a\",group=\"default\",endpoint=\"{name}\",status=\"{status}\"");
        format!("tidegate_edge_endpoint_requests_total{{{labels}}} 1")
    };
    let plan = |status: &str| {
        format!(
            "tidegate_edge_plan_requests_total{{api=\"a\",plan=\"open\",status=\"{status}\"}} 1"
        )
    };
    for line in [
        endpoint("e0", "2xx"),
        endpoint("e1", "none"),
        plan("2xx"),
        plan("5xx"),
    ] {
        edge.wait_for(&line);
    }
}
