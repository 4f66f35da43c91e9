//! Endpoints that lie, break off or are slow: the statuses of `gravitee-v4.md` §3.9, and never a hang.

use std::{io::Write as _, net::TcpStream, thread, time::Duration};

use serde_json::json;

use super::{answer, exchange};
use crate::{definition::api, edge::Edge, upstream::Upstream};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn edge_before(script: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Edge {
    let upstream = Upstream::scripted(move |_, stream| {
        script(stream);
        false
    });
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["endpointGroups"][0]["sharedConfiguration"] =
        json!({"http": {"readTimeout": 500, "connectTimeout": 500}});
    Edge::serving(vec![definition])
}

#[test]
fn a_head_that_cannot_be_used_is_502() {
    for response in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        let edge = edge_before(move |stream| drop(stream.write_all(response.as_bytes())));
        assert_eq!(answer(edge.address, GET).status, 502, "{response:?}");
    }
}

#[test]
fn a_body_that_breaks_off_is_cut_and_never_looks_complete() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
    ] {
        let edge = edge_before(move |stream| drop(stream.write_all(response.as_bytes())));
        let received = exchange(edge.address, GET);
        let text = String::from_utf8_lossy(&received).into_owned();
        if text.is_empty() {
            continue;
        }
        assert!(!text.ends_with("0\r\n\r\n"), "looks complete: {text}");
        let is_whole = text.contains("content-length: 4\r\n");
        assert!(!is_whole, "looks complete: {text}");
    }
}

#[test]
fn more_than_the_announced_length_is_not_passed_on() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalfHTTP/1.1 200 OK\r\n\r\nevil";
    let edge = edge_before(move |stream| drop(stream.write_all(response.as_bytes())));
    for _ in 0..3 {
        let answer = answer(edge.address, GET);
        assert_eq!((answer.status, answer.body.as_str()), (200, "half"));
    }
}

#[test]
fn silence_is_504_and_a_stalled_body_ends_the_response() {
    let edge = edge_before(|_| thread::sleep(Duration::from_secs(3)));
    assert_eq!(answer(edge.address, GET).status, 504);
    let edge = edge_before(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        thread::sleep(Duration::from_secs(3));
    });
    let received = exchange(edge.address, GET);
    assert!(!received.ends_with(b"halfhalf"), "cut");
}
