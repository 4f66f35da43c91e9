//! Upstreams: a thread per connection, one scripted answer per request.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What an upstream received.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub body: String,
}

pub struct Upstream {
    pub address: SocketAddr,
    served: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

/// Counts a connection while it lives.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Upstream {
    /// Answers 200 with its name in `x-upstream` and the received request as body.
    pub fn echo(name: &'static str) -> Self {
        Self::answering(move |received| {
            let body = format!("{}{}", received.head, received.body);
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nx-upstream: {name}\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        })
    }

    /// Answers every request with the text `answer` gives.
    pub fn answering(answer: impl Fn(Received) -> String + Send + Sync + 'static) -> Self {
        Self::scripted(move |received, stream| {
            stream.write_all(answer(received).as_bytes()).is_ok()
        })
    }

    /// Hands each request and its connection to `script`, which tells whether to go on.
    pub fn scripted(
        script: impl Fn(Received, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let open = Arc::new(AtomicUsize::new(0));
        let opened = Arc::clone(&open);
        let (script, counted) = (Arc::new(script), Arc::clone(&served));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, counted) = (Arc::clone(&script), Arc::clone(&counted));
                let Ok(mut stream) = stream else { return };
                opened.fetch_add(1, Ordering::AcqRel);
                let open = Open(Arc::clone(&opened));
                thread::spawn(move || {
                    let _open = open;
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(received) = receive(&mut reader) {
                        counted.fetch_add(1, Ordering::Relaxed);
                        if !script(received, &mut stream) {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            address,
            served,
            open,
        }
    }

    /// Requests received so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until the edge has no connection to it any more.
    pub fn wait_until_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.open.load(Ordering::Acquire) > 0 {
            let open = self.open.load(Ordering::Acquire);
            assert!(Instant::now() < deadline, "{open} connections leaked");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn receive(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut head = String::new();
    loop {
        let start = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if &head[start..] == "\r\n" {
            break;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let mut body = String::from_utf8_lossy(&body).into_owned();
    if lower.contains("transfer-encoding: chunked") {
        body = chunks(reader)?;
    }
    Some(Received { head, body })
}

fn chunks(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut content = String::new();
    loop {
        let chunk = chunk(reader)?;
        if chunk.is_empty() {
            return Some(content);
        }
        content.push_str(&chunk);
    }
}

/// Reads one chunk; empty at the end.
pub fn chunk(reader: &mut impl std::io::BufRead) -> Option<String> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut data = vec![0; size + 2];
    reader.read_exact(&mut data).ok()?;
    data.truncate(size);
    String::from_utf8(data).ok()
}
