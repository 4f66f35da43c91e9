//! Counting, keys, headers, failures and the strategies when nobody can count.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use serde_json::{Value, json};
use tidegate_policy::{
    Decision, Exchange, LimitRequest, Limiter, LimiterUnavailable, Outcome, Phase, PlanFacts,
    Services, SubscriptionFacts, Take,
};

use crate::testing::{chain, example, exchange, failure, refusal, run_with, services};

fn subscribed(plan: &str, subscription: &str) -> Exchange {
    let mut exchange = exchange();
    exchange.plan = Some(Arc::new(PlanFacts {
        id: plan.into(),
        name: plan.into(),
    }));
    exchange.subscription = Some(Arc::new(SubscriptionFacts {
        id: subscription.into(),
        application: "app".into(),
        client_id: None,
        metadata: std::collections::BTreeMap::default(),
    }));
    exchange
}

fn rate(limit: u64) -> Value {
    json!({"rate": {"limit": limit}})
}

/// Notes keys and answers, or fails to, after a wait.
#[derive(Debug)]
struct Elsewhere {
    keys: Mutex<Vec<String>>,
    answer: Result<Decision, LimiterUnavailable>,
}

impl Elsewhere {
    fn services(answer: Result<Decision, LimiterUnavailable>) -> (Services, Arc<Self>) {
        let limiter = Arc::new(Self {
            keys: Mutex::default(),
            answer,
        });
        let mut services = services();
        services.limiter = Arc::<Self>::clone(&limiter);
        (services, limiter)
    }
}

impl Limiter for Elsewhere {
    fn take(&self, request: &LimitRequest<'_>) -> Take {
        self.keys.lock().unwrap().push(request.key.to_owned());
        let answer = self.answer;
        Take::Waiting(Box::pin(async move { answer }))
    }
}

#[test]
fn the_example_of_the_readme_lets_two_pass_and_refuses_the_third() {
    let services = services();
    let chain = chain(
        "rate-limit",
        &example(include_str!("README.md")),
        Phase::Request,
    );
    for (remaining, is_allowed) in [("1", true), ("0", true), ("0", false)] {
        let mut exchange = exchange();
        exchange.request.timestamp_ms = 1_000;
        let outcome = block_on(chain.run(Phase::Request, &mut exchange, &services));
        let headers = &exchange.response.headers;
        assert_eq!(headers["x-rate-limit-limit"], "2");
        assert_eq!(headers["x-rate-limit-remaining"], remaining);
        assert_eq!(headers["x-rate-limit-reset"], "11000");
        if is_allowed {
            assert!(outcome.is_continue());
            continue;
        }
        let failure = failure(outcome);
        assert_eq!(failure.status, 429);
        assert_eq!(failure.key.as_deref(), Some("RATE_LIMIT_TOO_MANY_REQUESTS"));
        assert_eq!(
            failure.message.as_deref(),
            Some("Rate limit exceeded! You reached the limit of 2 requests per 10 seconds")
        );
        let parameters: Vec<String> = failure
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_text().unwrap()))
            .collect();
        assert_eq!(
            parameters,
            ["limit=2", "period_time=10", "period_unit=SECONDS"]
        );
    }
}

#[test]
fn steps_of_one_plan_and_subscription_share_a_counter_whatever_their_limits() {
    let services = services();
    let run = |configuration: &Value, plan: &str, subscription: &str| {
        let mut exchange = subscribed(plan, subscription);
        run_with(
            "rate-limit",
            configuration,
            Phase::Request,
            &mut exchange,
            &services,
        )
        .is_continue()
    };
    assert!(run(&rate(1), "gold", "s1"));
    assert!(!run(&rate(1), "gold", "s1"), "the same counter");
    assert!(run(&rate(3), "gold", "s1"), "its own limit");
    assert!(run(&rate(1), "gold", "s2"), "another subscription");
    assert!(run(&rate(1), "free", "s1"), "another plan");
    let keyed = json!({"rate": {"limit": 1, "key": "k"}});
    assert!(run(&keyed, "gold", "s1"), "another key");
}

