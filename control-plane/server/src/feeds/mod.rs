//! Entries of dynamic dictionaries and dynamic properties of APIs: fetched by the leader, distributed through the log.
//!
//! One node fetches, so that providers are not called once per edge, all edges agree on the values, and an edge that
//! restarts, or a control plane that is gone, keeps them. What fails changes nothing but the error that is shown.

mod entries;
mod fetch;
mod source;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tidegate_consensus::Consensus;
use tidegate_state::{Event, FeedRecord, Reply, ResourceKind, Txn, op::PutFeed};
use tidegate_telemetry::tasks::Tasks;
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use self::{
    entries::Entries,
    fetch::Fetcher,
    source::{Owner, Source},
};
use crate::auth::now_ms;

/// Calls made at the same time.
const CALLS_MAX: usize = 16;
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time between two looks at the clock, in case it was set.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two readings of what is fetched, however often APIs are deployed.
const READ_PAUSE: Duration = Duration::from_millis(100);
/// Longest error kept.
const ERROR_CHARS_MAX: usize = 256;

/// What came of one call.
type Outcome = (Owner, Result<Entries, String>);

/// Fetches while this node is the leader.
pub(crate) fn start(
    consensus: Consensus,
    allows_link_local: bool,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let fetcher = Fetcher::new(allows_link_local)?;
    let events = consensus.events();
    let feeds = Feeds {
        consensus,
        fetcher,
        permits: Arc::new(Semaphore::new(CALLS_MAX)),
        calls: JoinSet::new(),
        known: HashMap::new(),
    };
    tasks.spawn("feeds", feeds.run(events));
    Ok(())
}

struct Feeds {
    consensus: Consensus,
    fetcher: Fetcher,
    permits: Arc<Semaphore>,
    /// Calls under way; they end with this.
    calls: JoinSet<Outcome>,
    known: HashMap<Owner, Known>,
}

/// One feed, and when it is due.
struct Known {
    source: Arc<Source>,
    due_ms: Option<u64>,
    call: Option<AbortHandle>,
}

impl Known {
    fn is_running(&self) -> bool {
        self.call.as_ref().is_some_and(|call| !call.is_finished())
    }
}

