//! Quotas: attributes, headers by default, calendar windows.

use serde_json::json;
use tidegate_policy::{Phase, Window};

use super::LongUnit;
use crate::counting::PeriodUnit;
use crate::testing::{chain, example, exchange, failure, refusal, run, run_with, services};

#[test]
fn the_example_of_the_readme_sets_headers_and_attributes() {
    let mut exchange = exchange();
    let configuration = example(include_str!("README.md"));
    assert!(run("quota", &configuration, Phase::Request, &mut exchange).is_continue());
    let reset = Window::Months(1).end_ms(0).unwrap().to_string();
    let headers = &exchange.response.headers;
    assert_eq!(headers["x-quota-limit"], "10");
    assert_eq!(headers["x-quota-remaining"], "9");
    assert_eq!(headers["x-quota-reset"], reset.as_str());
    for (name, expected) in [
        ("quota.count", "1"),
        ("quota.remaining", "9"),
        ("quota.limit", "10"),
        ("quota.reset.time", reset.as_str()),
    ] {
        let found = exchange.attribute(name).to_text().unwrap();
        assert_eq!(found.as_str(), expected, "{name}");
    }
}

#[test]
fn headers_can_be_turned_off() {
    let mut exchange = exchange();
    let configuration = json!({"addHeaders": false, "quota": {"limit": 1}});
    assert!(run("quota", &configuration, Phase::Request, &mut exchange).is_continue());
    assert!(exchange.response.headers.is_empty());
}

#[test]
fn a_request_beyond_the_quota_is_refused_and_still_counts() {
    let services = services();
    let configuration = json!({"quota": {"limit": 1, "periodTime": 2, "periodTimeUnit": "DAYS"}});
    let chain = chain("quota", &configuration, Phase::Request);
    let mut last = None;
    let mut exchange = exchange();
    for _ in 0..3 {
        last = Some(futures::executor::block_on(chain.run(
            Phase::Request,
            &mut exchange,
            &services,
        )));
    }
    let failure = failure(last.unwrap());
    assert_eq!(failure.status, 429);
    assert_eq!(failure.key.as_deref(), Some("QUOTA_TOO_MANY_REQUESTS"));
    assert_eq!(
        failure.message.as_deref(),
        Some("Quota exceeded! You reached the limit of 1 requests per 2 days")
    );
    assert_eq!(exchange.attribute("quota.count").to_i64(), Some(3));
    assert_eq!(exchange.response.headers["x-quota-remaining"], "0");
}

#[test]
fn a_quota_and_a_rate_limit_count_apart() {
    let services = services();
    let mut exchange = exchange();
    for (policy, configuration) in [
        ("quota", json!({"quota": {"limit": 1}})),
        ("rate-limit", json!({"rate": {"limit": 1}})),
        ("spike-arrest", json!({"spike": {"limit": 1}})),
    ] {
        let outcome = run_with(
            policy,
            &configuration,
            Phase::Request,
            &mut exchange,
            &services,
        );
        assert!(outcome.is_continue(), "{policy}");
    }
}

#[test]
fn units_are_windows_of_the_calendar() {
    for (unit, window) in [
        (LongUnit::Hours, Window::Millis(7_200_000)),
        (LongUnit::Days, Window::Days(2)),
        (LongUnit::Weeks, Window::Days(14)),
        (LongUnit::Months, Window::Months(2)),
    ] {
        assert_eq!(unit.window(2), Some(window));
        assert_eq!(unit.window(u64::MAX), None);
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"quota": {"periodTime": 1}}), "quota.limit"),
        (
            json!({"quota": {"limit": 1, "periodTimeUnit": "SECONDS"}}),
            "quota.periodTimeUnit",
        ),
        (
            json!({"quota": {"limit": 1, "periodTime": 4_000_000_000_u64}}),
            "quota.periodTime",
        ),
    ] {
        assert_eq!(refusal("quota", &configuration).path, path);
    }
}
