//! Work that goes on beside the requests once per edge, whatever the number of workers: health checks.
//!
//! One thread with a runtime of its own follows the active configuration: what appears in it gets a
//! task, and the task of what disappears ends.

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ahash::RandomState;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Live, clock::now_ms, compile::CompiledSnapshot, health::CheckedHealth, upstream::UpstreamPools,
};

/// How often the active configuration is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Longest sleep until a check: the clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The thread that watches endpoints. Dropping it ends the work.
#[derive(Debug)]
pub struct Watch {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch the endpoints of whatever configuration is active.
    ///
    /// # Errors
    /// Fails if the thread or its runtime cannot be made.
    pub fn start(live: Arc<Live>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("endpoint-watch".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .max_blocking_threads(2)
                    .build_local(tokio::runtime::LocalOptions::default());
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(stopped.run_until_cancelled(follow(&live)));
                    }
                    Err(error) => tracing::error!(%error, "endpoints are not watched"),
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watch of endpoints panicked");
        }
    }
}

/// A running check. Holding the health keeps its address from being used for another one.
#[derive(Debug)]
struct Running {
    _health: Arc<CheckedHealth>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type RunningChecks = HashMap<usize, Running, RandomState>;

async fn follow(live: &Live) {
    // One "worker": checks may use all connections an endpoint allows, of which they need one.
    let pools = UpstreamPools::new(1);
    let mut active: Option<Arc<CompiledSnapshot>> = None;
    let mut running = RunningChecks::default();
    let mut interval = tokio::time::interval(FOLLOW_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if live.is_current(active.as_ref()) {
            continue;
        }
        active = live.load();
        running = match &active {
            Some(snapshot) => reconcile(snapshot, running, &pools),
            None => RunningChecks::default(),
        };
    }
}

/// Starts the checks that are new and ends those that are gone.
fn reconcile(
    snapshot: &CompiledSnapshot,
    mut before: RunningChecks,
    pools: &UpstreamPools,
) -> RunningChecks {
    let mut running = RunningChecks::default();
    for served in snapshot.apis() {
        for group in served.api.endpoints.groups() {
            for endpoint in group.endpoints() {
                let Some(health) = &endpoint.health else {
                    continue;
                };
                let key = Arc::as_ptr(health) as usize;
                let check = before.remove(&key).unwrap_or_else(|| {
                    let name = Name {
                        api: served.api.id.to_string(),
                        group: group.name().to_owned(),
                        endpoint: endpoint.name.to_string(),
                    };
                    let checked = watch_health(Arc::clone(health), name, pools.clone());
                    Running {
                        _health: Arc::clone(health),
                        task: tokio::task::spawn_local(checked).abort_handle(),
                    }
                });
                running.insert(key, check);
            }
        }
    }
    running
}

/// Which endpoint a log line is about.
struct Name {
    api: String,
    group: String,
    endpoint: String,
}

/// Checks one endpoint whenever it is due. A check that takes longer than the time to the next one delays it.
async fn watch_health(health: Arc<CheckedHealth>, name: Name, pools: UpstreamPools) {
    while let Some(due_ms) = health.check.schedule.next_after(now_ms()) {
        sleep_until(due_ms).await;
        let begun = Instant::now();
        let result = health.check.run(&pools).await;
        let (before, after) = health.record(result.is_ok());
        let Name {
            api,
            group,
            endpoint,
        } = &name;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let cause = result.err().map(|error| described(&error));
        let cause = cause.as_deref().unwrap_or_default();
        if before == after {
            tracing::debug!(api, group, endpoint, duration_ms, cause, "endpoint checked");
        } else {
            let (before, after) = (before.as_str(), after.as_str());
            tracing::warn!(
                api,
                group,
                endpoint,
                before,
                after,
                duration_ms,
                cause,
                "health of an endpoint changed"
            );
        }
    }
    tracing::warn!(
        api = name.api,
        endpoint = name.endpoint,
        "the schedule of a health check is over"
    );
}

async fn sleep_until(due_ms: u64) {
    loop {
        let left = Duration::from_millis(due_ms.saturating_sub(now_ms()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(SLEEP_MAX)).await;
    }
}

fn described(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
