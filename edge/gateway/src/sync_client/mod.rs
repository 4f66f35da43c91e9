//! Follows the control plane: connects, lets `tidegate-sync` decide, stores, compiles and swaps.
//!
//! Losing every node changes nothing for traffic: the active configuration stays.

mod connect;
mod sources;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant as Clock},
};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tidegate_proto::sync::v1::{EdgeBeat, EdgeMessage, edge_message};
use tidegate_sync::{
    edge::{
        Alarm, AlarmCode, CloseReason, EdgeSession, Effect, Floors, Input, Position, Preparation,
    },
    limits::{BEAT_MS, dead_after_ms},
};
use tidegate_view::{EMPTY_ROOT, VerifiedView};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::{
    connect::{Stream, open},
    sources::{Sources, pause},
};
use crate::{
    activation::Activation,
    cache::{Cache, StoreError},
    node_state::NodeState,
};

pub(crate) use self::connect::Credentials;

/// A node that takes nothing for this long is dead.
const SEND_PATIENCE: Duration = Duration::from_millis(dead_after_ms(BEAT_MS));

/// What the client works with.
#[derive(Debug)]
pub(crate) struct SyncClient {
    session: EdgeSession,
    sources: Sources,
    credentials: Credentials,
    local: Arc<Local>,
    origin: Instant,
    pending: FuturesUnordered<BoxFuture<'static, Input>>,
}

/// The parts of this machine a session changes.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) cache: Mutex<Cache>,
    pub(crate) activation: Arc<Activation>,
    pub(crate) state: Arc<NodeState>,
}

impl SyncClient {
    /// `session` must have been made with 0 as its time.
    pub(crate) fn new(
        session: EdgeSession,
        urls: &[String],
        credentials: Credentials,
        local: Local,
    ) -> Self {
        Self {
            session,
            sources: Sources::new(urls, rand::random_range(0..usize::MAX)),
            credentials,
            local: Arc::new(local),
            origin: Instant::now(),
            pending: FuturesUnordered::new(),
        }
    }

    /// Follows until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            self.finish_pending().await;
            let url = match self.sources.next(Instant::now()) {
                Ok(url) => url,
                Err(until) => {
                    sleep_until(until).await;
                    continue;
                }
            };
            let effects = self.session.handle(Input::Connected, self.now_ms());
            if let Some(hello) = hello_of(effects) {
                match open(&url, &self.credentials, hello).await {
                    Ok(stream) => self.follow(&url, stream).await,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(url, error, "control plane not reached");
                    }
                }
            }
            self.session.handle(Input::Disconnected, self.now_ms());
            self.local.state.disconnected();
            sleep(pause()).await;
        }
    }

    /// What a lost stream left half-done is completed first: it changes what the edge holds.
    async fn finish_pending(&mut self) {
        while let Some(input) = self.pending.next().await {
            let effects = self.session.handle(input, self.now_ms());
            for effect in effects {
                self.perform_locally(effect).await;
            }
        }
    }

    async fn follow(&mut self, url: &str, mut stream: Stream) {
        tracing::info!(url, "connected to the control plane");
        self.local.state.connected(url);
        loop {
            let due = self
                .session
                .deadline_ms()
                .map(|ms| self.origin + Duration::from_millis(ms));
            let input = tokio::select! {
                message = stream.inbound.message() => match message {
                    Ok(Some(message)) => Input::Node(message),
                    Ok(None) => break,
                    Err(status) => {
                        tracing::info!(url, %status, "stream to the control plane ended");
                        break;
                    }
                },
                Some(input) = self.pending.next() => input,
                () = sleep_until(due.unwrap_or(self.origin)), if due.is_some() => Input::Tick,
            };
            let effects = self.session.handle(input, self.now_ms());
            for effect in effects {
                if let Some(reason) = self.perform(url, &stream, effect).await {
                    tracing::warn!(url, %reason, "leaving this node");
                    return;
                }
            }
        }
    }

    /// Gives the reason when the stream must end.
    async fn perform(&mut self, url: &str, stream: &Stream, effect: Effect) -> Option<CloseReason> {
        let message = match effect {
            Effect::Send(message) => message,
            Effect::Beat(active) => self.beat(active),
            Effect::Close(reason) => {
                if let CloseReason::Untrusted(code) = reason {
                    self.local.state.refused_view(code);
                    self.sources.ban(url, Instant::now());
                }
                return Some(reason);
            }
            other => {
                self.perform_locally(other).await;
                return None;
            }
        };
        match timeout(SEND_PATIENCE, stream.outbox.send(message)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) | Err(_) => Some(CloseReason::Dead),
        }
    }

    async fn perform_locally(&mut self, effect: Effect) {
        let local = Arc::clone(&self.local);
        match effect {
            Effect::Prepare(preparation) => {
                if preparation.from == EMPTY_ROOT && preparation.view.root() != EMPTY_ROOT {
                    local.state.full_transfer();
                }
                self.pending.push(Box::pin(prepare(local, preparation)));
            }
            Effect::Activate(view) => {
                let floors = self.session.floors().clone();
                self.pending.push(Box::pin(activate(local, view, floors)));
            }
            Effect::KeepKeysets(chain) => {
                blocking(move || local.store(|cache| cache.keep_keysets(&chain))).await;
            }
            Effect::KeepPepper(pepper) => {
                local.activation.set_pepper(&pepper);
                blocking(move || local.store(|cache| cache.keep_pepper(&pepper))).await;
            }
            Effect::Alarm(alarm) => local.state.raise(&alarm),
            Effect::Move(urls) => self.sources.learn(urls),
            // They belong to a stream, and there is none.
            Effect::Send(_) | Effect::Beat(_) | Effect::Close(_) => {}
        }
    }

    fn beat(&self, active: Option<Position>) -> EdgeMessage {
        let active = active.map(|position| tidegate_proto::sync::v1::Position {
            epoch: position.epoch,
            revision: position.revision,
            root: bytes::Bytes::copy_from_slice(&position.root),
        });
        let alarms = self.local.state.alarms();
        let beat = EdgeBeat {
            active,
            requests_total: self.local.activation.requests_total(),
            alarms: alarms
                .into_iter()
                .map(|(code, count)| (code.to_owned(), count))
                .collect(),
        };
        EdgeMessage {
            kind: Some(edge_message::Kind::Beat(beat)),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Local {
    /// A cache that cannot be written does not stop an update: a revoked key must stop working.
    fn store(&self, write: impl FnOnce(&mut Cache) -> Result<(), StoreError>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write(&mut cache) {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let detail = format!("{error}{}", source.unwrap_or_default());
            self.state.raise(&Alarm::new(AlarmCode::Cache, detail));
        }
    }
}

async fn prepare(local: Arc<Local>, preparation: Preparation) -> Input {
    let begun = Clock::now();
    let refusals = blocking(move || {
        local.store(|cache| cache.store(&preparation));
        local.activation.prepare(&preparation.view)
    });
    let refusals = refusals.await.unwrap_or_default();
    let apply_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    Input::Prepared { refusals, apply_ms }
}

async fn activate(local: Arc<Local>, view: Arc<VerifiedView>, floors: Floors) -> Input {
    blocking(move || {
        local.activation.activate(&view, &local.state);
        local.store(|cache| cache.raise_floor(&floors));
    })
    .await;
    Input::Activated
}

/// Runs `work` off the runtime; `None` if it panicked, which is logged.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(%error, "applying the configuration panicked");
            None
        }
    }
}

fn hello_of(effects: Vec<Effect>) -> Option<EdgeMessage> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Send(message) => Some(message),
        _ => None,
    })
}
