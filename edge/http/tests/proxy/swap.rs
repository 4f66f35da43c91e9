//! Changing the configuration while requests are in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    client::get,
    definition::{add_header, api, object, snapshot},
    edge::Edge,
    upstream::Upstream,
};

#[test]
fn swaps_under_load_lose_nothing_and_never_mix_versions() {
    let upstream = Upstream::echo("a");
    let definition = |version: u64| {
        let mut definition = api("api", "/", &[&upstream.url()]);
        let steps = json!([add_header("X-Version", &version.to_string())]);
        definition["flows"] =
            json!([{"name": "f", "enabled": true, "request": steps, "response": steps}]);
        object(definition)
    };
    let edge = Edge::start(&snapshot(1, vec![definition(1)], vec![]));
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, address) = (Arc::clone(&done), edge.address);
            thread::spawn(move || {
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = get(address, "/", &[]);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let version = answer.header("x-version").unwrap();
                    let sent = format!("x-version: {version}\r\n");
                    assert!(answer.body.contains(&sent), "{answer:?}");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for version in 2..60 {
        assert_eq!(
            edge.swap(&snapshot(version, vec![definition(version)], vec![]))
                .refused,
            []
        );
        thread::sleep(Duration::from_millis(10));
    }
    done.store(true, Ordering::Relaxed);
    let answered: usize = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .sum();
    assert!(answered > 20, "{answered}");
    assert_eq!(get(edge.address, "/", &[]).header("x-version"), Some("59"));
}

#[test]
fn a_request_in_flight_ends_on_the_configuration_it_began_with() {
    let upstream = Upstream::answering(|_| {
        thread::sleep(Duration::from_millis(600));
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["flows"] =
        json!([{"name": "f", "enabled": true, "response": [add_header("X-Old", "1")]}]);
    let edge = Edge::start(&snapshot(1, vec![object(definition)], vec![]));
    let address = edge.address;
    let pending = thread::spawn(move || get(address, "/", &[]));
    let deadline = Instant::now() + Duration::from_secs(10);
    while upstream.served() == 0 && Instant::now() < deadline {
        thread::yield_now();
    }
    edge.swap(&snapshot(2, vec![], vec![]));
    assert_eq!(get(address, "/", &[]).status, 404);
    let answer = pending.join().unwrap();
    assert_eq!((answer.status, answer.header("x-old")), (200, Some("1")));
}

#[test]
fn a_refused_object_keeps_its_last_good_version() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![api("api", "/a", &[&upstream.url()])]);
    let mut broken = api("api", "/a", &[&upstream.url()]);
    broken["flows"] = json!([{"name": "f", "enabled": true, "request": [
        {"policy": "no-such-policy", "enabled": true}]}]);
    let objects = vec![object(broken), object(api("new", "/b", &[&upstream.url()]))];
    let refused = edge.swap(&snapshot(2, objects, vec![])).refused;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        (refused[0].id.as_str(), refused[0].code),
        ("api", "invalid-definition")
    );
    assert_eq!(refused[0].path, "flows[0].request[0].policy");
    assert_eq!(get(edge.address, "/a", &[]).status, 200);
    assert_eq!(get(edge.address, "/b", &[]).status, 200);
}
