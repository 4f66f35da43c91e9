//! Order, conditions and ends of a chain.

use std::sync::Arc;

use futures::executor::block_on;
use http::StatusCode;
use tidegate_expression::{Condition, Needs};

use super::{Chain, CompiledStep};
use crate::testing::{exchange, services};
use crate::{
    AsyncPolicy, CompiledPolicy, Exchange, Failure, InlinePolicy, Outcome, Phase, Progress,
    Services,
};

/// Adds its letter to the header `trace`.
struct Trace(&'static str);

fn trace(exchange: &mut Exchange, letter: &str) {
    let headers = &mut exchange.request.headers;
    let before = headers
        .get("trace")
        .map_or("", |value| value.to_str().unwrap());
    let after = format!("{before}{letter}");
    headers.insert("trace", after.parse().unwrap());
}

impl InlinePolicy for Trace {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        trace(exchange, self.0);
        Outcome::Continue
    }
}

impl AsyncPolicy for Trace {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        _services: &'a Services,
    ) -> Progress<'a> {
        Progress::waiting(async {
            trace(exchange, self.0);
            Outcome::Continue
        })
    }
}

struct Stop;

impl InlinePolicy for Stop {
    fn on_request(&self, _exchange: &mut Exchange) -> Outcome {
        Outcome::fail(Failure::new(StatusCode::FORBIDDEN))
    }
}

fn step(policy: CompiledPolicy, condition: Option<&str>) -> CompiledStep {
    CompiledStep {
        name: "step".into(),
        policy,
        condition: condition.map(|source| Condition::compile(source).unwrap()),
        needs: Needs::NONE,
    }
}

fn inline(policy: impl InlinePolicy + 'static) -> CompiledPolicy {
    CompiledPolicy::Inline(Arc::new(policy))
}

fn run(steps: Vec<CompiledStep>, phase: Phase) -> (Outcome, String) {
    let mut exchange = exchange("/shop/");
    let outcome = block_on(Chain::new(steps).run(phase, &mut exchange, &services()));
    let trace = exchange.request.headers.get("trace");
    let trace = trace.map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    (outcome, trace)
}

#[test]
fn steps_run_in_order_and_those_whose_condition_fails_are_skipped() {
    let steps = vec![
        step(inline(Trace("a")), None),
        step(inline(Trace("b")), Some("{#request.method == 'PUT'}")),
        step(
            inline(Trace("c")),
            Some("{#request.headers['none'][0] == '1'}"),
        ),
        step(
            CompiledPolicy::Async(Arc::new(Trace("d"))),
            Some("{#request.method == 'GET'}"),
        ),
        step(
            inline(Trace("e")),
            Some("{#request.headers['trace'][0] == 'ad'}"),
        ),
    ];
    let (outcome, trace) = run(steps, Phase::Request);
    assert!(outcome.is_continue());
    assert_eq!(trace, "ade");
}

#[test]
fn a_failure_ends_the_chain() {
    let steps = vec![
        step(inline(Trace("a")), None),
        step(inline(Stop), None),
        step(inline(Trace("b")), None),
    ];
    let (outcome, trace) = run(steps, Phase::Request);
    assert!(matches!(outcome, Outcome::Fail(failure) if failure.status == 403));
    assert_eq!(trace, "a");
}

#[test]
fn a_phase_that_a_policy_does_not_implement_continues() {
    for phase in [Phase::Response, Phase::MessageRequest] {
        let (outcome, trace) = run(vec![step(inline(Stop), None)], phase);
        assert!(outcome.is_continue());
        assert_eq!(trace, "");
    }
}

#[test]
fn a_chain_needs_what_its_steps_need() {
    let mut reader = step(inline(Stop), None);
    reader.needs.response_content = true;
    let chain = Chain::new(vec![step(inline(Stop), None), reader]);
    assert!(chain.needs().response_content && !chain.needs().request_content);
    assert!(Chain::default().is_empty());
}
