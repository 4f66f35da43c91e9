//! What this node answers to its peers on the raft port.
//!
//! A message from another cluster is refused before consensus sees it.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use openraft::{Raft, storage::Snapshot};
use serde::{Serialize, de::DeserializeOwned};
use tidegate_proto::raft::v1::{
    self as pb, forward_reply, raft_service_server::RaftService, read_index_reply,
};
use tidegate_state::Txn;
use tidegate_storage::{SNAPSHOT_CHUNK_BYTES_MAX, SnapshotChunk, SnapshotStore};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::{
    admission::admit,
    peers::Peers,
    propose::{self, Attempt},
    read_index::{self, Confirmed},
    state_machine::StateMachine,
    types::{SnapshotMeta, TypeConfig, Vote, decode, encode},
};

/// Longest time a forwarded proposal may keep the leader busy.
const FORWARD_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Time to confirm leadership for a reader on another node.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest Raft snapshot taken from a peer: the size limit of a node's store.
const SNAPSHOT_BYTES_MAX: u64 = 50 << 30;

/// A peer that sends nothing of a snapshot for this long has given up or hangs.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// The service behind [`crate::Consensus::raft_service`].
#[derive(Debug, Clone)]
pub struct RaftEndpoint {
    raft: Raft<TypeConfig, StateMachine>,
    peers: Peers,
    snapshots: SnapshotStore,
    incoming: Arc<Semaphore>,
}

impl RaftEndpoint {
    pub(crate) fn new(
        raft: Raft<TypeConfig, StateMachine>,
        peers: Peers,
        snapshots: SnapshotStore,
        incoming: Arc<Semaphore>,
    ) -> Self {
        Self {
            raft,
            peers,
            snapshots,
            incoming,
        }
    }

    fn check(&self, stamp: Option<&pb::ClusterStamp>) -> Result<(), Status> {
        let stamp = stamp.ok_or_else(|| Status::invalid_argument("a message without a stamp"))?;
        if stamp.cluster_id == self.peers.cluster_id() {
            return Ok(());
        }
        tracing::warn!(
            from = stamp.from_node,
            "message from another cluster refused"
        );
        Err(Status::permission_denied("a message of another cluster"))
    }

    fn open<T: DeserializeOwned>(&self, envelope: &pb::Envelope) -> Result<T, Status> {
        self.check(envelope.stamp.as_ref())?;
        decode(&envelope.payload)
            .map_err(|error| Status::invalid_argument(format!("unreadable message: {error}")))
    }

    fn seal<T: Serialize>(&self, answer: &T) -> Result<Response<pb::Envelope>, Status> {
        let payload = encode(answer)
            .map_err(|error| Status::internal(format!("unsendable answer: {error}")))?;
        Ok(Response::new(pb::Envelope {
            stamp: self.peers.stamp(),
            payload: payload.into(),
        }))
    }
}

/// Consensus that cannot answer is on its way down.
fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("consensus does not answer: {error}"))
}

#[async_trait]
impl RaftService for RaftEndpoint {
    async fn append(
        &self,
        request: Request<pb::Envelope>,
    ) -> Result<Response<pb::Envelope>, Status> {
        let message = self.open(request.get_ref())?;
        self.seal(&self.raft.append_entries(message).await.map_err(stopped)?)
    }

    async fn vote(&self, request: Request<pb::Envelope>) -> Result<Response<pb::Envelope>, Status> {
        let message = self.open(request.get_ref())?;
        self.seal(&self.raft.vote(message).await.map_err(stopped)?)
    }

    async fn pre_vote(
        &self,
        request: Request<pb::Envelope>,
    ) -> Result<Response<pb::Envelope>, Status> {
        let message = self.open(request.get_ref())?;
        self.seal(&self.raft.pre_vote(message).await.map_err(stopped)?)
    }

