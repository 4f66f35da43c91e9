//! Work that goes on beside the requests once per edge, whatever the number of workers: health checks and
//! discovery of endpoints.
//!
//! One thread with a runtime of its own follows the active configuration: what appears in it gets a
//! task, and the task of what disappears ends.

use std::{
    cell::Cell,
    collections::HashMap,
    io,
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ahash::RandomState;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Live,
    clock::now_ms,
    compile::CompiledSnapshot,
    discovery::{self, Discovery},
    health::CheckedHealth,
    upstream::UpstreamPools,
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

/// A running task. Holding what it is about keeps the address of that from being used for another one.
#[derive(Debug)]
struct Running<T> {
    _about: Arc<T>,
    task: AbortHandle,
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type RunningTasks<T> = HashMap<usize, Running<T>, RandomState>;

/// Everything that runs for the active configuration.
#[derive(Default)]
struct Tasks {
    checks: RunningTasks<CheckedHealth>,
    discoveries: RunningTasks<Discovery>,
}

/// What tasks share.
struct Shared {
    /// One "worker": tasks may use all connections a target allows, of which they need one.
    pools: UpstreamPools,
    /// Set when discovered endpoints came or went, whose checks then begin or end.
    changed: Rc<Cell<bool>>,
}

async fn follow(live: &Live) {
    let shared = Shared {
        pools: UpstreamPools::new(1),
        changed: Rc::default(),
    };
    let mut active: Option<Arc<CompiledSnapshot>> = None;
    let mut running = Tasks::default();
    let mut interval = tokio::time::interval(FOLLOW_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let is_changed = shared.changed.take();
        if live.is_current(active.as_ref()) && !is_changed {
            continue;
        }
        active = live.load();
        running = match &active {
            Some(snapshot) => reconcile(snapshot, running, &shared),
            None => Tasks::default(),
        };
    }
}

/// Starts the tasks that are new and ends those whose endpoint or group is gone.
fn reconcile(snapshot: &CompiledSnapshot, mut before: Tasks, shared: &Shared) -> Tasks {
    let mut running = Tasks::default();
    for served in snapshot.apis() {
        let api = || served.api.id.to_string();
        for group in served.api.endpoints.groups() {
            if let Some(found) = group.discovery() {
                keep(
                    &mut before.discoveries,
                    &mut running.discoveries,
                    found,
                    || {
                        let (pools, changed) = (shared.pools.clone(), Rc::clone(&shared.changed));
                        let (found, group) = (Arc::clone(found), group.name().to_owned());
                        let task = discovery::run(found, api(), group, pools, changed);
                        tokio::task::spawn_local(task).abort_handle()
                    },
                );
            }
            for endpoint in group.endpoints() {
                let Some(health) = &endpoint.health else {
                    continue;
                };
                keep(&mut before.checks, &mut running.checks, health, || {
                    let name = Name {
                        api: api(),
                        group: group.name().to_owned(),
                        endpoint: endpoint.name.to_string(),
                    };
                    let checked = watch_health(Arc::clone(health), name, shared.pools.clone());
                    tokio::task::spawn_local(checked).abort_handle()
                });
            }
        }
    }
    running
}

/// Takes the task about something over, or starts one.
fn keep<T>(
    before: &mut RunningTasks<T>,
    running: &mut RunningTasks<T>,
    about: &Arc<T>,
    start: impl FnOnce() -> AbortHandle,
) {
    let key = Arc::as_ptr(about) as usize;
    let kept = before.remove(&key).unwrap_or_else(|| Running {
        _about: Arc::clone(about),
        task: start(),
    });
    running.insert(key, kept);
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
