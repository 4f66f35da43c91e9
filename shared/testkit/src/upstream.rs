//! An upstream that answers with a text of its own, so that a test sees who was reached.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// A running upstream; ends when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Upstream {
    /// Starts an upstream that answers 200 with `text` and the request head it saw.
    ///
    /// The body is `text`, a line break, then the request head as received.
    ///
    /// # Errors
    /// Fails if no port can be bound.
    pub fn start(text: &'static str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let (counter, end) = (Arc::clone(&requests), Arc::clone(&ended));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let counter = Arc::clone(&counter);
                // A client that breaks off is the business of the test, not of the upstream.
                thread::spawn(move || serve(stream, text, &counter).ok());
            }
        });
        Ok(Self {
            address,
            requests,
            ended,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the accept loop so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, text: &str, counter: &AtomicU64) -> anyhow::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            if head[start..].trim_end().is_empty() {
                break;
            }
        }
        counter.fetch_add(1, Ordering::Relaxed);
        let body = format!("{text}\n{head}");
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
