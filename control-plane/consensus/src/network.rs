//! Messages of openraft to other nodes.

use std::{future::Future, time::Duration};

use futures::{StreamExt as _, stream};
use openraft::{
    OptionalSend, RaftNetworkFactory,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{Backoff, RPCOption, v2::RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
    },
    type_config::alias::SnapshotOf,
};
use serde::{Serialize, de::DeserializeOwned};
use tidegate_proto::raft::v1::{self as pb, raft_service_client::RaftServiceClient};
use tidegate_storage::{RaftSnapshot, SNAPSHOT_CHUNK_BYTES_MAX, SnapshotChunk};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, transport::Channel};

use crate::{
    peers::{Lane, Peers},
    types::{PeerNode, TypeConfig, Vote, decode, encode},
};

/// Chunks of a snapshot read ahead of the network.
const CHUNKS_AHEAD: usize = 4;
/// Largest snapshot a transfer may take this long for.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Makes connections for openraft.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    peers: Peers,
}

impl Network {
    pub(crate) fn new(peers: Peers) -> Self {
        Self { peers }
    }

    fn connection(&self, lane: Lane, target: u64, node: &PeerNode) -> Connection {
        Connection {
            peers: self.peers.clone(),
            lane,
            target,
            address: node.raft_address.clone(),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, node: &PeerNode) -> Connection {
        self.connection(Lane::Log, target, node)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &PeerNode) -> Connection {
        self.connection(Lane::Heartbeat, target, node)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &PeerNode) -> Connection {
        self.connection(Lane::Snapshot, target, node)
    }
}

/// One node, as openraft talks to it.
#[derive(Debug)]
pub(crate) struct Connection {
    peers: Peers,
    lane: Lane,
    target: u64,
    address: String,
}

/// The calls that carry one message there and one back.
#[derive(Debug, Clone, Copy)]
enum Call {
    Append,
    Vote,
    PreVote,
    Transfer,
}

impl Connection {
    fn client(&self) -> Result<RaftServiceClient<Channel>, Unreachable<TypeConfig>> {
        self.peers
            .client(self.lane, self.target, &self.address)
            .map_err(|error| Unreachable::from_string(error.to_string()))
    }

    async fn exchange<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: Call,
        message: &Q,
        timeout: Duration,
    ) -> Result<A, RPCError<TypeConfig>> {
        let payload = encode(message)
            .map_err(|error| NetworkError::from_string(format!("unsendable message: {error}")))?;
        let envelope = pb::Envelope {
            stamp: self.peers.stamp(),
            payload: payload.into(),
        };
        let mut request = Request::new(envelope);
        request.set_timeout(timeout);
        let mut client = self.client()?;
        let answer = async move {
            match call {
                Call::Append => client.append(request).await,
                Call::Vote => client.vote(request).await,
                Call::PreVote => client.pre_vote(request).await,
                Call::Transfer => client.take_over(request).await,
            }
        };
        // The deadline travels with the request, but a silent peer must not hold us either.
        let answer = tokio::time::timeout(timeout, answer)
            .await
            .map_err(|_elapsed| Unreachable::from_string(format!("silent for {timeout:?}")))?;
        let answer = answer
            .map(Response::into_inner)
            .map_err(|status| explain(&status))?;
        decode(&answer.payload).map_err(|error| {
            NetworkError::from_string(format!("unreadable answer: {error}")).into()
        })
    }

    async fn send_snapshot(
        &self,
        vote: &Vote,
        snapshot: SnapshotOf<TypeConfig, RaftSnapshot>,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let header = encode(&(vote, &snapshot.meta))
            .map_err(|error| NetworkError::from_string(format!("unsendable header: {error}")))?;
        let first = pb::SnapshotChunk {
            stamp: self.peers.stamp(),
            header: header.into(),
            ..pb::SnapshotChunk::default()
        };
        let chunks = read_ahead(snapshot.snapshot);
        let stream = stream::once(async { first }).chain(ReceiverStream::new(chunks));
        let mut request = Request::new(stream);
        request.set_timeout(SNAPSHOT_TIMEOUT);
        let answer = self.client()?.install_snapshot(request).await;
        let answer = answer.map_err(|status| match explain(&status) {
            RPCError::Unreachable(unreachable) => StreamingError::Unreachable(unreachable),
            other => StreamingError::Network(NetworkError::from_string(other.to_string())),
        })?;
        decode(&answer.into_inner().payload).map_err(|error| {
            NetworkError::from_string(format!("unreadable answer: {error}")).into()
        })
    }
}

/// Reads a snapshot on a blocking thread, a few chunks ahead of the network. A read error ends the stream early, which
/// the receiver refuses as incomplete.
fn read_ahead(snapshot: RaftSnapshot) -> mpsc::Receiver<pb::SnapshotChunk> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    spawn_blocking(move || {
        let chunks = match snapshot.chunks() {
            Ok(chunks) => chunks,
            Err(error) => return tracing::error!(%error, "raft snapshot cannot be read"),
        };
        for chunk in chunks {
            match chunk {
                Ok(SnapshotChunk { data, hash }) => {
                    debug_assert!(data.len() <= SNAPSHOT_CHUNK_BYTES_MAX, "chunks are bounded");
                    let hash = hash.to_vec().into();
                    let chunk = pb::SnapshotChunk {
                        data,
                        hash,
                        ..pb::SnapshotChunk::default()
                    };
                    if sender.blocking_send(chunk).is_err() {
                        return;
                    }
                }
                Err(error) => return tracing::error!(%error, "raft snapshot cannot be read"),
            }
        }
    });
    receiver
}

/// Unreachable peers are asked again after a pause, everything else at once.
fn explain(status: &Status) -> RPCError<TypeConfig> {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            Unreachable::from_string(status.to_string()).into()
        }
        _ => NetworkError::from_string(status.to_string()).into(),
    }
}

impl RaftNetworkV2<TypeConfig> for Connection {
    type SnapshotData = RaftSnapshot;

    async fn append_entries(
        &mut self,
        message: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.exchange(Call::Append, &message, option.hard_ttl())
            .await
    }

    async fn vote(
        &mut self,
        message: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.exchange(Call::Vote, &message, option.hard_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        message: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.exchange(Call::PreVote, &message, option.hard_ttl())
            .await
    }

    async fn transfer_leader(
        &mut self,
        message: openraft::raft::TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<openraft::raft::TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.exchange(Call::Transfer, &message, option.hard_ttl())
            .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, RaftSnapshot>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = self.send_snapshot(&vote, snapshot) => sent,
        }
    }

    /// A node that restarts should catch up soon: the default of half a second is too patient.
    fn backoff(&self) -> Option<Backoff> {
        let growing = [50, 100, 200].into_iter().chain(std::iter::repeat(300));
        Some(Backoff::new(growing.map(Duration::from_millis)))
    }
}
