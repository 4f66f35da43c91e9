//! Many bad exchanges, and nothing of them left.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{client::connect, definition::api, edge::Edge, upstream::Upstream};

const CLIENTS: usize = 8;
const ROUNDS: usize = 40;

#[test]
fn no_connection_outlives_its_exchange_however_it_ends() {
    let turn = AtomicUsize::new(0);
    let upstream = Upstream::scripted(move |_, stream| {
        let (answer, goes_on): (&[u8], bool) = match turn.fetch_add(1, Ordering::Relaxed) % 5 {
            0 => (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
            1 => (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false),
            2 => {
                // A reset instead of an end.
                let _ = socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                (b"", false)
            }
            3 => (b"nonsense\r\n\r\n", false),
            _ => (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
                false,
            ),
        };
        stream.write_all(answer).is_ok() && goes_on
    });
    let mut definition = api("api", "/", &[&upstream.url()]);
    // Sound connections are kept for a moment; broken ones must not be, nor those of clients that left.
    definition["endpointGroups"][0]["sharedConfiguration"] =
        json!({"http": {"keepAliveTimeout": 500, "readTimeout": 2000}});
    let edge = Edge::serving(vec![definition]);
    let address = edge.address;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    let mut stream = connect(address);
                    let request: &[u8] = match (client + round) % 4 {
                        0 => b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                        1 => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
                        2 => b"GET / HTTP/1.1\r\nHost",
                        _ => b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                    };
                    stream.write_all(request).unwrap();
                    match (client + round) % 4 {
                        0 => drop(stream.read_to_end(&mut Vec::new())),
                        1 => drop(stream.shutdown(Shutdown::Write)),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    edge.wait_for("tidegate_edge_http_connections 0");
    upstream.wait_until_left();
}
