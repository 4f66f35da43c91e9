//! Copies bytes both ways until both sides have ended, one fails, or nothing moves for too long.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes read at once. Two of these are all that a connection holds.
const BUFFER_BYTES: usize = 16 * 1024;

/// How often idle connections are looked for at least; short limits are looked at more often.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// One side of a pipe.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Longest times without a byte; `None` for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct IdleLimits {
    /// In neither direction.
    pub(crate) both: Option<Duration>,
    /// From the endpoint.
    pub(crate) from_endpoint: Option<Duration>,
    /// To the endpoint.
    pub(crate) to_endpoint: Option<Duration>,
}

/// When bytes moved last in one direction, and how many did.
#[derive(Debug)]
struct Flow {
    begun: Instant,
    last_ms: AtomicU64,
    bytes: AtomicU64,
}

impl Flow {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            last_ms: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    fn moved(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(last)
    }
}

/// Both directions of a pipe; they can be looked at while it runs.
#[derive(Debug)]
pub(crate) struct Flows {
    to_endpoint: Flow,
    to_client: Flow,
}

impl Flows {
    pub(crate) fn new() -> Self {
        Self {
            to_endpoint: Flow::new(),
            to_client: Flow::new(),
        }
    }

    /// Bytes that passed so far.
    pub(crate) fn passed(&self) -> Passed {
        Passed {
            to_endpoint: self.to_endpoint.bytes.load(Ordering::Relaxed),
            to_client: self.to_client.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Bytes that passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) to_endpoint: u64,
    pub(crate) to_client: u64,
}

/// Why a pipe ended before both sides did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Nothing moved for too long.
    #[error("nothing moved for too long")]
    Idle,
    /// A side failed.
    #[error("a side failed")]
    Io(#[from] io::Error),
}

/// Pipes until both sides have ended. Half-closed connections stay open in the other direction; a side that
/// does not read holds the other one back.
pub(crate) async fn pipe(
    client: impl Stream,
    endpoint: impl Stream,
    limits: IdleLimits,
    flows: &Flows,
) -> Result<(), Broken> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_endpoint, to_endpoint) = tokio::io::split(endpoint);
    let (up, down) = (&flows.to_endpoint, &flows.to_client);
    tokio::select! {
        ended = async {
            tokio::try_join!(
                copy(from_client, to_endpoint, up),
                copy(from_endpoint, to_client, down),
            )
        } => Ok(ended.map(|_| ())?),
        () = idle(up, down, limits) => Err(Broken::Idle),
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    flow: &Flow,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        let Some(data) = buffer.get(..length).filter(|data| !data.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(data).await?;
        // TLS keeps what is smaller than a record until it is told.
        to.flush().await?;
        flow.moved(length);
    }
}

/// Ends when a limit has passed; never without limits.
async fn idle(up: &Flow, down: &Flow, limits: IdleLimits) {
    let all = [limits.both, limits.from_endpoint, limits.to_endpoint];
    let Some(shortest) = all.into_iter().flatten().min() else {
        return std::future::pending().await;
    };
    let look = (shortest / 4).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX);
    let is_over =
        |limit: Option<Duration>, idle: Duration| limit.is_some_and(|limit| idle >= limit);
    loop {
        tokio::time::sleep(look).await;
        if is_over(limits.both, up.idle().min(down.idle()))
            || is_over(limits.from_endpoint, down.idle())
            || is_over(limits.to_endpoint, up.idle())
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_half_closed_side_still_gets_its_answer() {
        let (mut client, edge_client) = tokio::io::duplex(64);
        let (mut endpoint, edge_endpoint) = tokio::io::duplex(64);
        let piped = tokio::spawn(async move {
            let flows = Flows::new();
            let ended = pipe(edge_client, edge_endpoint, IdleLimits::default(), &flows).await;
            (flows.passed(), ended)
        });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut asked = String::new();
        endpoint.read_to_string(&mut asked).await.unwrap();
        assert_eq!(asked, "question");
        endpoint.write_all(b"answer").await.unwrap();
        endpoint.shutdown().await.unwrap();
        let mut answered = String::new();
        client.read_to_string(&mut answered).await.unwrap();
        assert_eq!(answered, "answer");
        let (passed, ended) = piped.await.unwrap();
        assert_eq!(
            passed,
            Passed {
                to_endpoint: 8,
                to_client: 6
            }
        );
        assert!(ended.is_ok());
    }

    #[tokio::test]
    async fn a_side_that_does_not_read_holds_the_other_back() {
        let (mut client, edge_client) = tokio::io::duplex(1024);
        let (_endpoint, edge_endpoint) = tokio::io::duplex(1024);
        let piped = tokio::spawn(async move {
            let limits = IdleLimits {
                both: Some(Duration::from_millis(100)),
                ..IdleLimits::default()
            };
            let flows = Flows::new();
            let ended = pipe(edge_client, edge_endpoint, limits, &flows).await;
            (flows.passed(), ended)
        });
        let written = client.write_all(&[0; 10 * BUFFER_BYTES]).await;
        assert!(written.is_err(), "the pipe is idle before all is taken");
        let (passed, ended) = piped.await.unwrap();
        assert!(passed.to_endpoint <= BUFFER_BYTES as u64, "{passed:?}");
        assert!(matches!(ended, Err(Broken::Idle)));
    }

    #[tokio::test]
    async fn a_pipe_without_bytes_ends_at_its_limit() {
        let limit = Some(Duration::from_millis(30));
        for limits in [
            IdleLimits {
                both: limit,
                ..IdleLimits::default()
            },
            IdleLimits {
                from_endpoint: limit,
                ..IdleLimits::default()
            },
            IdleLimits {
                to_endpoint: limit,
                ..IdleLimits::default()
            },
        ] {
            let (_client, edge_client) = tokio::io::duplex(64);
            let (_endpoint, edge_endpoint) = tokio::io::duplex(64);
            let flows = Flows::new();
            let ended = pipe(edge_client, edge_endpoint, limits, &flows).await;
            assert_eq!(flows.passed(), Passed::default());
            assert!(matches!(ended, Err(Broken::Idle)));
        }
    }
}