    async fn take_over(
        &self,
        request: Request<pb::Envelope>,
    ) -> Result<Response<pb::Envelope>, Status> {
        let message = self.open(request.get_ref())?;
        self.seal(
            &self
                .raft
                .handle_transfer_leader(message)
                .await
                .map_err(stopped)?,
        )
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<pb::SnapshotChunk>>,
    ) -> Result<Response<pb::Envelope>, Status> {
        let mut chunks = request.into_inner();
        let first = next_chunk(&mut chunks).await?;
        let first = first.ok_or_else(|| Status::invalid_argument("an empty snapshot stream"))?;
        self.check(first.stamp.as_ref())?;
        // One transfer fills the disk at most once over, and two at once would only slow each other down. The sender
        // takes this answer for a node out of reach and comes back after a pause.
        let _only = self
            .incoming
            .try_acquire()
            .map_err(|_taken| Status::unavailable("another snapshot is coming in"))?;
        let (vote, meta): (Vote, SnapshotMeta) = decode(&first.header)
            .map_err(|error| Status::invalid_argument(format!("unreadable header: {error}")))?;

        let mut incoming = self
            .snapshots
            .receive(SNAPSHOT_BYTES_MAX)
            .map_err(refused)?;
        while let Some(chunk) = next_chunk(&mut chunks).await? {
            if chunk.data.len() > SNAPSHOT_CHUNK_BYTES_MAX {
                return Err(Status::invalid_argument("a snapshot chunk over the limit"));
            }
            let hash = <[u8; 32]>::try_from(chunk.hash.as_ref())
                .map_err(|_length| Status::invalid_argument("a chunk hash has 32 bytes"))?;
            let chunk = SnapshotChunk {
                data: chunk.data,
                hash,
            };
            // Writing goes to disk; heartbeats must not wait for it.
            incoming =
                tokio::task::spawn_blocking(move || incoming.push(&chunk).map(|()| incoming))
                    .await
                    .map_err(stopped)?
                    .map_err(refused)?;
        }
        let snapshot = tokio::task::spawn_blocking(move || incoming.finish())
            .await
            .map_err(stopped)?
            .map_err(refused)?;
        let installed = self
            .raft
            .install_full_snapshot(vote, Snapshot { meta, snapshot })
            .await;
        self.seal(&installed.map_err(stopped)?)
    }

    async fn forward(
        &self,
        request: Request<pb::ForwardRequest>,
    ) -> Result<Response<pb::ForwardReply>, Status> {
        let request = request.into_inner();
        self.check(request.stamp.as_ref())?;
        let txn = Txn::decode(&request.txn).map_err(|error| {
            Status::invalid_argument(format!("unreadable transaction: {error}"))
        })?;
        admit(&txn, request.txn.len())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let timeout = Duration::from_millis(request.deadline_ms.into()).min(FORWARD_TIMEOUT_MAX);
        let deadline = Instant::now() + timeout;
        let kind = match propose::on_this_node(&self.raft, request.txn, deadline).await {
            Attempt::Done(reply) => forward_reply::Kind::Reply(reply),
            Attempt::NotLeader(leader) => {
                forward_reply::Kind::NotLeader(leader.unwrap_or_default())
            }
            Attempt::Unknown(why) | Attempt::Refused(why) => forward_reply::Kind::Failed(why),
            Attempt::Stopped => forward_reply::Kind::Failed("the node is stopping".to_owned()),
        };
        Ok(Response::new(pb::ForwardReply { kind: Some(kind) }))
    }

    async fn read_index(
        &self,
        request: Request<pb::ReadIndexRequest>,
    ) -> Result<Response<pb::ReadIndexReply>, Status> {
        self.check(request.get_ref().stamp.as_ref())?;
        let deadline = Instant::now() + READ_TIMEOUT;
        let kind = match read_index::on_this_node(&self.raft, deadline).await {
            Confirmed::Index(index) => read_index_reply::Kind::Index(index),
            Confirmed::NotLeader(leader) => {
                read_index_reply::Kind::NotLeader(leader.unwrap_or_default())
            }
            Confirmed::Failed(why) => read_index_reply::Kind::Failed(why),
        };
        Ok(Response::new(pb::ReadIndexReply { kind: Some(kind) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<pb::TransferLeaderRequest>,
    ) -> Result<Response<pb::TransferLeaderReply>, Status> {
        self.check(request.get_ref().stamp.as_ref())?;
        let to = request.get_ref().to_node;
        self.raft
            .trigger()
            .transfer_leader(to)
            .await
            .map_err(stopped)?;
        Ok(Response::new(pb::TransferLeaderReply {}))
    }
}

/// The next piece of a snapshot; a stream that falls silent is an error.
async fn next_chunk(
    chunks: &mut (impl Stream<Item = Result<pb::SnapshotChunk, Status>> + Unpin),
) -> Result<Option<pb::SnapshotChunk>, Status> {
    match timeout(CHUNK_TIMEOUT, chunks.next()).await {
        Ok(chunk) => chunk.transpose(),
        Err(_elapsed) => {
            tracing::warn!("raft snapshot given up: its sender fell silent");
            Err(Status::deadline_exceeded(format!(
                "no chunk for {CHUNK_TIMEOUT:?}"
            )))
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err asks for")]
fn refused(error: tidegate_storage::Error) -> Status {
    tracing::warn!(%error, "raft snapshot refused");
    Status::data_loss(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_stream_may_pause_but_not_fall_silent() {
        let chunk = || Ok(pb::SnapshotChunk::default());
        let slow = stream::once(async move {
            tokio::time::sleep(CHUNK_TIMEOUT - Duration::from_millis(1)).await;
            chunk()
        });
        let mut chunks = std::pin::pin!(slow.chain(stream::pending()));
        assert!(next_chunk(&mut chunks).await.unwrap().is_some());
        let silent = next_chunk(&mut chunks).await.unwrap_err();
        assert_eq!(silent.code(), tonic::Code::DeadlineExceeded);
    }
}
