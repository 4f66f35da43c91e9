//! The stream service for edges: admits them, then drives one session per stream. What is sent and
//! when is decided in `tidegate-sync`; here are sockets, timers, reads and proposals.

mod admission;
mod refusals;
mod stream;

use std::{pin::Pin, sync::Arc, time::Duration};

use tidegate_consensus::Consensus;
use tidegate_proto::sync::v1::{
    EdgeMessage, NodeMessage,
    sync_service_server::{SyncService, SyncServiceServer},
};
use tidegate_sync::limits::{BEAT_MS, MESSAGE_BYTES_MAX};
use tidegate_telemetry::tasks::Tasks;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::refusals::Recorder;
use crate::{auth::EdgeAuth, edges::EdgeDirectory, views::Views};

/// Streams one node serves at a time.
const STREAMS_MAX: usize = 20_000;
/// Messages between a session and its connection; payload is bounded by the credit.
const OUTBOX_MESSAGES: usize = 16;

/// What the stream service works with.
pub(crate) struct SyncParts {
    pub(crate) consensus: Consensus,
    pub(crate) views: Arc<Views>,
    pub(crate) edges: Arc<EdgeDirectory>,
    pub(crate) auth: Arc<dyn EdgeAuth>,
    pub(crate) settings: Settings,
    /// Cancelled when the node is about to stop: edges are then asked to move.
    pub(crate) drain: CancellationToken,
}

/// Times of the protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Interval of beats in milliseconds.
    pub(crate) beat_ms: u32,
    /// How long an edge may wait for this node to catch up with it, or for its new view.
    pub(crate) admission: Duration,
    /// Time edges have to move when the node stops.
    pub(crate) drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            beat_ms: BEAT_MS,
            admission: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// The stream service of this node.
#[derive(Clone)]
pub(crate) struct SyncEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    parts: SyncParts,
    recorder: Recorder,
    streams: Arc<Semaphore>,
    tasks: Tasks,
}

impl std::fmt::Debug for SyncEndpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SyncEndpoint")
            .finish_non_exhaustive()
    }
}

/// Makes the service; its streams are tasks of `tasks`.
pub(crate) fn service(parts: SyncParts, tasks: &Tasks) -> SyncServiceServer<SyncEndpoint> {
    let recorder = Recorder::start(parts.consensus.clone(), tasks);
    let streams = Arc::new(Semaphore::new(STREAMS_MAX));
    let shared = Shared {
        parts,
        recorder,
        streams,
        tasks: tasks.clone(),
    };
    SyncServiceServer::new(SyncEndpoint {
        shared: Arc::new(shared),
    })
    .max_decoding_message_size(MESSAGE_BYTES_MAX)
    .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

#[tonic::async_trait]
impl SyncService for SyncEndpoint {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<NodeMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<EdgeMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let identity = self.shared.parts.auth.edge(request.metadata()).await?;
        let permit = Arc::clone(&self.shared.streams)
            .try_acquire_owned()
            .map_err(|_full| Status::resource_exhausted("this node serves all the edges it can"))?;
        let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES);
        let shared = Arc::clone(&self.shared);
        let inbound = request.into_inner();
        self.shared.tasks.spawn("sync stream", async move {
            stream::serve(&shared, identity, inbound, outbox).await;
            drop(permit);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}
