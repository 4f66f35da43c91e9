//! Changes as they are committed: read from the stored events, so that a slow or resuming watcher
//! misses nothing; the live feed only says when to look again.

use std::{sync::Arc, time::Duration};

use tidegate_proto::admin::v1::{
    WatchEvent, WatchRequest, watch_event::Operation, watch_service_server,
};
use tidegate_state::{
    Event, ResourceKind, StateReader,
    query::{self, EventCursor},
};
use tidegate_telemetry::tasks::Tasks;
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError, mpsc},
    time::{MissedTickBehavior, interval},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Call, Fault, Store, environment};
use crate::auth::now_ms;

/// Watchers of one node.
const WATCHERS_MAX: usize = 1024;
/// Events waiting for a slow watcher; beyond it, reading pauses.
const QUEUE: usize = 64;
/// Events read at once.
const PAGE: usize = 256;
/// How often a watcher learns how far it is when nothing happens.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);
/// Kinds a client may ask for.
const KINDS: &[&str] = &[
    "api",
    "application",
    "subscription",
    "deployment",
    "token",
    "view",
    "environment",
    "shared-policy-group",
    "dictionary",
    "organization",
];

/// Serves `tidegate.admin.v1.WatchService`.
#[derive(Debug)]
pub(crate) struct WatchService {
    store: Store,
    tasks: Tasks,
    watchers: Arc<Semaphore>,
}

impl WatchService {
    pub(crate) fn new(store: Store, tasks: Tasks) -> Self {
        Self {
            store,
            tasks,
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }
}

#[tonic::async_trait]
impl watch_service_server::WatchService for WatchService {
    type WatchStream = ReceiverStream<Result<WatchEvent, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let filter = Filter {
            environment: environment(&body.environment)?,
            kind: body.kind,
        };
        if !filter.kind.is_empty() && !KINDS.contains(&filter.kind.as_str()) {
            return Err(Fault::field("kind", &format!("one of {}", KINDS.join(", "))).into());
        }
        let permit = Arc::clone(&self.watchers)
            .try_acquire_owned()
            .map_err(|_full| Fault::Exhausted("this node serves all the watchers it can"))?;
        let after = body.after_revision;
        let work = move |state: &dyn StateReader| Ok(query::events_pruned_to(state)?);
        let pruned = self.store.read(&call, work).await?;
        let applied = self.store.consensus().status().applied;
        let start = match after {
            0 => applied,
            after if after < pruned => return Err(Fault::RevisionGone(after).into()),
            after => after,
        };
        let (sender, receiver) = mpsc::channel(QUEUE);
        let store = self.store.clone();
        self.tasks.spawn("watch", async move {
            let cursor = EventCursor::after_revision(start);
            if let Err(fault) = follow(&store, &filter, cursor, &sender).await {
                let _ = sender.send(Err(fault.into())).await;
            }
            drop(permit);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// What a watcher wants to see.
#[derive(Debug, Clone)]
struct Filter {
    environment: String,
    /// Empty for all.
    kind: String,
}

impl Filter {
    fn accepts(&self, event: &Event) -> bool {
        let (kind, _) = named(event);
        (event.environment.is_empty() || event.environment == self.environment)
            && KINDS.contains(&kind)
            && (self.kind.is_empty() || self.kind == kind)
    }
}

async fn follow(
    store: &Store,
    filter: &Filter,
    mut cursor: EventCursor,
    out: &mpsc::Sender<Result<WatchEvent, Status>>,
) -> Result<(), Fault> {
    let mut feed = store.consensus().events();
    let mut bookmarks = interval(BOOKMARK_INTERVAL);
    bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Taken before reading: events up to it are in the state by then.
        let applied = store.consensus().status().applied;
        cursor = match catch_up(store, filter, cursor, out).await? {
            Some(cursor) => cursor.max(EventCursor::after_revision(applied)),
            None => return Ok(()),
        };
        tokio::select! {
            _ = out.closed() => return Ok(()),
            _ = bookmarks.tick() => {
                if out.send(Ok(bookmark(cursor.revision))).await.is_err() {
                    return Ok(());
                }
            }
            received = feed.recv() => match received {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(Fault::Shutdown),
            },
        }
    }
}

/// Sends all stored events after `cursor`; `None` when the watcher has left.
async fn catch_up(
    store: &Store,
    filter: &Filter,
    mut cursor: EventCursor,
    out: &mpsc::Sender<Result<WatchEvent, Status>>,
) -> Result<Option<EventCursor>, Fault> {
    loop {
        let work = move |state: &dyn StateReader| {
            if query::events_pruned_to(state)? > cursor.revision {
                return Err(Fault::RevisionGone(cursor.revision));
            }
            Ok(query::events(state, cursor, PAGE)?)
        };
        let events = store.read_unbounded(work).await?;
        let last_page = events.len() < PAGE;
        for (at, event) in events {
            cursor = at;
            if filter.accepts(&event) && out.send(Ok(render(event))).await.is_err() {
                return Ok(None);
            }
        }
        if last_page {
            return Ok(Some(cursor));
        }
    }
}

/// Kind and id as watchers know them: assets share one kind in the state.
fn named(event: &Event) -> (&str, &str) {
    match event.kind {
        ResourceKind::Asset => event.id.split_once('/').unwrap_or(("asset", &event.id)),
        kind => (kind.name(), &event.id),
    }
}

fn render(event: Event) -> WatchEvent {
    let (kind, id) = named(&event);
    let (kind, id) = (kind.to_owned(), id.to_owned());
    let operation = if event.deleted {
        Operation::Delete
    } else {
        Operation::Put
    };
    WatchEvent {
        operation: operation.into(),
        kind,
        id,
        name: event.name,
        revision: event.revision,
        time_ms: event.time_ms,
        actor: event.actor,
    }
}

fn bookmark(revision: u64) -> WatchEvent {
    WatchEvent {
        operation: Operation::Bookmark.into(),
        revision,
        time_ms: now_ms(),
        ..WatchEvent::default()
    }
}
