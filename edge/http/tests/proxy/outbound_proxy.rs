//! Endpoints behind a proxy: HTTP `CONNECT` and SOCKS 5.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use serde_json::{Value, json};

use crate::{client::get, definition::api, edge::Edge, upstream::Upstream};

/// A proxy that tells where it was asked to connect to.
fn proxy(
    handshake: impl Fn(&mut TcpStream) -> Option<String> + Send + 'static,
    asked: Sender<String>,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut client) = stream else { return };
            let Some(target) = handshake(&mut client) else {
                continue;
            };
            let mut server = TcpStream::connect(&target).unwrap();
            let _ = asked.send(target);
            let (mut from_client, mut to_server) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from_client, &mut to_server));
            thread::spawn(move || io::copy(&mut server, &mut client));
        }
    });
    address
}

fn http_connect(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    if !head.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n") {
        client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .unwrap();
        return None;
    }
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .unwrap();
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    Some(target.to_owned())
}

fn socks5(client: &mut TcpStream) -> Option<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).ok()?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).ok()?;
    client.write_all(&[5, 0]).ok()?;
    let mut request = [0; 4];
    client.read_exact(&mut request).ok()?;
    // Names go to the proxy as they are; an address is one already.
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).ok()?;
            Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut length = [0];
            client.read_exact(&mut length).ok()?;
            let mut name = vec![0; usize::from(length[0])];
            client.read_exact(&mut name).ok()?;
            String::from_utf8(name).unwrap()
        }
        other => panic!("address type {other}"),
    };
    let mut port = [0; 2];
    client.read_exact(&mut port).ok()?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(format!("{host}:{}", u16::from_be_bytes(port)))
}

fn through(target: &str, proxy: Value) -> Value {
    let mut api = api("a", "/a", &[target]);
    api["endpointGroups"][0]["sharedConfiguration"]["proxy"] = proxy;
    api
}

fn asked(receiver: &Receiver<String>) -> Vec<String> {
    receiver.try_iter().collect()
}

#[test]
fn requests_go_through_the_proxy_of_their_endpoint() {
    let upstream = Upstream::echo("behind");
    let target = format!("http://localhost:{}", upstream.address.port());
    let name = format!("localhost:{}", upstream.address.port());
    let (sender, receiver) = channel();
    let http = proxy(http_connect, sender.clone());
    let socks = proxy(socks5, sender);
    for (kind, address) in [("HTTP", http), ("SOCKS5", socks)] {
        let mut settings = json!({"enabled": true, "useSystemProxy": false, "type": kind,
                                  "host": "127.0.0.1", "port": address.port()});
        if kind == "HTTP" {
            settings["username"] = json!("me");
            settings["password"] = json!("secret");
        }
        let edge = Edge::serving(vec![through(&target, settings)]);
        let answer = get(edge.address, "/a/x", &[]);
        assert_eq!(answer.header("x-upstream"), Some("behind"), "{kind}");
        assert!(answer.body.contains(&format!("host: {name}")) || answer.body.contains(&name));
        assert_eq!(asked(&receiver), [name.as_str()], "{kind}");
    }
}

#[test]
fn a_proxy_that_refuses_is_a_502() {
    let upstream = Upstream::echo("behind");
    let (sender, _receiver) = channel();
    let address = proxy(http_connect, sender);
    let settings = json!({"enabled": true, "host": "127.0.0.1", "port": address.port()});
    let edge = Edge::serving(vec![through(&upstream.url(), settings)]);
    assert_eq!(get(edge.address, "/a", &[]).status, 502);
    assert_eq!(upstream.served(), 0);
}
