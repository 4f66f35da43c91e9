//! Definitions as files, in every spelling they come in: read, checked, compiled and served, each as it is written.
//!
//! Hosts `backend-1` and `backend-2` stand for upstreams of the test.

use serde_json::{Value, json};
use tidegate_model::document::{ApiDocument, SourceDocument, parse_source};

use crate::{
    client::{Answer, get, send},
    definition::{object, snapshot, subscription},
    edge::{Edge, LogFile},
    upstream::Upstream,
};

/// Reads a file as an import does.
fn import(text: &str, upstreams: &[&Upstream]) -> ApiDocument {
    let mut text = text.to_owned();
    for (number, upstream) in (1..).zip(upstreams) {
        text = text.replace(&format!("http://backend-{number}"), &upstream.url());
    }
    let mut documents = parse_source("file", text.as_bytes()).unwrap();
    match documents.pop() {
        Some(SourceDocument::Api(api)) if documents.is_empty() => api,
        other => panic!("{other:?}"),
    }
}

/// The definition of a file that passes every check.
fn definition(text: &str, upstreams: &[&Upstream]) -> Value {
    let mut definition = import(text, upstreams).canonical;
    let checked = tidegate_check::check(&definition, &[]);
    assert_eq!(checked.violations, []);
    let api = checked.api.unwrap();
    assert_eq!(tidegate_check::undeployable(&definition, &api), []);
    if definition.get("id").is_none() {
        definition["id"] = json!("assigned");
    }
    for (number, plan) in (1..).zip(definition["plans"].as_array_mut().unwrap()) {
        if plan.get("id").is_none() {
            plan["id"] = json!(format!("plan-{number}"));
        }
    }
    definition
}

fn serve(text: &str, upstreams: &[&Upstream]) -> Edge {
    Edge::serving(vec![definition(text, upstreams)])
}

/// The value of a field in what an echo received.
fn received<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.body.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn first_line(answer: &Answer) -> &str {
    answer.body.lines().next().unwrap_or_default()
}

#[test]
fn flows_of_the_plan_run_before_those_of_the_api_on_both_messages() {
    let upstream = Upstream::echo("a");
    let edge = serve(include_str!("../documents/flows.json"), &[&upstream]);
    let answer = get(edge.address, "/flows/products/7", &[]);
    assert_eq!(first_line(&answer), "GET /base/products/7 HTTP/1.1");
    assert_eq!(received(&answer, "x-trace"), Some("plan, products"));
    assert_eq!(answer.header("x-trace"), Some("plan, products"));
}

#[test]
fn a_selector_that_starts_with_a_path_is_not_bound_to_a_segment() {
    let upstream = Upstream::echo("a");
    let edge = serve(include_str!("../documents/flows.json"), &[&upstream]);
    for (path, root, trace) in [
        ("/flows", Some("1"), "plan"),
        ("/flows/", Some("1"), "plan"),
        ("/flows/products", None, "plan, products"),
        ("/flows/products-x", None, "plan, products"),
        ("/flows/productsx/y", None, "plan, products"),
        ("/flows/product", None, "plan"),
        ("/flows/Products", None, "plan"),
        ("/flows/old/products", None, "plan"),
    ] {
        let answer = get(edge.address, path, &[]);
        assert_eq!(answer.header("x-root"), root, "{path}");
        assert_eq!(answer.header("x-trace"), Some(trace), "{path}");
    }
}

#[test]
fn a_condition_is_evaluated_once_and_one_that_fails_is_false() {
    let upstream = Upstream::echo("a");
    let edge = serve(include_str!("../documents/flows.json"), &[&upstream]);
    for (asked, chosen) in [(Some("yes"), Some("1")), (Some("no"), None), (None, None)] {
        let fields: Vec<(&str, &str)> =
            asked.map(|asked| ("X-Choose", asked)).into_iter().collect();
        let answer = get(edge.address, "/flows/any", &fields);
        assert_eq!(answer.status, 200, "{asked:?}");
        // The request steps removed the header; the response steps run nevertheless.
        assert_eq!(answer.header("x-chosen"), chosen, "{asked:?}");
        assert_eq!(answer.header("x-never"), None, "{asked:?}");
    }
}

