//! Websockets through the edge (RFC 6455): the opening handshake goes to the endpoint as the client sent it, its
//! answer comes back, and every byte behind it passes unread.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
};

use super::answer;
use crate::{
    client::connect,
    definition::api,
    edge::Edge,
    upstream::{Received, Upstream},
};

/// The example of RFC 6455 §1.2 and §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A masked text frame "Hello" (RFC 6455 §5.7), and the same unmasked.
const MASKED: [u8; 11] = [
    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
];
const UNMASKED: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

fn handshake(fields: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n{fields}\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
}

/// Accepts a handshake with the fields a client must get to see, and answers one masked frame.
fn accepting() -> Upstream {
    Upstream::scripted(|Received { head, .. }, stream| {
        let head = head.to_ascii_lowercase();
        for expected in [
            "connection: upgrade\r\n",
            "upgrade: websocket\r\n",
            "sec-websocket-version: 13\r\n",
            "sec-websocket-protocol: chat, superchat\r\n",
            "sec-websocket-extensions: permessage-deflate\r\n",
            &format!("sec-websocket-key: {}\r\n", KEY.to_ascii_lowercase()),
        ] {
            assert!(head.contains(expected), "{expected} in {head}");
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        let mut frame = [0; MASKED.len()];
        stream.read_exact(&mut frame).unwrap();
        assert_eq!(frame, MASKED, "frames pass as they are");
        stream.write_all(&UNMASKED).unwrap();
        // Until the client is gone.
        let _ = stream.read_to_end(&mut Vec::new());
        false
    })
}

#[test]
fn an_opening_handshake_and_its_frames_pass_unchanged() {
    let upstream = accepting();
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    for upgrade in ["Upgrade: websocket\r\n", "upgrade: WebSocket\r\n"] {
        let mut client = connect(edge.address);
        // The first frame may come in the same packet as the handshake.
        client.write_all(handshake(upgrade).as_bytes()).unwrap();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let lower = head.to_ascii_lowercase();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(ACCEPT), "{head}");
        assert!(lower.contains("sec-websocket-protocol: chat\r\n"), "{head}");
        assert!(lower.contains("connection: upgrade\r\n"), "{head}");
        client.write_all(&MASKED).unwrap();
        let mut frame = [0; UNMASKED.len()];
        reader.read_exact(&mut frame).unwrap();
        assert_eq!(frame, UNMASKED);
        client.shutdown(Shutdown::Both).unwrap();
    }
    edge.wait_for("tidegate_edge_http_connections 0");
    upstream.wait_until_left();
}

#[test]
fn a_refused_handshake_is_an_ordinary_answer() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\ncontent-length: 3\r\n\r\nold"
            .to_owned()
    });
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let request = handshake("Upgrade: websocket\r\n").replace("keep-alive, ", "close, ");
    let answer = answer(edge.address, &request);
    assert_eq!((answer.status, answer.body.as_str()), (426, "old"));
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
}

#[test]
fn nothing_but_a_websocket_is_switched_to() {
    let upstream = Upstream::echo("plain");
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    for request in [
        // No `Upgrade`, another protocol, and an old client: there the fields mean nothing.
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let answer = answer(edge.address, request);
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        let seen = answer.body.to_ascii_lowercase();
        assert!(!seen.contains("upgrade"), "{request}: {seen}");
    }
}

#[test]
fn a_switch_that_nobody_asked_for_is_an_error_of_the_endpoint() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            .to_owned()
    });
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(answer(edge.address, request).status, 502);
}
