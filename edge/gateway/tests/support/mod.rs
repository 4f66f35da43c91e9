//! What the process tests need: an author of signed views, a node that serves them over real TLS,
//! an upstream, and the edge binary itself.

pub(crate) mod author;
pub(crate) mod edge;
pub(crate) mod node;
pub(crate) mod upstream;

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Longest time anything in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Waits until `check` gives something.
pub(crate) async fn eventually<T, F>(what: &str, mut check: impl FnMut() -> F) -> Outcome<T>
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = check().await {
            return Ok(value);
        }
        if begun.elapsed() > DEADLINE {
            return Err(format!("{what}: not within {DEADLINE:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