#[test]
fn best_match_grades_segments_from_the_left_and_the_first_of_equals_wins() {
    let upstream = Upstream::echo("a");
    let edge = serve(include_str!("../documents/best-match.json"), &[&upstream]);
    for (path, of_plan, of_api) in [
        ("/other", "/", None),
        ("/books", "/books", Some("/books")),
        ("/books/7", "/books/:bookId", Some("/books")),
        (
            "/books/7/chapters/1",
            "/books/:bookId",
            Some("/books/:bookId/chapters/:chapterId"),
        ),
        (
            "/books/9/chapters/1",
            "/books/:bookId",
            Some("/books/9/chapters"),
        ),
        ("/books/9/covers", "/books/:bookId", Some("/books")),
        ("/maps/3", "/", Some("first")),
    ] {
        let answer = get(edge.address, &format!("/library{path}"), &[]);
        assert_eq!(received(&answer, "x-plan-flow"), Some(of_plan), "{path}");
        assert_eq!(received(&answer, "x-flow"), of_api, "{path}");
    }
}

#[test]
fn a_slow_endpoint_is_replaced_by_the_next_and_routes_reach_endpoints_and_groups() {
    let slow = Upstream::scripted(|_, _| {
        std::thread::sleep(std::time::Duration::from_secs(3));
        false
    });
    let quick = Upstream::echo("quick");
    let edge = serve(include_str!("../documents/failover.json"), &[&slow, &quick]);
    let answer = get(edge.address, "/failover/a?b=c", &[]);
    assert_eq!(first_line(&answer), "GET /quick/a?b=c HTTP/1.1");
    let answer = get(edge.address, "/failover/to-endpoint/x/y", &[]);
    assert_eq!(first_line(&answer), "GET /second-1/x/y HTTP/1.1");
    let lines: Vec<String> = (0..4)
        .map(|_| first_line(&get(edge.address, "/failover/to-group/z?q", &[])).to_owned())
        .collect();
    for endpoint in ["second-1", "second-2"] {
        let line = format!("GET /{endpoint}/z?q HTTP/1.1");
        let count = lines.iter().filter(|known| **known == line).count();
        assert_eq!(count, 2, "{line}: {lines:?}");
    }
    let answer = get(edge.address, "/failover/to-nowhere", &[]);
    assert_eq!(answer.status, 400, "no rule matches");
}

#[test]
fn an_export_keeps_its_behaviour() {
    let upstream = Upstream::echo("a");
    let (log, file) = LogFile::start();
    let configuration = snapshot(
        1,
        vec![object(definition(
            include_str!("../documents/export.json"),
            &[&upstream],
        ))],
        vec![],
    );
    let edge = Edge::with(&configuration, Default::default(), Some(log));
    let answer = get(edge.address, "/shop/items/7", &[]);
    assert_eq!(first_line(&answer), "GET /items/7 HTTP/1.1");
    assert_eq!(received(&answer, "x-shop"), Some("north"));
    assert_eq!(answer.header("x-mapped"), Some("/items/:id"));
    let preflight = |origin| {
        let fields = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        send(edge.address, "OPTIONS", "/shop/items/7", &fields, "")
    };
    let allowed = preflight("https://shop.example.com");
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-max-age"), Some("600"));
    assert_eq!(
        allowed.header("x-mapped"),
        Some("/items/:id"),
        "policies run"
    );
    let refused = preflight("https://elsewhere.example.com");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (412, "not from there")
    );
    assert_eq!(refused.header("x-why"), Some("origin"));
    send(edge.address, "POST", "/shop/items", &[], "x");
    let records = file.records(edge);
    let logged = |record: &&Value| record.to_string().contains("entrypoint");
    let logged: Vec<&Value> = records.iter().filter(logged).collect();
    assert!(
        !logged.is_empty() && logged.iter().all(|record| record["http-method"] == "POST"),
        "{records:?}"
    );
}

#[test]
fn a_manifest_of_the_operator_is_served() {
    let upstream = Upstream::echo("a");
    let edge = serve(include_str!("../documents/operator.yaml"), &[&upstream]);
    let answer = get(edge.address, "/stock/1", &[]);
    assert_eq!(first_line(&answer), "GET /team/1 HTTP/1.1");
    assert_eq!(answer.header("x-plan"), Some("free"));
}

#[test]
fn a_definition_of_the_second_version_is_converted_and_served() {
    let (main, spare) = (Upstream::echo("main"), Upstream::echo("spare"));
    let text = include_str!("../documents/v2.json");
    let notices = import(text, &[&main, &spare]).notices;
    assert!(
        notices.iter().any(|notice| notice.path == "proxy.failover"),
        "what changes is told: {notices:?}"
    );
    let edge = serve(text, &[&main, &spare]);
    let answer = get(edge.address, "/legacy/items/7", &[("X-Ask", "1")]);
    assert_eq!(answer.header("x-upstream"), Some("main"));
    assert_eq!(first_line(&answer), "GET /old/items/7 HTTP/1.1");
    assert_eq!(received(&answer, "x-item"), Some("7"));
    assert_eq!(received(&answer, "x-group"), Some("legacy"));
    assert_eq!(answer.header("x-post"), Some("1"));
    assert_eq!(answer.header("x-asked"), Some("forty-two"));
    let answer = get(edge.address, "/items/8", &[("Host", "legacy.example.com")]);
    assert_eq!(first_line(&answer), "GET /old/items/8 HTTP/1.1");
    assert_eq!(answer.header("x-asked"), None);
    // A method without flow passes too.
    let answer = send(edge.address, "DELETE", "/legacy/items/7", &[], "");
    assert_eq!((answer.status, answer.header("x-post")), (200, None));
}

