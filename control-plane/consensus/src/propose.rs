//! Getting a transaction committed, from any node.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use openraft::{
    Raft,
    errors::{ClientWriteError, RaftError},
};
use tidegate_proto::raft::v1::{ForwardRequest, forward_reply};
use tidegate_state::{Reply, Txn};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Request};

use crate::{
    admission::admit,
    error::ProposeError,
    peers::{Lane, Peers},
    state_machine::StateMachine,
    status::Status,
    types::{Command, TypeConfig},
};

/// Pause before the leader is looked for again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Time the first attempt may take, so that a leader that hangs does not eat the whole deadline. Doubles with every
/// attempt that ends without an outcome, so that a log that is merely slow is not flooded with repetitions.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How one attempt on one node ended.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Committed and applied; the encoded reply.
    Done(Bytes),
    /// This node does not lead; the one it believes does.
    NotLeader(Option<u64>),
    /// May or may not have happened; a retry with the same idempotency key is safe.
    Unknown(String),
    /// The leader does not take this transaction, now or later.
    Refused(String),
    /// The node is stopping.
    Stopped,
}

/// Proposes on this node, which may find that it does not lead.
pub(crate) async fn on_this_node(
    raft: &Raft<TypeConfig, StateMachine>,
    txn: Bytes,
    deadline: Instant,
) -> Attempt {
    let Some(written) = before(deadline, raft.client_write(Command(txn))).await else {
        return Attempt::Unknown("not committed in time".to_owned());
    };
    match written {
        Ok(written) => Attempt::Done(written.data.0),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Attempt::NotLeader(forward.leader_id)
        }
        Err(RaftError::APIError(other)) => Attempt::Unknown(other.to_string()),
        Err(RaftError::Fatal(_)) => Attempt::Stopped,
    }
}

async fn on_other_node(
    peers: &Peers,
    node: u64,
    address: &str,
    txn: Bytes,
    deadline: Instant,
) -> Attempt {
    let mut client = match peers.client(Lane::Request, node, address) {
        Ok(client) => client,
        Err(error) => return Attempt::Unknown(error.to_string()),
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let mut request = Request::new(ForwardRequest {
        stamp: peers.stamp(),
        txn,
        deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
    });
    request.set_timeout(left);
    let answer = match before(deadline, client.forward(request)).await {
        None => return Attempt::Unknown("no answer from the leader in time".to_owned()),
        Some(Err(status)) if status.code() == Code::Unavailable => {
            return Attempt::Unknown(format!("leader unreachable: {}", status.message()));
        }
        Some(Err(status)) if status.code() == Code::InvalidArgument => {
            return Attempt::Refused(status.message().to_owned());
        }
        Some(Err(status)) => return Attempt::Unknown(status.to_string()),
        Some(Ok(answer)) => answer.into_inner(),
    };
    match answer.kind {
        Some(forward_reply::Kind::Reply(reply)) => Attempt::Done(reply),
        Some(forward_reply::Kind::NotLeader(0)) => Attempt::NotLeader(None),
        Some(forward_reply::Kind::NotLeader(leader)) => Attempt::NotLeader(Some(leader)),
        Some(forward_reply::Kind::Failed(why)) => Attempt::Unknown(why),
        None => Attempt::Unknown("an answer of an unknown kind".to_owned()),
    }
}

/// Proposes until it is committed, refused by its own preconditions, or the deadline passes.
///
/// Every attempt carries the same idempotency key, so it happens once, whatever was lost on the way.
pub(crate) async fn until_done(
    raft: &Raft<TypeConfig, StateMachine>,
    peers: &Peers,
    status: impl Fn() -> Status,
    txn: &Txn,
    deadline: Instant,
) -> Result<Reply, ProposeError> {
    let encoded = Bytes::from(txn.encode());
    admit(txn, encoded.len())?;
    let mut patience = ATTEMPT_TIMEOUT;
    let mut may_have_happened = false;
    let mut hint = None;
    while Instant::now() < deadline {
        let known = status();
        let attempt_deadline = deadline.min(Instant::now() + patience);
        let target = hint.take().or(known.leader_id).unwrap_or(known.node_id);
        let attempt = match known.members.iter().find(|member| member.id == target) {
            Some(member) if target != known.node_id => {
                let address = &member.raft_address;
                on_other_node(peers, target, address, encoded.clone(), attempt_deadline).await
            }
            _ => on_this_node(raft, encoded.clone(), attempt_deadline).await,
        };
        match attempt {
            Attempt::Done(reply) => return Ok(Reply::decode(&reply)?),
            Attempt::NotLeader(Some(leader)) if leader != target => hint = Some(leader),
            Attempt::NotLeader(_) => pause(deadline).await,
            Attempt::Unknown(why) => {
                tracing::debug!(why, target, "proposal without an outcome, retrying");
                may_have_happened = true;
                patience *= 2;
                pause(deadline).await;
            }
            Attempt::Refused(why) => return Err(ProposeError::Refused(why)),
            Attempt::Stopped => return Err(ProposeError::Shutdown),
        }
    }
    Err(if may_have_happened {
        ProposeError::Timeout
    } else {
        ProposeError::NoLeader
    })
}

/// The output of `future`, or `None` once the deadline has passed.
pub(crate) async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    timeout_at(deadline, future).await.ok()
}

/// Waits a little, never past the deadline.
pub(crate) async fn pause(deadline: Instant) {
    sleep_until(deadline.min(Instant::now() + RETRY_PAUSE)).await;
}
