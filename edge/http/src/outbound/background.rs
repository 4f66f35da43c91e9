//! Waiting, and bounded work beside the exchanges of a worker.

use std::{cell::Cell, rc::Rc, time::Duration};

use tidegate_policy::{BoxFuture, Overloaded, Tasks};

/// Tasks of one worker at a time: what shadowed traffic or callouts without an answer may pile up to
/// when their receiver is slow.
pub(super) const TASKS_MAX: usize = 1024;

/// Runs tasks on the worker's runtime; they end with it at the latest.
#[derive(Debug, Default)]
pub(super) struct BackgroundTasks {
    under_way: Rc<Cell<usize>>,
}

/// Counts a task as long as it lives, however it ends.
struct UnderWay(Rc<Cell<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Tasks for BackgroundTasks {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<(), Overloaded> {
        if self.under_way.get() >= TASKS_MAX {
            return Err(Overloaded);
        }
        self.under_way.set(self.under_way.get() + 1);
        let counted = UnderWay(Rc::clone(&self.under_way));
        tokio::task::spawn_local(async move {
            task.await;
            drop(counted);
        });
        Ok(())
    }
}
