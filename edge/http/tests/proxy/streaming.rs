//! Bodies pass while they are made, and protocols can be switched.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

use tidegate_edge_http::GatewaySettings;

use crate::{
    client::connect,
    definition::{api, object, snapshot},
    edge::{Edge, LogFile},
    upstream::{Upstream, chunk},
};

fn read_head(reader: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    head
}

#[test]
fn the_first_bytes_of_a_request_arrive_before_the_last_are_sent() {
    let (first_seen, first) = mpsc::channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        read_head(&mut reader);
        first_seen.send(chunk(&mut reader).unwrap()).unwrap();
        let last = chunk(&mut reader).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{last}",
            last.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let edge = Edge::serving(vec![api("api", "/", &[&url])]);
    let mut client = connect(edge.address);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client
        .write_all(format!("{head}5\r\nfirst\r\n").as_bytes())
        .unwrap();
    assert_eq!(
        first.recv_timeout(Duration::from_secs(10)).unwrap(),
        "first"
    );
    client.write_all(b"4\r\nlast\r\n0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(client);
    read_head(&mut reader);
    let mut body = [0; 4];
    reader.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"last");
    upstream.join().unwrap();
}

#[test]
fn the_first_bytes_of_a_response_arrive_before_the_last_are_made() {
    let (go_on, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = Upstream::scripted(move |_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        stream.write_all(b"5\r\nfirst\r\n").unwrap();
        gate.lock().unwrap().recv().unwrap();
        stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").is_ok()
    });
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let mut client = connect(edge.address);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(client);
    read_head(&mut reader);
    assert_eq!(chunk(&mut reader).unwrap(), "first");
    go_on.send(()).unwrap();
    assert_eq!(chunk(&mut reader).unwrap(), "last");
    assert_eq!(chunk(&mut reader).unwrap(), "");
}

/// More than the sockets between a client and an upstream hold.
const LARGE: usize = 32 * 1024 * 1024;

/// Sends as many bytes as it receives, at the same time.
fn full_duplex_upstream() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        read_head(&mut reader);
        thread::spawn(move || {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![b'd'; LARGE]).unwrap();
        });
        std::io::copy(&mut reader.take(LARGE as u64), &mut std::io::sink()).unwrap();
    });
    url
}

#[test]
fn a_client_that_reads_nothing_until_it_has_sent_everything_is_served_with_and_without_a_log() {
    for is_logged in [false, true] {
        let (log, _file) = LogFile::start();
        let definition = object(api("api", "/", &[&full_duplex_upstream()]));
        let edge = Edge::with(
            &snapshot(1, vec![definition], vec![]),
            GatewaySettings::default(),
            is_logged.then_some(log),
        );
        let mut client = connect(edge.address);
        client
            .set_write_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        let sent = client.write_all(&vec![b'u'; LARGE]);
        assert!(sent.is_ok(), "{sent:?}, logged: {is_logged}");
        let mut reader = BufReader::new(client);
        read_head(&mut reader);
        let received = std::io::copy(&mut reader.take(LARGE as u64), &mut std::io::sink());
        assert_eq!(received.unwrap(), LARGE as u64, "logged: {is_logged}");
    }
}

#[test]
fn a_switch_of_protocols_reaches_the_endpoint_and_bytes_pass_both_ways() {
    let upstream = Upstream::scripted(|received, stream| {
        assert!(
            received
                .head
                .to_ascii_lowercase()
                .contains("upgrade: websocket")
        );
        let answer = "HTTP/1.1 101 Switching Protocols\r\n\
            connection: upgrade\r\nupgrade: websocket\r\n\r\nhello";
        stream.write_all(answer.as_bytes()).unwrap();
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).unwrap();
        stream.write_all(b"pong").unwrap();
        assert_eq!(&ping, b"ping");
        false
    });
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let mut client = connect(edge.address);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let head = read_head(&mut reader);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("x-gravitee-request-id: "), "{head}");
    let mut hello = [0; 5];
    reader.read_exact(&mut hello).unwrap();
    client.write_all(b"ping").unwrap();
    let mut pong = [0; 4];
    reader.read_exact(&mut pong).unwrap();
    assert_eq!((&hello, &pong), (b"hello", b"pong"));
}
