//! What is written, that `http-signature` accepts it, and what cannot be signed.

use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase};

use super::IMPOSSIBLE_GENERATION;
use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "generate-http-signature";

fn request() -> Exchange {
    let mut exchange = exchange();
    exchange.request.timestamp_ms = 1_700_000_000_123;
    exchange
}

fn signature(configuration: &Value, header: &str) -> (String, Exchange) {
    let mut exchange = request();
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    let value = exchange.request.headers[header].to_str().unwrap();
    (value.to_owned(), exchange)
}

#[test]
fn the_example_of_the_readme_runs_and_is_accepted() {
    let configuration = example(include_str!("README.md"));
    let (value, mut exchange) = signature(&configuration, "authorization");
    let expected = "Signature keyId=\"gateway\",created=1700000000,expires=1700000003.123,\
        algorithm=\"hmac-sha512\",headers=\"(request-target) x-tenant (created) (expires)\",\
        signature=\"";
    assert!(value.starts_with(expected), "{value}");
    let check = json!({"secret": "10", "enforceHeaders": ["(created)", "(expires)", "x-tenant"]});
    let outcome = run("http-signature", &check, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
}

#[test]
fn the_header_signature_has_no_scheme() {
    let configuration = json!({
        "scheme": "SIGNATURE", "keyId": "k", "secret": "s", "headers": ["x-tenant"],
        "created": false, "expires": false
    });
    let (value, _) = signature(&configuration, "signature");
    let expected = "keyId=\"k\",algorithm=\"hmac-sha256\",headers=\"x-tenant\",signature=\"";
    assert!(value.starts_with(expected), "{value}");
}

#[test]
fn what_cannot_be_signed_fails_with_the_key() {
    for (configuration, status) in [
        (
            json!({"keyId": "k", "secret": "s", "headers": ["X-None"]}),
            400,
        ),
        (
            json!({"keyId": "k", "secret": "s", "created": false, "expires": false}),
            400,
        ),
        (json!({"keyId": "k", "secret": "{#nothing}"}), 500),
        (json!({"keyId": "a\"b", "secret": "s"}), 500),
        (
            json!({"keyId": "{#request.headers['X'][0]}", "secret": "s"}),
            500,
        ),
    ] {
        let outcome = run(NAME, &configuration, Phase::Request, &mut request());
        let failure = failure(outcome);
        assert_eq!(failure.status, status, "{configuration}");
        assert_eq!(failure.key.as_deref(), Some(IMPOSSIBLE_GENERATION));
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"secret": "s"}), "keyId"),
        (json!({"keyId": "k"}), "secret"),
        (
            json!({"keyId": "k", "secret": "s", "validityDuration": 0}),
            "validityDuration",
        ),
        (
            json!({"keyId": "k", "secret": "s", "headers": ["a b"]}),
            "headers[0]",
        ),
        (
            json!({"keyId": "k", "secret": "s", "algorithm": "MD5"}),
            "algorithm",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
