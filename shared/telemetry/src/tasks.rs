//! Tasks with an owner: named, cancelled together, panics reported.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A set of tasks that ends together.
///
/// Clones share the set. Dropping a handle of a task does not end the task; [`Tasks::stop`] does.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cancelled: CancellationToken,
}

impl Tasks {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts `future` as a member of the set, until it ends or the set is stopped.
    ///
    /// The future is dropped at its next await point when the set stops. `None` means it was
    /// cancelled or panicked; a panic is logged with the task's name.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cancelled = self.cancelled.clone();
        self.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(future).catch_unwind();
            match cancelled.run_until_cancelled(guarded).await {
                Some(Ok(output)) => Some(output),
                Some(Err(_panic)) => {
                    tracing::error!(task = name, "task panicked");
                    None
                }
                None => None,
            }
        })
    }

    /// The token that is cancelled when the set stops, for tasks that must finish work first.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Cancels every task and waits for the last to end; false if some outlive `deadline`.
    pub async fn stop(&self, deadline: Duration) -> bool {
        self.cancelled.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_ends_a_task_that_would_run_forever() {
        let tasks = Tasks::new();
        let handle = tasks.spawn("forever", std::future::pending::<()>());
        assert!(tasks.stop(Duration::from_secs(5)).await);
        assert_eq!(handle.await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_own_task() {
        let tasks = Tasks::new();
        let panicking = tasks.spawn("panicking", async { assert!(tasks_are_sane(), "boom") });
        let fine = tasks.spawn("fine", async { 7 });
        assert_eq!(panicking.await.unwrap(), None);
        assert_eq!(fine.await.unwrap(), Some(7));
    }

    fn tasks_are_sane() -> bool {
        false
    }
}