impl Feeds {
    async fn run(
        mut self,
        mut events: tokio::sync::broadcast::Receiver<Arc<tidegate_consensus::AppliedBatch>>,
    ) {
        // True too while this node does not lead: whoever becomes the leader reads everything.
        let mut is_stale = true;
        let mut may_read = Instant::now();
        loop {
            if !self.consensus.status().is_leader {
                self.known.clear();
                is_stale = true;
            } else if is_stale && may_read <= Instant::now() {
                self.read_sources().await;
                is_stale = false;
                may_read = Instant::now() + READ_PAUSE;
            }
            self.call_due();
            let due = match is_stale {
                true => self
                    .next_due()
                    .min(may_read.max(Instant::now() + READ_PAUSE)),
                false => self.next_due(),
            };
            tokio::select! {
                batch = events.recv() => match batch {
                    Ok(batch) => is_stale |= batch.reset || batch.events.iter().any(concerns),
                    Err(RecvError::Lagged(_)) => is_stale = true,
                    Err(RecvError::Closed) => return,
                },
                Some(ended) = self.calls.join_next() => match ended {
                    Ok(outcome) => self.record(outcome).await,
                    Err(panic) => tracing::error!(%panic, "a fetch of entries panicked"),
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Reads what is fetched from the state; what did not change keeps its time.
    async fn read_sources(&mut self) {
        let state = self.consensus.state();
        let read = tokio::task::spawn_blocking(move || source::read_all(&state.snapshot())).await;
        let sources = match read {
            Ok(Ok(sources)) => sources,
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "feeds cannot be read"
                );
                return;
            }
            Err(_panic) => return,
        };
        let now = now_ms();
        let mut before = std::mem::take(&mut self.known);
        for (owner, source) in sources {
            let known = match before.remove(&owner) {
                Some(known) if known.source.is_same(&source) => Known {
                    source: Arc::new(source),
                    ..known
                },
                other => Known {
                    due_ms: source.first_due(now),
                    source: Arc::new(source),
                    call: other.and_then(|known| known.call),
                },
            };
            self.known.insert(owner, known);
        }
    }

    fn next_due(&self) -> Instant {
        let now = now_ms();
        let waiting = self.known.values().filter(|known| !known.is_running());
        let first = waiting.filter_map(|known| known.due_ms).min();
        let left = first.map_or(LOOK_INTERVAL, |due| {
            Duration::from_millis(due.saturating_sub(now)).min(LOOK_INTERVAL)
        });
        Instant::now() + left
    }

    /// Begins every call whose time has come.
    fn call_due(&mut self) {
        let now = now_ms();
        for (owner, known) in &mut self.known {
            if known.is_running() || known.due_ms.is_none_or(|due| due > now) {
                continue;
            }
            // Again when it is due next, even if nothing comes of this call.
            known.due_ms = known.source.feed.schedule.next_after(now);
            let (fetcher, permits) = (self.fetcher.clone(), Arc::clone(&self.permits));
            let (owner, source) = (owner.clone(), Arc::clone(&known.source));
            let fetching = self.calls.spawn(async move {
                let permit = permits.acquire().await;
                let outcome = call(&fetcher, &source).await;
                drop(permit);
                (owner, outcome)
            });
            known.call = Some(fetching);
        }
    }

    /// Writes what a call changed into the log.
    async fn record(&mut self, (owner, outcome): Outcome) {
        let Some(known) = self.known.get_mut(&owner) else {
            return;
        };
        known.call = None;
        let now = now_ms();
        known.due_ms = known.source.feed.schedule.next_after(now);
        let source = Arc::clone(&known.source);
        if let Err(error) = &outcome {
            let (kind, id) = (owner.kind.as_str(), owner.id.as_str());
            tracing::warn!(
                kind,
                id,
                error,
                "entries cannot be fetched; the last ones stay"
            );
        }
        let Some(change) = change(&owner, &source, outcome, now) else {
            return;
        };
        let txn = Txn {
            actor: "feeds".to_owned(),
            time_ms: now,
            ops: vec![change.into()],
            ..Txn::default()
        };
        match self.consensus.propose(txn, PROPOSE_TIMEOUT).await {
            Ok(Reply::Done { .. }) => {}
            // It was changed, stopped or deleted meanwhile: the event of that is on its way.
            Ok(reply @ (Reply::Rejected { .. } | Reply::Conflict { .. })) => {
                tracing::debug!(?reply, "fetched entries were not taken");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "fetched entries were not recorded; they are fetched again"
                );
            }
        }
    }
}

/// True for what changes where entries are fetched, or what is known of the last time.
fn concerns(event: &Event) -> bool {
    match event.kind {
        ResourceKind::Asset | ResourceKind::Feed => true,
        ResourceKind::Live => event.live.as_ref().is_some_and(|live| live.kind == "api"),
        _ => false,
    }
}

async fn call(fetcher: &Fetcher, source: &Source) -> Result<Entries, String> {
    let transformation = source.transformation.as_ref().map_err(Clone::clone)?;
    let shortened = |error: &dyn std::error::Error| {
        let text = error.to_string();
        text.chars().take(ERROR_CHARS_MAX).collect::<String>()
    };
    let answer = fetcher.fetch(&source.feed).await;
    let answer = answer.map_err(|error| shortened(&error))?;
    let transformation = transformation.clone();
    // Bounded, but not for the threads that serve connections.
    let read =
        tokio::task::spawn_blocking(move || entries::read(&answer, transformation.as_deref()));
    match read.await {
        Ok(read) => read.map_err(|error| shortened(&error)),
        Err(_panic) => Err("the answer cannot be read".to_owned()),
    }
}

/// What is to be recorded; `None` when nothing differs from what is known.
fn change(
    owner: &Owner,
    source: &Source,
    outcome: Result<Entries, String>,
    now_ms: u64,
) -> Option<PutFeed> {
    let last = &source.last;
    let (record, object) = match outcome {
        Ok(entries) => {
            let is_new = source.entries.as_ref() != Some(&entries);
            if !is_new && last.error.is_empty() {
                return None;
            }
            let record = FeedRecord {
                fetched_ms: if is_new { now_ms } else { last.fetched_ms },
                ..FeedRecord::default()
            };
            let object = if is_new {
                source.object(owner, entries)?
            } else {
                bytes::Bytes::new()
            };
            (record, object)
        }
        Err(error) if error == last.error => return None,
        Err(error) => {
            let since = match last.failing_since_ms {
                0 => now_ms,
                since => since,
            };
            let record = FeedRecord {
                error,
                failing_since_ms: since,
                ..last.clone()
            };
            (record, bytes::Bytes::new())
        }
    };
    Some(PutFeed {
        environment: owner.environment.clone(),
        kind: owner.kind.as_str().to_owned(),
        id: owner.id.clone(),
        record,
        object,
    })
}

/// What was fetched last, by the name of each entry.
type LastEntries = BTreeMap<String, String>;

#[cfg(test)]
mod tests;
