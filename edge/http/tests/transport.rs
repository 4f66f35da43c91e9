//! The transport with real sockets and raw bytes: a client, the server with a forwarding handler, an upstream.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;

use std::time::Duration;

use rig::{Behaviour, Rig, read_all, read_response, upstream_script};
use tidegate_edge_http::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn keep_alive_and_pipelined_requests_are_answered_in_order() {
    let rig = Rig::start(Behaviour::Echo).await;
    let mut client = rig.client().await;
    let requests = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\
        POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n\
        GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.write_all(requests).await.unwrap();
    let (head, body) = read_response(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, b"ab");
    let (head, body) = read_response(&mut client).await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body, b"2\r\ncd\r\n0\r\n\r\n");
    let (head, body) = read_response(&mut client).await;
    assert!(
        head.contains("connection: close") && head.contains("content-length: 0"),
        "{head}"
    );
    assert_eq!(body, b"");
    assert_eq!(read_all(&mut client).await, b"");
}

#[tokio::test]
async fn refused_messages_get_their_status_and_the_connection_closes() {
    let rig = Rig::start(Behaviour::Echo).await;
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000));
    let long_head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    let many: String = (0..200).map(|n| format!("x{n}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    let both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let cases = [
        (both, "400"),
        ("GET / HTTP/1.1\nHost: a\n\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "400",
        ),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "417"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n",
            "413",
        ),
        (&long_target, "414"),
        (&long_head, "431"),
        (&many, "431"),
    ];
    for (request, status) in cases {
        let mut client = rig.client().await;
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut client).await;
        let answer = String::from_utf8_lossy(&answer);
        let start = &request[..request.len().min(60)];
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{start:?}: {answer}"
        );
        assert!(answer.contains("connection: close"), "{start:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{start:?}: {answer}");
    }
    assert_eq!(rig.refused(), 11);
}

