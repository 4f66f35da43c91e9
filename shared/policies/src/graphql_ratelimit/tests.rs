//! What queries cost, where they are found, and the two limits.

use http::HeaderValue;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase};

use super::cost::{CostError, Query, cost};
use crate::testing::{chain, example, exchange, failure, refusal, services};

fn plain(text: &str) -> Result<u64, CostError> {
    cost(Query {
        text,
        operation: None,
        variables: None,
    })
}

#[test]
fn fields_cost_one_and_lists_as_often_as_they_are_asked_for() {
    for (query, expected) in [
        ("{ a }", 2),
        ("query { a b { c } }", 4),
        (
            "query { allPeople(first: 20) { people { name vehicleConnection(first: 10) {
                vehicles { id name cargoCapacity } } } } }",
            862,
        ),
        ("{ a(last: 3) { b } }", 5),
        ("{ a(limit: 3, first: 2) { b } }", 5),
        ("{ a(first: -3) { b } }", 3),
        ("{ a { ...f ...f } } fragment f on A { b c }", 6),
        ("{ ... on A { b } ... { c } }", 3),
        ("mutation { m { x } }", 3),
        ("query A { a } query B { a b c }", 4),
        ("query($n: Int = 4) { a(first: $n) { b } }", 6),
        ("query($n: Int) { a(first: $n) { b } }", 3),
    ] {
        assert_eq!(plain(query), Ok(expected), "{query}");
    }
}

#[test]
fn operations_are_chosen_and_variables_looked_up() {
    let variables = json!({"n": 9});
    let query = |operation| Query {
        text: "query A($n: Int = 2) { a(first: $n) { b } } query B { b }",
        operation: Some(operation),
        variables: Some(&variables),
    };
    assert_eq!(cost(query("A")), Ok(11));
    assert_eq!(cost(query("B")), Ok(2));
    assert!(matches!(
        cost(query("C")),
        Err(CostError::UnknownOperation(_))
    ));
}

#[test]
fn hostile_queries_are_refused_or_expensive_but_never_slow() {
    let deep = "{a".repeat(10_000) + &"}".repeat(10_000);
    assert!(matches!(plain(&deep), Err(CostError::Syntax(_))));
    assert!(matches!(
        plain(&"a".repeat(300_000)),
        Err(CostError::TooLong)
    ));
    let cycle = "{ ...a } fragment a on A { ...b } fragment b on B { ...a }";
    assert!(matches!(plain(cycle), Err(CostError::Cycle(_))));
    assert!(matches!(
        plain("{ ...x }"),
        Err(CostError::UnknownFragment(_))
    ));
    assert!(matches!(
        plain("fragment a on A { b }"),
        Err(CostError::NoOperation)
    ));
    let mut doubling = "{ ...f0 }".to_owned();
    for index in 0..100 {
        let next = index + 1;
        doubling += &format!(" fragment f{index} on A {{ ...f{next} ...f{next} }}");
    }
    doubling += " fragment f100 on A { a }";
    assert_eq!(plain(&doubling), Ok(u64::MAX));
}

fn with_body(content_type: &'static str, body: &str) -> Exchange {
    let mut exchange = exchange();
    let content_type = HeaderValue::from_static(content_type);
    exchange
        .request
        .headers
        .insert("content-type", content_type);
    exchange.request.content.set(body.to_owned().into());
    exchange
}

fn with_parameter(query: &str) -> Exchange {
    let mut exchange = exchange();
    exchange
        .request
        .query
        .append("query".into(), Some(query.into()));
    exchange
}

#[test]
fn queries_are_found_in_bodies_and_parameters() {
    let query = "{ a { b } }";
    let json_body = json!({ "query": query }).to_string();
    let batch = json!([{ "query": query }, { "query": query }]).to_string();
    for (exchange, expected) in [
        (with_body("application/json", &json_body), Ok(3)),
        (with_body("application/json", &batch), Ok(6)),
        (
            with_body("application/graphql; charset=utf-8", query),
            Ok(3),
        ),
        (with_parameter("%7B+a%20%7B%20b%7D%7D"), Ok(3)),
        (with_body("application/json", "{}"), Ok(1)),
        (exchange(), Ok(1)),
        (with_body("application/json", "{"), Err(())),
        (with_body("application/graphql", "{"), Err(())),
    ] {
        let found = super::request_cost(&exchange).map_err(drop);
        assert_eq!(found, expected);
    }
}

#[test]
fn the_example_of_the_readme_limits_one_query_and_all_of_them() {
    let services = services();
    let configuration: Value = example(include_str!("README.md"));
    let chain = chain("policy-graphql-ratelimit", &configuration, Phase::Request);
    let run = |query: &str| {
        let body = json!({ "query": query }).to_string();
        let mut exchange = with_body("application/json", &body);
        futures::executor::block_on(chain.run(Phase::Request, &mut exchange, &services))
    };
    let key = |outcome| failure(outcome).key.map(|key| key.as_str().to_owned());
    let too_expensive = key(run("{ a(first: 60) { b } }"));
    assert_eq!(
        too_expensive.as_deref(),
        Some("GRAPHQL_RATE_LIMIT_REACH_MAX_COST")
    );
    assert!(run("{ a(first: 45) { b } }").is_continue());
    assert!(run("{ a(first: 45) { b } }").is_continue());
    let too_many = key(run("{ a(first: 45) { b } }"));
    assert_eq!(
        too_many.as_deref(),
        Some("GRAPHQL_RATE_LIMIT_TOO_MANY_REQUESTS")
    );
    assert_eq!(failure(run("no query")).status, 400);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "limit"),
        (json!({"limit": 1, "maxCost": -1}), "maxCost"),
        (
            json!({"limit": 1, "periodTimeUnit": "DAYS"}),
            "periodTimeUnit",
        ),
    ] {
        let found = refusal("policy-graphql-ratelimit", &configuration);
        assert_eq!(found.path, path);
    }
}