#[test]
fn keys_name_plan_subscription_and_own_key() {
    let decision = Decision {
        is_allowed: true,
        count: 1,
        reset_ms: 0,
    };
    let (services, limiter) = Elsewhere::services(Ok(decision));
    let mut without_plan = exchange();
    let mut client = exchange();
    client
        .attributes
        .set_platform("oauth.client_id", "client-7");
    let tenant = "{#request.headers['X-Tenant'][0]}";
    let missing = "{#request.headers['X-None']}";
    for (configuration, exchange, expected) in [
        (json!({}), &mut subscribed("p", "s"), "ps:rl"),
        (
            json!({"key": tenant}),
            &mut subscribed("p", "s"),
            "ps:acme:rl",
        ),
        (
            json!({"key": tenant, "useKeyOnly": true}),
            &mut subscribed("p", "s"),
            "acme:rl",
        ),
        (
            json!({"useKeyOnly": true}),
            &mut subscribed("p", "s"),
            "ps:rl",
        ),
        (
            json!({"key": missing, "useKeyOnly": true}),
            &mut subscribed("p", "s"),
            "ps:rl",
        ),
        (json!({}), &mut without_plan, "shop:rl"),
        (json!({}), &mut client, "client-7:rl"),
    ] {
        let mut rate = configuration.clone();
        rate["limit"] = json!(5);
        let configuration = json!({ "rate": rate });
        let outcome = run_with(
            "rate-limit",
            &configuration,
            Phase::Request,
            exchange,
            &services,
        );
        assert!(outcome.is_continue());
        assert_eq!(limiter.keys.lock().unwrap().pop().unwrap(), expected);
    }
}

#[test]
fn a_request_that_nobody_can_count_goes_on_or_is_refused_as_configured() {
    let (services, _) = Elsewhere::services(Err(LimiterUnavailable));
    for (strategy, key) in [
        (Value::Null, None),
        (json!("FALLBACK_PASS_TROUGH"), None),
        (
            json!("BLOCK_ON_INTERNAL_ERROR"),
            Some("RATE_LIMIT_BLOCK_ON_INTERNAL_ERROR"),
        ),
    ] {
        let configuration =
            json!({"addHeaders": true, "errorStrategy": strategy, "rate": {"limit": 5}});
        let mut exchange = exchange();
        let outcome = run_with(
            "rate-limit",
            &configuration,
            Phase::Request,
            &mut exchange,
            &services,
        );
        match (outcome, key) {
            (Outcome::Continue, None) => {}
            (Outcome::Fail(failure), Some(key)) => {
                assert_eq!(failure.status, 500);
                assert_eq!(failure.key.as_deref(), Some(key));
            }
            (outcome, _) => panic!("{strategy}: {outcome:?}"),
        }
        assert_eq!(exchange.response.headers["x-rate-limit-remaining"], "5");
        assert_eq!(exchange.response.headers["x-rate-limit-reset"], "-1");
    }
}

#[test]
fn limit_and_period_may_be_expressions() {
    let services = services();
    let configuration = json!({"addHeaders": true, "rate": {
        "limit": 0, "dynamicLimit": "{#api.properties['limit']}",
        "periodTime": 0, "periodTimeUnit": "MINUTES", "dynamicPeriodTime": "{20 + 10}"}});
    let configuration = {
        let mut it = configuration;
        it["rate"]["dynamicPeriodTime"] = json!("{(20 + 10)}");
        it
    };
    let mut exchange = exchange();
    let outcome = run_with(
        "rate-limit",
        &configuration,
        Phase::Request,
        &mut exchange,
        &services,
    );
    assert!(outcome.is_continue());
    assert_eq!(exchange.response.headers["x-rate-limit-limit"], "10");
    assert_eq!(exchange.response.headers["x-rate-limit-reset"], "30000");
}

#[test]
fn an_expression_that_fails_gives_500() {
    for rate in [
        json!({"dynamicLimit": "{#request.headers['None'][0]}"}),
        json!({"dynamicLimit": "{('many')}"}),
        json!({"limit": 1, "key": "{#request.nothing}"}),
    ] {
        let configuration = json!({ "rate": rate });
        let outcome = run_with(
            "rate-limit",
            &configuration,
            Phase::Request,
            &mut exchange(),
            &services(),
        );
        let failure = failure(outcome);
        assert_eq!(failure.status, 500, "{configuration}");
        assert_eq!(failure.key.as_deref(), Some("RATE_LIMIT_SERVER_ERROR"));
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), ""),
        (json!({"rate": {}}), "rate.limit"),
        (
            json!({"rate": {"limit": -1, "dynamicLimit": " "}}),
            "rate.limit",
        ),
        (
            json!({"rate": {"limit": 1, "periodTimeUnit": "DAYS"}}),
            "rate.periodTimeUnit",
        ),
        (
            json!({"rate": {"limit": 1, "periodTime": i64::MAX, "periodTimeUnit": "MINUTES"}}),
            "rate.periodTime",
        ),
        (json!({"rate": {"limit": 1, "key": "{#a +}"}}), "rate.key"),
        (
            json!({"rate": {"dynamicLimit": "{#a +}"}}),
            "rate.dynamicLimit",
        ),
        (
            json!({"rate": {"dynamicLimit": "many"}}),
            "rate.dynamicLimit",
        ),
        (
            json!({"rate": {"limit": 1}, "errorStrategy": "NONE"}),
            "errorStrategy",
        ),
    ] {
        assert_eq!(
            refusal("rate-limit", &configuration).path,
            path,
            "{configuration}"
        );
    }
}
