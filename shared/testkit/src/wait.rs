//! Waiting for conditions instead of sleeping for fixed times.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// Calls `look` until it gives a value.
///
/// # Errors
/// Fails with `what` and the last error once `deadline` has passed.
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    let mut last = String::from("not yet");
    loop {
        match look() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = format!("{error:#}"),
        }
        if Instant::now() > end {
            bail!("waited {deadline:?} for {what}: {last}");
        }
        thread::sleep(POLL);
    }
}

/// Waits until `holds` is true.
///
/// # Errors
/// As [`wait_for`].
pub fn eventually(
    what: &str,
    deadline: Duration,
    mut holds: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    wait_for(what, deadline, || Ok(holds()?.then_some(())))
}
