//! Slices, and what a client is told of them.

use serde_json::json;
use tidegate_policy::Phase;

use super::Slice;
use crate::testing::{chain, example, exchange, failure, refusal, services};

#[test]
fn a_period_is_cut_into_slices_of_at_least_100_milliseconds() {
    for (limit, period_ms, slice_limit, slice_ms) in [
        (10, 1_000, 1, 100),
        (100, 1_000, 10, 100),
        (2, 60_000, 1, 30_000),
        (1, 1_000, 1, 1_000),
        (15, 1_000, 2, 133),
        (3, 1_000, 1, 333),
        (7_000, 60_000, 12, 102),
        (1_000_000, 1_000, 100_000, 100),
        (0, 1_000, 0, 1_000),
        (u64::MAX, 1, u64::MAX, 100),
    ] {
        let expected = Slice {
            limit: slice_limit,
            period_ms: slice_ms,
        };
        let found = Slice::new(limit, period_ms);
        assert_eq!(found, expected, "{limit} in {period_ms} ms");
    }
}

#[test]
fn the_example_of_the_readme_lets_one_pass_in_each_slice() {
    let services = services();
    let configuration = example(include_str!("README.md"));
    let chain = chain("spike-arrest", &configuration, Phase::Request);
    for (now_ms, is_allowed, reset) in [
        (5_000, true, "5100"),
        (5_099, false, "5100"),
        (5_100, true, "5200"),
    ] {
        let mut exchange = exchange();
        exchange.request.timestamp_ms = now_ms;
        let outcome =
            futures::executor::block_on(chain.run(Phase::Request, &mut exchange, &services));
        let headers = &exchange.response.headers;
        assert_eq!(headers["x-spike-arrest-limit"], "1");
        assert_eq!(headers["x-spike-arrest-slice-period"], "100ms");
        assert_eq!(headers["x-spike-arrest-reset"], reset);
        if is_allowed {
            assert!(outcome.is_continue(), "at {now_ms}");
            continue;
        }
        let failure = failure(outcome);
        assert_eq!(failure.status, 429);
        assert_eq!(
            failure.key.as_deref(),
            Some("SPIKE_ARREST_TOO_MANY_REQUESTS")
        );
        assert_eq!(
            failure.message.as_deref(),
            Some("Spike limit exceeded! You reached the limit of 1 requests per 100 ms.")
        );
        let names: Vec<&str> = failure
            .parameters
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "limit",
                "period_time",
                "period_unit",
                "slice_limit",
                "slice_period_time",
                "slice_period_unit"
            ]
        );
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"spike": {}}), "spike.limit"),
        (
            json!({"spike": {"limit": 1, "periodTime": "soon"}}),
            "spike.periodTime",
        ),
    ] {
        assert_eq!(refusal("spike-arrest", &configuration).path, path);
    }
}
