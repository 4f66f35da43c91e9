//! Servers of sources for tests: HTTP/1.1 with or without TLS, one thread per connection.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection, encrypted or not.
pub trait Wire: Read + Write {}

impl<S: Read + Write> Wire for S {}

/// Hands the head of each request and its connection to `script`, which tells whether to go on.
pub fn serve(
    tls: Option<Arc<ServerConfig>>,
    script: impl Fn(&str, &mut dyn Wire) -> bool + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (script, tls) = (Arc::clone(&script), tls.clone());
            thread::spawn(move || match tls {
                None => converse(stream, &*script),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    converse(StreamOwned::new(connection, stream), &*script);
                }
            });
        }
    });
    address
}

fn converse(stream: impl Wire, script: &dyn Fn(&str, &mut dyn Wire) -> bool) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match reader.read_line(&mut head) {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return,
            }
        }
        if !script(&head, reader.get_mut()) {
            return;
        }
    }
}

/// Answers with a whole body; false if nobody listens any more.
pub fn answer(wire: &mut dyn Wire, status: &str, fields: &str, body: &str) -> bool {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{fields}content-length: {length}\r\n\r\n{body}");
    wire.write_all(text.as_bytes()).is_ok() && wire.flush().is_ok()
}

/// The value of a field of a head.
pub fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The value of a parameter in the request line, as it was sent.
pub fn parameter<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let target = head.split(' ').nth(1)?;
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        (known == name).then_some(value)
    })
}
