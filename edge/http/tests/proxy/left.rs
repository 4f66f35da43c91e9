//! Clients that do not wait.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Mutex, mpsc},
    time::Duration,
};

use serde_json::{Value, json};
use tidegate_edge_http::GatewaySettings;

use crate::{
    client::connect,
    definition::{api, object, snapshot},
    edge::{Edge, LogFile},
    http2,
    upstream::Upstream,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Tells of every request and never answers; the connection ends with the edge's side of it.
fn silent_upstream() -> (Upstream, mpsc::Receiver<()>) {
    let (asked, is_asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    let upstream = Upstream::scripted(move |_, stream| {
        asked.lock().unwrap().send(()).unwrap();
        let _ = stream.read(&mut [0]);
        false
    });
    (upstream, is_asked)
}

/// Lets `leave` ask and go away, and gives the one record of that.
fn record_of(leave: impl FnOnce(SocketAddr, mpsc::Receiver<()>)) -> Value {
    let (upstream, is_asked) = silent_upstream();
    let (log, file) = LogFile::start();
    let configuration = snapshot(1, vec![object(api("api", "/", &[&upstream.url()]))], vec![]);
    let edge = Edge::with(&configuration, GatewaySettings::default(), Some(log));
    leave(edge.address, is_asked);
    edge.wait_for(r#"tidegate_edge_http_requests_total{api="api",status="4xx"} 1"#);
    let records = file.records(edge);
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap()
}

#[test]
fn a_client_that_leaves_before_the_answer_is_counted_and_logged_as_499() {
    let record = record_of(|edge, is_asked| {
        let mut client = connect(edge);
        client
            .write_all(b"GET /x?key=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        is_asked.recv_timeout(PATIENCE).unwrap();
    });
    for (member, expected) in [
        ("status", json!(499)),
        ("error-key", json!("CLIENT_ABORTED_DURING_RESPONSE_ERROR")),
        ("api-id", json!("api")),
        ("plan-id", json!("open")),
        ("uri", json!("/x")),
        ("response-content-length", json!(0)),
    ] {
        assert_eq!(record[member], expected, "{member} of {record}");
    }
}

#[test]
fn a_reset_http2_stream_is_a_client_that_left() {
    let record = record_of(|edge, is_asked| {
        http2::run(async {
            let (mut sender, _) = http2::connect(edge).await;
            let sent = sender.send_request(http2::request("/", b""));
            let left = tokio::time::timeout(Duration::from_millis(300), sent).await;
            assert!(left.is_err(), "nobody answers");
            is_asked.recv_timeout(PATIENCE).unwrap();
        });
    });
    assert_eq!(record["status"], 499, "{record}");
    assert_eq!(record["http-version"], "HTTP/2", "{record}");
}

#[test]
fn a_client_that_leaves_within_its_own_body_is_not_the_endpoints_failure() {
    let record = record_of(|edge, _| {
        let mut client = connect(edge);
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";
        client.write_all(head.as_bytes()).unwrap();
        client.shutdown(Shutdown::Both).unwrap();
    });
    assert_eq!(record["status"], 499, "{record}");
    assert_eq!(record["error-key"], "CLIENT_ABORTED_DURING_RESPONSE_ERROR");
}

/// Answers with more than sockets hold.
fn flood(stream: &mut TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
    let _ = stream.write_all(head);
    while stream.write_all(&[b'x'; 65536]).is_ok() {}
}

#[test]
fn a_client_that_leaves_within_the_response_is_logged_with_the_status_it_got() {
    let upstream = Upstream::scripted(|_, stream| {
        flood(stream);
        false
    });
    let (log, file) = LogFile::start();
    let configuration = snapshot(1, vec![object(api("api", "/", &[&upstream.url()]))], vec![]);
    let edge = Edge::with(&configuration, GatewaySettings::default(), Some(log));
    let mut client = connect(edge.address);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    client.read_exact(&mut [0; 100]).unwrap();
    drop(client);
    edge.wait_for("tidegate_edge_http_connections 0");
    let records = file.records(edge);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["status"], 200);
    assert_eq!(
        records[0]["error-key"],
        "CLIENT_ABORTED_DURING_RESPONSE_ERROR"
    );
}
