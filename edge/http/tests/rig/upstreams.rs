//! Upstreams that follow a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// An upstream that answers each connection once and closes it.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    requests: mpsc::Receiver<Vec<u8>>,
}

impl Script {
    /// What the first connection sent.
    pub(crate) async fn seen(mut self) -> String {
        String::from_utf8(self.requests.recv().await.unwrap()).unwrap()
    }
}

pub(crate) async fn upstream_script(answers: &[&'static [u8]]) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::channel(8);
    let answers = answers.to_vec();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !is_complete(&seen) {
                let mut piece = [0u8; 4096];
                let read = stream.read(&mut piece).await.unwrap();
                seen.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer).await.unwrap();
            let _ = sender.send(seen).await;
        }
    });
    Script { address, requests }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    if text.contains("transfer-encoding") {
        text.ends_with("0\r\n\r\n")
    } else {
        text.ends_with("\r\n\r\n")
    }
}

/// Answers 413 as soon as it has a head.
pub(crate) async fn early_responder() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = [0u8; 64];
        let _ = stream.read(&mut piece).await.unwrap();
        let answer = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(answer).await.unwrap();
        while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
    });
    address
}

/// Never answers; tells when its connection closes.
pub(crate) async fn silent_upstream() -> (SocketAddr, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, closed) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = [0u8; 1024];
        while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        let _ = sender.send(());
    });
    (address, closed)
}

/// Switches protocols and echoes.
pub(crate) async fn upgrading_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = super::read_head(&mut stream).await;
        let head = head.to_lowercase();
        assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket"));
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
    });
    address
}

/// Sends a gigabyte as fast as it is taken, counting what was taken.
pub(crate) async fn flooding_upstream() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let piece = vec![0u8; 64 * 1024];
        while let Ok(written) = stream.write(&piece).await {
            counter.fetch_add(written as u64, Ordering::Relaxed);
        }
    });
    (address, sent)
}

/// Waits until the counter stands still, and tells where.
pub(crate) async fn standstill(counter: &AtomicU64) -> u64 {
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = counter.load(Ordering::Relaxed);
        if now == last && now > 0 {
            return now;
        }
        last = now;
    }
}