#[test]
fn two_limits_of_one_plan_count_together_unless_they_have_keys() {
    let upstream = Upstream::echo("a");
    let mut definition = crate::definition::api("api", "/", &[&upstream.url()]);
    definition["plans"] = json!([crate::definition::key_plan("gold")]);
    let limit = |limit: u64, key: &str| {
        json!({"policy": "rate-limit", "enabled": true, "configuration": {"addHeaders": true, "rate":
            {"limit": limit, "key": key, "periodTime": 10, "periodTimeUnit": "MINUTES"}}})
    };
    let with = |keys: [&str; 2]| {
        let mut definition = definition.clone();
        definition["plans"][0]["flows"] = json!([{"name": "p", "request": [limit(3, keys[0])]}]);
        definition["flows"] = json!([{"name": "a", "request": [limit(5, keys[1])]}]);
        let known = subscription("sub", "api", "gold", "secret");
        Edge::start(&snapshot(1, vec![object(definition)], vec![known]))
    };
    let statuses = |edge: &Edge| -> Vec<u16> {
        let key = [("X-Gravitee-Api-Key", "secret")];
        (0..4)
            .map(|_| get(edge.address, "/", &key).status)
            .collect()
    };
    assert_eq!(statuses(&with(["", ""])), [200, 200, 429, 429]);
    assert_eq!(statuses(&with(["a", "b"])), [200, 200, 200, 429]);
}

#[test]
fn a_template_is_chosen_by_the_exact_media_type() {
    let mut definition = crate::definition::api("api", "/", &["http://127.0.0.1:1"]);
    definition["plans"] = json!([crate::definition::key_plan("gold")]);
    let template = |body: &str| json!({"status": 403, "body": body});
    definition["responseTemplates"] = json!({
        "GATEWAY_PLAN_UNRESOLVABLE": {"application/json": template("json"), "text/xml": template("xml")}});
    let edge = Edge::serving(vec![definition]);
    let json = r#"{"message":"Unauthorized","http_status_code":401}"#;
    for (accept, status, body) in [
        (Some("application/json"), 403, "json"),
        (Some("text/xml;q=0.5, application/json;q=0.4"), 403, "xml"),
        (Some("text/html, text/xml"), 403, "xml"),
        (Some("application/*"), 401, "Unauthorized"),
        (Some("*/*"), 401, json),
        (None, 401, "Unauthorized"),
    ] {
        let fields: Vec<(&str, &str)> = accept
            .map(|accept| ("Accept", accept))
            .into_iter()
            .collect();
        let answer = get(edge.address, "/", &fields);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{accept:?}"
        );
    }
}

#[test]
fn what_cannot_be_served_is_refused_by_the_name_of_the_construct() {
    let base = include_str!("../documents/operator.yaml");
    let steps = "request:\n            - policy: ai-prompt-guard\n";
    let cases = [
        (base.replace("type: PROXY", "type: NATIVE"), "type"),
        (
            base.replace("\"KEY_LESS\"", "\"[[ secret `shop/security` ]]\""),
            "plans[0].security.type",
        ),
        (
            base.replace("http://backend-1/team", "\"[[ configmap `shop/target` ]]\""),
            "endpointGroups[0].endpoints[0].configuration.target",
        ),
        (
            base.replace("request: []", steps.trim_end()),
            "plans[0].flows[0].request[0].policy",
        ),
        (
            base.replace("value: free", "value: \"{#secrets.get('/shop/key')}\""),
            "plans[0].flows[0].response[0].configuration.addHeaders[0].value",
        ),
        (
            base.replace(
                "  plans:\n",
                "  resources:\n    - ref:\n        name: cache\n  plans:\n",
            ),
            "resources[0].ref",
        ),
    ];
    for (text, path) in cases {
        let document = import(&text, &[]).canonical;
        let checked = tidegate_check::check(&document, &[]);
        let mut reasons = checked.violations;
        reasons.extend(tidegate_check::undeployable(
            &document,
            &checked.api.unwrap(),
        ));
        assert!(
            reasons.iter().any(|reason| reason.path == path),
            "{path}: {reasons:?}"
        );
    }
}
