//! Bodies with a known length and bodies that stream.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use serde_json::json;
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "request-content-limit";

fn limited(exchange: &mut Exchange) -> Outcome {
    run(NAME, &json!({"limit": 10}), Phase::Request, exchange)
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    exchange
        .request
        .headers
        .insert(CONTENT_LENGTH, "1048577".parse().unwrap());
    let configuration = example(include_str!("README.md"));
    let failure = failure(run(NAME, &configuration, Phase::Request, &mut exchange));
    assert_eq!(failure.status, 413);
}

#[test]
fn a_known_length_decides_at_once() {
    for (length, expected) in [
        ("10", None),
        ("0", None),
        ("11", Some((413, Some("REQUEST_CONTENT_LIMIT_TOO_LARGE")))),
        ("x", Some((400, None))),
    ] {
        let mut exchange = exchange();
        exchange
            .request
            .headers
            .insert(CONTENT_LENGTH, length.parse().unwrap());
        let outcome = limited(&mut exchange);
        let Some((status, key)) = expected else {
            assert!(outcome.is_continue(), "{length}");
            continue;
        };
        let failure = failure(outcome);
        assert_eq!(
            (failure.status.as_u16(), failure.key.as_deref()),
            (status, key)
        );
    }
}

#[test]
fn a_body_that_streams_is_counted_and_the_narrowest_limit_holds() {
    let mut exchange = exchange();
    exchange.request.has_unmeasured_body = true;
    let wide = run(NAME, &json!({"limit": 20}), Phase::Request, &mut exchange);
    assert!(wide.is_continue());
    assert!(limited(&mut exchange).is_continue());
    let wide = run(NAME, &json!({"limit": 30}), Phase::Request, &mut exchange);
    assert!(wide.is_continue());
    let limit = exchange.request.body_limit.unwrap();
    assert_eq!(limit.bytes_max, 10);
    assert_eq!(limit.failure.status, 413);
}

#[test]
fn a_body_that_was_read_before_is_measured() {
    let mut exchange = exchange();
    exchange.request.has_unmeasured_body = true;
    exchange.request.content = Bytes::from_static(b"eleven byte").into();
    assert_eq!(failure(limited(&mut exchange)).status, 413);
}

#[test]
fn no_length_and_no_body_is_411() {
    let failure = failure(limited(&mut exchange()));
    assert_eq!(failure.status, 411);
    assert_eq!(
        failure.key.as_deref(),
        Some("REQUEST_CONTENT_LIMIT_LENGTH_REQUIRED")
    );
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    assert_eq!(refusal(NAME, &json!({"limit": -1})).path, "limit");
}
