//! Which rule is taken, and what the client gets.

use http::uri::PathAndQuery;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase, RequestPath};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "http-redirect";

fn at(path: &str) -> Exchange {
    let mut exchange = exchange();
    let target: PathAndQuery = path.parse().unwrap();
    exchange.request.path = RequestPath::new(target, "/shop/".into());
    exchange
}

/// Status and location, or nothing if the request went on.
fn redirect(configuration: &Value, path: &str) -> Option<(u16, String)> {
    match run(NAME, configuration, Phase::Request, &mut at(path)) {
        Outcome::Continue => None,
        Outcome::Respond(response) => {
            assert!(response.body.is_empty());
            let location = response.headers["location"].to_str().unwrap().to_owned();
            Some((response.status.as_u16(), location))
        }
        Outcome::Fail(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    for (path, expected) in [
        (
            "/shop/old/a/b?c=d",
            Some((308, "https://example.org/new/a/b")),
        ),
        (
            "/shop/items?page=2",
            Some((302, "/shop/products?tenant=acme")),
        ),
        ("/shop/items/1", None),
        ("/shop/other/old/", None),
    ] {
        let found = redirect(&configuration, path);
        let expected = expected.map(|(status, location)| (status, location.to_owned()));
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn the_first_rule_is_taken_and_patterns_may_be_computed() {
    let configuration = json!({"cache": {"maxItems": 5}, "rules": [
        {"path": "/{#request.headers['X-Tenant'][0]}/(.*)", "location": "/first/{#group[0]}"},
        {"path": ".*", "location": "/second", "status": "307"}
    ]});
    assert_eq!(
        redirect(&configuration, "/shop/acme/x"),
        Some((301, "/first/x".to_owned()))
    );
    assert_eq!(
        redirect(&configuration, "/shop/x"),
        Some((307, "/second".to_owned()))
    );
}

#[test]
fn a_location_cannot_end_its_header() {
    let configuration = json!({"rules": [
        {"path": "/(.*)", "location": "/{T(java.net.URLDecoder).decode(#group[0])}"}
    ]});
    let found = redirect(&configuration, "/shop/a%0D%0AX:%20y");
    assert_eq!(found, Some((301, "/a%0D%0AX:%20y".to_owned())));
}

#[test]
fn what_cannot_be_evaluated_fails() {
    for rule in [
        json!({"path": ".*", "location": "{#nothing}"}),
        json!({"path": ".*", "location": "{#request.headers['X'][0]}"}),
        json!({"path": "{'('}{('(')}", "location": "/"}),
    ] {
        let configuration = json!({"rules": [rule]});
        let outcome = run(NAME, &configuration, Phase::Request, &mut at("/shop/a"));
        assert_eq!(failure(outcome).status, 500, "{configuration}");
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (rule, path) in [
        (json!({"path": "(", "location": "/"}), "rules[0].path"),
        (
            json!({"path": "a", "location": "{#a +}"}),
            "rules[0].location",
        ),
        (
            json!({"path": "a", "location": "/", "status": 200}),
            "rules[0].status",
        ),
        (
            json!({"path": "a", "location": "/", "status": 399}),
            "rules[0].status",
        ),
        (json!({"path": "a"}), "rules[0]"),
    ] {
        let configuration = json!({"rules": [rule]});
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
