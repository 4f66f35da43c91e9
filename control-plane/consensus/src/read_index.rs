//! Linearizable reads on any node (Raft dissertation §6.4, ReadIndex).
//!
//! Readers that arrive while a confirmation is under way wait for the next one, which serves all of them: the cost does
//! not grow with the number of readers.

use std::time::Duration;

use openraft::{
    Raft, ReadPolicy,
    errors::{LinearizableReadError, RaftError},
};
use tidegate_proto::raft::v1::{ReadIndexRequest, read_index_reply};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tonic::Request;

use crate::{
    error::ReadError,
    peers::{Lane, Peers},
    propose::{before, pause},
    state_machine::StateMachine,
    status::Status,
    types::TypeConfig,
};

/// Readers that may wait for one confirmation.
pub(crate) const WAITING_MAX: usize = 16_384;
/// Time one confirmation may take before the leader is looked for again.
const ROUND_TIMEOUT: Duration = Duration::from_secs(2);

/// Someone who waits for an index; the sender is dropped when it cannot be confirmed.
pub(crate) type Waiting = oneshot::Sender<Result<u64, ReadError>>;

/// What one node answers.
#[derive(Debug)]
pub(crate) enum Confirmed {
    /// Everything up to this index was committed before the question.
    Index(u64),
    /// This node does not lead; the one it believes does.
    NotLeader(Option<u64>),
    /// No quorum answered.
    Failed(String),
}

/// Confirms on this node, if it leads.
pub(crate) async fn on_this_node(
    raft: &Raft<TypeConfig, StateMachine>,
    deadline: Instant,
) -> Confirmed {
    match before(deadline, raft.get_read_log_id(ReadPolicy::ReadIndex)).await {
        None => Confirmed::Failed("no quorum in time".to_owned()),
        Some(Ok((read, _applied))) => Confirmed::Index(read.log_id().index),
        Some(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
            Confirmed::NotLeader(forward.leader_id)
        }
        Some(Err(error)) => Confirmed::Failed(error.to_string()),
    }
}

async fn on_other_node(peers: &Peers, node: u64, address: &str, deadline: Instant) -> Confirmed {
    let mut client = match peers.client(Lane::Request, node, address) {
        Ok(client) => client,
        Err(error) => return Confirmed::Failed(error.to_string()),
    };
    let mut request = Request::new(ReadIndexRequest {
        stamp: peers.stamp(),
    });
    request.set_timeout(deadline.saturating_duration_since(Instant::now()));
    match before(deadline, client.read_index(request)).await {
        None => Confirmed::Failed("no answer from the leader in time".to_owned()),
        Some(Err(status)) => Confirmed::Failed(status.to_string()),
        Some(Ok(answer)) => match answer.into_inner().kind {
            Some(read_index_reply::Kind::Index(index)) => Confirmed::Index(index),
            Some(read_index_reply::Kind::NotLeader(0)) => Confirmed::NotLeader(None),
            Some(read_index_reply::Kind::NotLeader(node)) => Confirmed::NotLeader(Some(node)),
            Some(read_index_reply::Kind::Failed(why)) => Confirmed::Failed(why),
            None => Confirmed::Failed("an answer of an unknown kind".to_owned()),
        },
    }
}

/// Answers readers, all that wait at once with one confirmation.
pub(crate) async fn serve(
    raft: Raft<TypeConfig, StateMachine>,
    peers: Peers,
    status: impl Fn() -> Status,
    mut readers: mpsc::Receiver<Waiting>,
) {
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut hint = None;
    loop {
        if waiting.is_empty() && readers.recv_many(&mut waiting, WAITING_MAX).await == 0 {
            return;
        }
        while let Ok(reader) = readers.try_recv() {
            waiting.push(reader);
        }
        let known = status();
        let deadline = Instant::now() + ROUND_TIMEOUT;
        let target = hint.take().or(known.leader_id).unwrap_or(known.node_id);
        let confirmed = match known.members.iter().find(|member| member.id == target) {
            Some(member) if target != known.node_id => {
                on_other_node(&peers, target, &member.raft_address, deadline).await
            }
            _ => on_this_node(&raft, deadline).await,
        };
        match confirmed {
            Confirmed::Index(index) => {
                for reader in waiting.drain(..) {
                    // A reader that gave up is nobody's loss.
                    let _ = reader.send(Ok(index));
                }
            }
            Confirmed::NotLeader(Some(leader)) if leader != target => hint = Some(leader),
            Confirmed::NotLeader(_) => pause(deadline).await,
            Confirmed::Failed(why) => {
                tracing::debug!(why, target, "read index not confirmed, retrying");
                pause(deadline).await;
            }
        }
        waiting.retain(|reader| !reader.is_closed());
    }
}
