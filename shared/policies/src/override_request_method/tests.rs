//! The attribute that the method becomes.

use http::Method;
use serde_json::json;
use tidegate_expression::Value;
use tidegate_policy::Phase;

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-override-request-method";

#[test]
fn the_method_is_set_for_the_call_and_the_request_keeps_its_own() {
    for (configuration, expected) in [
        (example(include_str!("README.md")), "POST"),
        (json!({}), "GET"),
        (json!({"method": null}), "GET"),
        (json!({"method": "patch"}), "PATCH"),
    ] {
        let mut exchange = exchange();
        assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
        let chosen = exchange.attributes.get_platform("request.method");
        assert_eq!(chosen, Some(&Value::from(expected)));
        assert_eq!(exchange.request.method, Method::GET);
    }
}

#[test]
fn what_is_no_method_is_refused() {
    for method in [json!("A B"), json!("connect"), json!(""), json!(5)] {
        assert_eq!(refusal(NAME, &json!({"method": method})).path, "method");
    }
}
