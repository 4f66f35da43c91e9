//! How long a request waits.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use serde_json::{Value, json};
use tidegate_policy::{BoxFuture, Chain, Overloaded, Phase, Tasks};

use crate::testing::{compile, example, exchange, refusal, services};

#[derive(Debug, Default)]
struct Sleeps(RefCell<Vec<Duration>>);

impl Tasks for Sleeps {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.borrow_mut().push(duration);
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, _task: BoxFuture<'static, ()>) -> Result<(), Overloaded> {
        Err(Overloaded)
    }
}

fn waited(configuration: &Value) -> Vec<Duration> {
    let sleeps = Rc::new(Sleeps::default());
    let mut services = services();
    services.tasks = Rc::<Sleeps>::clone(&sleeps);
    let step = compile("latency", configuration, Phase::Request).unwrap();
    let mut exchange = exchange();
    let outcome = block_on(Chain::new(vec![step]).run(Phase::Request, &mut exchange, &services));
    assert!(outcome.is_continue());
    sleeps.0.take()
}

#[test]
fn a_request_waits_as_long_as_configured() {
    for (configuration, expected) in [
        (example(include_str!("README.md")), 2000),
        (json!({}), 100),
        (json!({"time": null, "timeUnit": null}), 100),
        (json!({"time": 7}), 7),
        (json!({"time": 1, "timeUnit": "MILLISECONDS"}), 1),
    ] {
        let expected = Duration::from_millis(expected);
        assert_eq!(waited(&configuration), [expected], "{configuration}");
    }
    assert!(waited(&json!({"time": 0})).is_empty());
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"time": -1}), "time"),
        (json!({"time": 3601, "timeUnit": "SECONDS"}), "time"),
        (json!({"timeUnit": "DAYS"}), "timeUnit"),
    ] {
        assert_eq!(
            refusal("latency", &configuration).path,
            path,
            "{configuration}"
        );
    }
}
