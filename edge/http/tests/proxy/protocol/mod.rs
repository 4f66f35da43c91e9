//! The truth table of the protocol: bytes a client or an endpoint may send, and what the other side
//! gets. Every row runs against a whole edge.

mod endpoints;
mod requests;
mod responses;
mod soak;
mod websocket;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::client::{Answer, connect, parse};

/// Sends bytes on a connection of their own and reads what comes until the edge closes it.
///
/// The edge has to close: a hang fails the test.
fn exchange(edge: SocketAddr, bytes: &str) -> Vec<u8> {
    let mut client = connect(edge);
    client.write_all(bytes.as_bytes()).unwrap();
    let begun = Instant::now();
    let mut received = Vec::new();
    match client.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}: {bytes:?}", begun.elapsed()),
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{bytes:?}");
    received
}

/// The same, for one whole answer.
fn answer(edge: SocketAddr, bytes: &str) -> Answer {
    parse(&exchange(edge, bytes))
}
