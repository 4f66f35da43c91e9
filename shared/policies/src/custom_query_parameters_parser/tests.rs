//! What counts as a parameter.

use std::sync::Arc;

use http::uri::PathAndQuery;
use serde_json::json;
use tidegate_policy::{Exchange, Phase, Query, RequestPath};

use crate::testing::{example, exchange, run};

const NAME: &str = "custom-query-parameters-parser";

fn of(target: &'static str) -> Exchange {
    let mut exchange = exchange();
    let target = PathAndQuery::from_static(target);
    exchange.request.query = Query::new(target.query());
    exchange.request.path = RequestPath::new(target, Arc::from("/shop/"));
    exchange
}

#[test]
fn semicolons_belong_to_values() {
    let mut exchange = of("/shop/?filter=field1;field2&x=1");
    assert_eq!(exchange.request.query.first("filter"), Some("field1"));
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    let query = &exchange.request.query;
    assert_eq!(query.first("filter"), Some("field1;field2"));
    assert_eq!(query.to_text().as_deref(), Some("filter=field1;field2&x=1"));
}

#[test]
fn without_a_semicolon_changes_of_earlier_steps_stay() {
    let mut exchange = of("/shop/?a=1");
    exchange.request.query.append("b".into(), None);
    assert!(run(NAME, &json!({}), Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.query.to_text().as_deref(), Some("a=1&b"));
}
