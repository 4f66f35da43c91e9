//! A time limit for a future, on the worker's coarse timers.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use crate::timers::Deadline;

/// The limit passed before the future was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed;

/// Runs `future` for at most `limit`, give or take a tick of the timers.
pub(super) async fn within<F: Future>(
    limit: Option<Duration>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    let Some(limit) = limit else {
        return Ok(future.await);
    };
    // Made when the future first has to wait: many answers need no timer at all.
    let mut deadline = None;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => {
            let deadline = deadline.get_or_insert_with(|| {
                let deadline = Deadline::new();
                deadline.arm(limit);
                deadline
            });
            deadline.poll_expired(cx).map(|()| Err(Elapsed))
        }
    })
    .await
}
