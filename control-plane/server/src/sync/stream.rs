//! Drives one session: reads and writes its stream, keeps its time, loads what it asks for.

use std::time::Duration;

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tidegate_proto::sync::v1::{EdgeMessage, NodeMessage, Reject, edge_message, node_message};
use tidegate_sync::{
    limits::dead_after_ms,
    node::{Effect, Input, NodeSession},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tonic::{Status, Streaming};

use super::{
    Shared,
    admission::{self, Admitted},
    refusals::EdgeRefusals,
};
use crate::{
    auth::{EdgeIdentity, now_ms},
    edges::Connected,
};

/// Time an edge has for its first message.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

type Outbox = mpsc::Sender<Result<NodeMessage, Status>>;

/// Serves one stream to its end.
pub(super) async fn serve(
    shared: &Shared,
    identity: EdgeIdentity,
    mut inbound: Streaming<EdgeMessage>,
    outbox: Outbox,
) {
    let first = timeout(HELLO_TIMEOUT, inbound.message()).await;
    let Ok(Ok(Some(EdgeMessage {
        kind: Some(edge_message::Kind::Hello(hello)),
    }))) = first
    else {
        let _ = outbox
            .send(Err(Status::invalid_argument(
                "the first message must be Hello",
            )))
            .await;
        return;
    };
    let edge_id = tidegate_sync::limits::shorten(&hello.edge_id);
    match admission::admit(&shared.parts, &identity, hello).await {
        Ok(admitted) => Driver::open(shared, admitted, outbox).run(inbound).await,
        Err(refused) => {
            tracing::warn!(edge_id, token_id = identity.token_id, %refused, "edge not taken");
            let reject = Reject {
                code: refused.code().to_owned(),
                detail: refused.to_string(),
                addresses: admission::other_nodes(&shared.parts.consensus),
            };
            let message = NodeMessage {
                kind: Some(node_message::Kind::Reject(reject)),
            };
            let _ = outbox.send(Ok(message)).await;
        }
    }
}

/// Whether the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Ended,
}

struct Driver<'a> {
    shared: &'a Shared,
    session: NodeSession,
    first: Vec<Effect>,
    newest: crate::views::Newest,
    view_id: String,
    keyset_version: u64,
    link: Link,
    loads: FuturesUnordered<BoxFuture<'a, Input>>,
}

/// The two ways out of a session: to the edge, and to the directory.
struct Link {
    edge_id: std::sync::Arc<str>,
    outbox: Outbox,
    connected: Connected,
    refusals: EdgeRefusals,
    origin: Instant,
    patience: Duration,
}

impl<'a> Driver<'a> {
    fn open(shared: &'a Shared, admitted: Admitted, outbox: Outbox) -> Self {
        let edge_id = admitted.edge_id();
        let connected = shared
            .parts
            .edges
            .connect(&admitted.hello, &admitted.view_id);
        if let Some(newest) = &admitted.opening.newest {
            connected.published(newest.position.revision);
        }
        tracing::info!(%edge_id, view_id = admitted.view_id, "edge connected");
        let refusals = shared
            .recorder
            .for_edge(&edge_id, &admitted.hello.environment);
        let origin = Instant::now();
        let beat_ms = shared.parts.settings.beat_ms;
        let (session, first) = NodeSession::open(admitted.opening, 0);
        let patience = Duration::from_millis(dead_after_ms(beat_ms));
        let link = Link {
            edge_id,
            outbox,
            connected,
            refusals,
            origin,
            patience,
        };
        Self {
            shared,
            session,
            first,
            newest: admitted.newest,
            view_id: admitted.view_id,
            keyset_version: admitted.keyset_version,
            link,
            loads: FuturesUnordered::new(),
        }
    }

