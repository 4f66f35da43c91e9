//! When the circuit opens and closes, and what happens while it is open.

use std::time::Duration;

use serde_json::json;
use tidegate_policy::Phase;

use super::circuit::{Call, Circuit, Thresholds};
use crate::fakes::{Answer, FakeEndpoint};
use crate::testing::{chain, example, exchange, refusal, services};

const GOOD: Call = Call {
    is_failed: false,
    is_slow: false,
};
const FAILED: Call = Call {
    is_failed: true,
    is_slow: false,
};
const SLOW: Call = Call {
    is_failed: false,
    is_slow: true,
};

fn circuit(window: usize) -> Circuit {
    Circuit::new(Thresholds {
        failed_percent: 50,
        slow_percent: 100,
        window,
        open_for: Duration::from_nanos(100),
    })
}

fn is_open_after(calls: &[Call], window: usize) -> bool {
    let mut circuit = circuit(window);
    for call in calls {
        match circuit.begin(0) {
            Some(permit) => circuit.ended(permit, *call, 0),
            None => return true,
        }
    }
    circuit.begin(0).is_none()
}

#[test]
fn the_share_of_failed_or_slow_calls_among_the_last_opens_the_circuit() {
    for (calls, window, is_open) in [
        (&[][..], 4, false),
        (&[GOOD, GOOD], 4, false),
        (&[FAILED], 4, true),
        (&[GOOD, GOOD, FAILED], 4, false),
        (&[GOOD, GOOD, FAILED, FAILED], 4, true),
        (&[GOOD, GOOD, FAILED, GOOD, GOOD, GOOD, FAILED], 4, false),
        (&[GOOD, SLOW, SLOW], 4, false),
        (&[GOOD, SLOW, SLOW], 2, true),
    ] {
        assert_eq!(is_open_after(calls, window), is_open, "{calls:?}");
    }
}

#[test]
fn after_its_time_a_few_calls_try_the_circuit_and_the_first_to_end_decides() {
    let mut circuit = circuit(4);
    let permit = circuit.begin(0).unwrap();
    circuit.ended(permit, FAILED, 10);
    assert!(circuit.begin(109).is_none());
    let trials: Vec<_> = (0..10).map(|_| circuit.begin(110).unwrap()).collect();
    assert!(circuit.begin(110).is_none(), "an eleventh trial");
    circuit.left(trials[0]);
    let again = circuit.begin(110).unwrap();
    circuit.ended(trials[1], FAILED, 120);
    assert!(circuit.begin(130).is_none(), "open again");
    circuit.ended(again, GOOD, 140);
    assert!(
        circuit.begin(150).is_none(),
        "a call of before does not close it"
    );
    let trial = circuit.begin(220).unwrap();
    circuit.ended(trial, GOOD, 230);
    assert!(circuit.begin(231).is_some(), "closed");
}

#[test]
fn the_example_of_the_readme_calls_the_other_url_while_open() {
    let services = services();
    let chain = chain(
        "policy-circuit-breaker",
        &example(include_str!("README.md")),
        Phase::Request,
    );
    for (answer, endpoint_attribute) in [
        (Answer::Response(500, &[], ""), None),
        (
            Answer::Response(200, &[], ""),
            Some("https://standby.example.com/items"),
        ),
    ] {
        let mut exchange = exchange();
        let outcome =
            futures::executor::block_on(chain.run(Phase::Request, &mut exchange, &services));
        assert!(outcome.is_continue());
        let mut endpoint = FakeEndpoint::new([answer]);
        endpoint.around(&mut exchange, &services).unwrap();
        assert_eq!(endpoint.calls, 1);
        let found = exchange.attribute("request.endpoint");
        assert_eq!(found.as_text(), endpoint_attribute);
    }
}

#[test]
fn an_open_circuit_without_another_url_is_503() {
    let services = services();
    let chain = chain("policy-circuit-breaker", &json!({}), Phase::Request);
    let mut calls = 0;
    for status in [502, 503] {
        let mut exchange = exchange();
        let outcome =
            futures::executor::block_on(chain.run(Phase::Request, &mut exchange, &services));
        assert!(outcome.is_continue());
        let mut endpoint = FakeEndpoint::new([Answer::Failure(502)]);
        let failure = endpoint.around(&mut exchange, &services).unwrap_err();
        calls += endpoint.calls;
        assert_eq!(failure.status, status);
        let key = (status == 503).then_some("CIRCUIT_BREAKER_OPEN_STATE");
        assert_eq!(failure.key.as_deref(), key);
    }
    assert_eq!(calls, 1);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"failureRateThreshold": 101}), "failureRateThreshold"),
        (json!({"windowSize": 0}), "windowSize"),
        (json!({"redirectToURL": "{#a +}"}), "redirectToURL"),
    ] {
        let found = refusal("policy-circuit-breaker", &configuration);
        assert_eq!(found.path, path);
    }
}