#[tokio::test]
async fn http_1_0_is_served_without_chunks_and_closed() {
    let rig = Rig::start(Behaviour::EchoUnknownLength).await;
    let mut client = rig.client().await;
    client
        .write_all(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
        .await
        .unwrap();
    let answer = String::from_utf8(read_all(&mut client).await).unwrap();
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    let rig = Rig::start(Behaviour::Echo).await;
    let mut client = rig.client().await;
    let kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.write_all(kept).await.unwrap();
    let (head, _) = read_response(&mut client).await;
    assert!(head.contains("connection: keep-alive"), "{head}");
}

#[tokio::test]
async fn the_body_is_asked_for_with_100_continue_when_it_is_read() {
    let rig = Rig::start(Behaviour::Echo).await;
    let mut client = rig.client().await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(head).await.unwrap();
    // The head of the answer may be there before the body is asked for; the interim response must be first.
    let mut interim = [0u8; 25];
    client.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hi").await.unwrap();
    let (_, body) = read_response(&mut client).await;
    assert_eq!(body, b"hi");
}

#[tokio::test]
async fn a_silent_client_gets_408_and_an_idle_one_is_closed() {
    let limits = Limits {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let rig = Rig::with_limits(Behaviour::Collect, limits).await;
    for (sent, status) in [
        ("", ""),
        ("GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
            "HTTP/1.1 408 ",
        ),
    ] {
        let mut client = rig.client().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = String::from_utf8(read_all(&mut client).await).unwrap();
        assert!(answer.starts_with(status), "{sent:?}: {answer}");
        assert_eq!(answer.is_empty(), status.is_empty(), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn forwarding_streams_both_ways_and_strips_hop_by_hop_fields() {
    let upstream = upstream_script(&[
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
          Keep-Alive: timeout=5\r\nX-End: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n",
    ])
    .await;
    let rig = Rig::start(Behaviour::Forward(upstream.address)).await;
    let mut client = rig.client().await;
    let request =
        b"POST /p?q HTTP/1.1\r\nHost: a.test\r\nConnection: x-mine\r\nX-Mine: 1\r\nX-Keep: 1\r\n\
        Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (head, body) = read_response(&mut client).await;
    assert!(
        head.contains("X-End: 1\r\n"),
        "names keep their case: {head}"
    );
    for gone in ["X-Hop", "Keep-Alive", "link"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    assert_eq!(body, b"3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n");
    let seen = upstream.seen().await;
    assert!(
        seen.starts_with("POST /p?q HTTP/1.1\r\nhost: a.test\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains("X-Keep: 1\r\n") && !seen.contains("X-Mine"),
        "{seen}"
    );
    assert!(seen.ends_with("2\r\nhi\r\n0\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn a_response_that_breaks_off_never_looks_complete() {
    for script in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ] {
        let upstream = upstream_script(&[script]).await;
        let rig = Rig::start(Behaviour::Forward(upstream.address)).await;
        let mut client = rig.client().await;
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let answer = String::from_utf8(read_all(&mut client).await).unwrap();
        assert!(answer.contains("half"), "{answer}");
        assert!(!answer.contains("\r\n0\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_malformed_response_is_an_error_and_not_passed_on() {
    for script in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"",
    ] {
        let upstream = upstream_script(&[script]).await;
        let rig = Rig::start(Behaviour::Forward(upstream.address)).await;
        let mut client = rig.client().await;
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let (head, _) = read_response(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_for_repeatable_requests() {
    let upstream = upstream_script(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2",
    ])
    .await;
    let rig = Rig::start(Behaviour::Forward(upstream.address)).await;
    let mut client = rig.client().await;
    for expected in [b"1", b"2"] {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let (head, body) = read_response(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn an_early_response_arrives_while_the_request_still_streams() {
    let rig_upstream = rig::early_responder().await;
    let rig = Rig::start(Behaviour::Forward(rig_upstream)).await;
    let mut client = rig.client().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await
        .unwrap();
    let (head, body) = read_response(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert_eq!(body, b"no");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_exchange() {
    let (address, closed) = rig::silent_upstream().await;
    let rig = Rig::start(Behaviour::Forward(address)).await;
    let mut client = rig.client().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(5), closed)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_upgrade_is_passed_through_and_bytes_flow_both_ways() {
    let upstream = rig::upgrading_upstream().await;
    let rig = Rig::start(Behaviour::Forward(upstream)).await;
    let mut client = rig.client().await;
    let request = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Key: x\r\n\r\nearly";
    client.write_all(request).await.unwrap();
    let head = rig::read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(
        head.contains("Upgrade: websocket") && head.contains("connection: upgrade"),
        "{head}"
    );
    let mut echoed = [0u8; 10];
    client.write_all(b"later").await.unwrap();
    client.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"earlylater");
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut client).await, b"");
}

#[tokio::test]
async fn a_slow_reader_holds_the_upstream_back() {
    let (address, sent) = rig::flooding_upstream().await;
    let rig = Rig::start(Behaviour::Forward(address)).await;
    let mut client = rig.client().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let standstill = rig::standstill(&sent).await;
    // What fits into the sockets' buffers and ours, of the gigabyte that the upstream wants to send.
    assert!(standstill < 64 * 1024 * 1024, "{standstill}");
    let mut first = [0u8; 15];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn http_2_works_towards_clients_and_upstreams() {
    let upstream = rig::http2_upstream().await;
    let rig = Rig::start(Behaviour::ForwardHttp2(upstream)).await;
    let (response, body, trailers) = rig::http2_request(rig.address, "/two", b"payload").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-cookie"], "a=1; b=2");
    assert_eq!(response.headers()["x-host"], "two.test");
    assert_eq!(body, b"payload");
    assert_eq!(trailers.unwrap()["x-sum"], "7");
    let mut client = rig.client().await;
    client
        .write_all(b"GET /one HTTP/1.1\r\nHost: one.test\r\n\r\n")
        .await
        .unwrap();
    let (head, _) = read_response(&mut client).await;
    assert!(head.contains("x-host: one.test"), "{head}");
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let rig = Rig::start(Behaviour::Slow(Duration::from_millis(300))).await;
    let mut idle = rig.client().await;
    let mut busy = rig.client().await;
    busy.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = rig.address;
    let drained = tokio::task::spawn_blocking(move || rig.drain());
    assert_eq!(read_all(&mut idle).await, b"");
    let (head, _) = read_response(&mut busy).await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("connection: close"),
        "{head}"
    );
    assert_eq!(read_all(&mut busy).await, b"");
    drop(busy);
    assert!(drained.await.unwrap());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn tls_serves_both_protocols_and_a_new_certificate_counts_at_once() {
    let rig = rig::tls_rig().await;
    for (alpn, expected) in [(&b"http/1.1"[..], "HTTP/1.1"), (b"h2", "HTTP/2.0")] {
        assert_eq!(rig.version_over_tls(alpn).await, expected);
    }
    let before = rig.certificate().await;
    rig.replace_certificate();
    assert_ne!(rig.certificate().await, before);
}