    async fn run(mut self, mut inbound: Streaming<EdgeMessage>) {
        let shared = self.shared;
        let mut keysets = shared.parts.views.keysets();
        let mut drained = false;
        let mut drain_ends: Option<Instant> = None;
        let first = std::mem::take(&mut self.first);
        let mut flow = self.perform(first).await;
        while flow == Flow::On {
            let due = self.link.origin + Duration::from_millis(self.session.deadline_ms());
            let input = tokio::select! {
                message = inbound.message() => match message {
                    Ok(Some(message)) => Input::Edge(message),
                    Ok(None) => break,
                    Err(status) => {
                        tracing::debug!(edge_id = %self.link.edge_id, %status, "stream broke");
                        break;
                    }
                },
                Some(loaded) = self.loads.next() => loaded,
                changed = self.newest.changed() => match (changed, self.newest.borrow_and_update().clone()) {
                    (Err(_), _) => break,
                    (Ok(()), None) => continue,
                    (Ok(()), Some(newest)) => {
                        self.link.connected.published(newest.position.revision);
                        Input::Published(newest)
                    }
                },
                changed = keysets.changed() => match (changed, self.newer_keysets()) {
                    (Err(_), _) => break,
                    (Ok(()), None) => continue,
                    (Ok(()), Some(keysets)) => Input::Keysets(keysets),
                },
                () = shared.parts.drain.cancelled(), if !drained => {
                    drained = true;
                    drain_ends = Some(Instant::now() + shared.parts.settings.drain);
                    let deadline_ms = shared.parts.settings.drain.as_millis();
                    let addresses = admission::other_nodes(&shared.parts.consensus);
                    Input::Drain { addresses, deadline_ms: u32::try_from(deadline_ms).unwrap_or(u32::MAX) }
                }
                () = sleep_until(drain_ends.unwrap_or(due)), if drain_ends.is_some() => break,
                () = sleep_until(due) => Input::Tick,
            };
            let now_ms = self.link.now_ms();
            let effects = self.session.handle(input, now_ms);
            flow = self.perform(effects).await;
        }
        tracing::info!(edge_id = %self.link.edge_id, view_id = self.view_id, "edge disconnected");
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> Flow {
        let views = &self.shared.parts.views;
        for effect in effects {
            match effect {
                Effect::Send(message) => {
                    if self.link.send(message).await == Flow::Ended {
                        return Flow::Ended;
                    }
                }
                Effect::LoadDelta { from, to } => {
                    let view_id = self.view_id.clone();
                    self.loads.push(Box::pin(async move {
                        Input::Delta {
                            from,
                            delta: views.delta(&view_id, from, to).await,
                        }
                    }));
                }
                Effect::LoadObjects { wanted, .. } => {
                    self.loads.push(Box::pin(async move {
                        Input::Objects(views.objects(wanted).await)
                    }));
                }
                Effect::Report(report) => {
                    self.link.connected.report(&report);
                    self.link.refusals.note(&report);
                }
                Effect::Close(reason) => {
                    tracing::info!(edge_id = %self.link.edge_id, %reason, "stream closed");
                    let status = Status::aborted(reason.to_string());
                    let _ = timeout(self.link.patience, self.link.outbox.send(Err(status))).await;
                    return Flow::Ended;
                }
            }
        }
        Flow::On
    }

    fn newer_keysets(&mut self) -> Option<Vec<tidegate_proto::sync::v1::SignedKeyset>> {
        match admission::keysets_after(&self.shared.parts.consensus, self.keyset_version) {
            Ok((keysets, version)) if !keysets.is_empty() => {
                self.keyset_version = version;
                Some(keysets)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, "keysets cannot be read");
                None
            }
        }
    }
}

impl Link {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A connection that takes nothing for longer than a dead edge may be silent is dead.
    async fn send(&self, mut message: NodeMessage) -> Flow {
        if let Some(node_message::Kind::Beat(beat)) = &mut message.kind {
            beat.now_ms = now_ms();
        }
        match timeout(self.patience, self.outbox.send(Ok(message))).await {
            Ok(Ok(())) => Flow::On,
            Ok(Err(_)) | Err(_) => Flow::Ended,
        }
    }
}
