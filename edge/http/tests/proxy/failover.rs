//! Failover: another endpoint answers in place of one that is gone or slow, and a circuit that opens.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{get, send},
    definition::api,
    edge::Edge,
    upstream::Upstream,
};

/// A port on which nobody listens.
fn closed() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn with_failover(targets: &[&str], settings: Value) -> Value {
    let mut api = api("a", "/a", targets);
    api["failover"] = settings;
    api["failover"]["enabled"] = json!(true);
    api
}

#[test]
fn the_next_endpoint_answers_for_one_that_is_gone() {
    let alive = Upstream::echo("alive");
    let edge = Edge::serving(vec![with_failover(&[&closed(), &alive.url()], json!({}))]);
    for _ in 0..4 {
        assert_eq!(get(edge.address, "/a", &[]).status, 200);
    }
    assert_eq!(alive.served(), 4);
}

#[test]
fn a_slow_endpoint_is_given_up_and_its_body_sent_again() {
    let slow = Upstream::scripted(|_, _| {
        thread::sleep(Duration::from_secs(3));
        false
    });
    let quick = Upstream::echo("quick");
    let settings = json!({"slowCallDuration": 100});
    let edge = Edge::serving(vec![with_failover(&[&slow.url(), &quick.url()], settings)]);
    let begun = Instant::now();
    let answer = send(edge.address, "POST", "/a", &[], "precious");
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("precious"), "{}", answer.body);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn errors_of_the_backend_are_answers() {
    let broken = Upstream::answering(|_| {
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    let edge = Edge::serving(vec![with_failover(&[&broken.url()], json!({}))]);
    assert_eq!(get(edge.address, "/a", &[]).status, 500);
    assert_eq!(broken.served(), 1);
}

#[test]
fn the_last_failure_is_a_502_without_a_body_and_opens_the_circuit() {
    let dead = Upstream::scripted(|_, _| false);
    let settings = json!({"maxRetries": 1, "maxFailures": 2, "openStateDuration": 60_000});
    let edge = Edge::serving(vec![with_failover(&[&dead.url()], settings)]);
    for attempts in [2, 4, 4, 4] {
        let answer = get(edge.address, "/a", &[]);
        assert_eq!((answer.status, answer.body.as_str()), (502, ""));
        assert_eq!(dead.served(), attempts);
    }
}
