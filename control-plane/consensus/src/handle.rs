//! [`Consensus`]: all that the rest of the program knows.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use openraft::{
    Config, Raft, SnapshotPolicy,
    async_runtime::WatchReceiver as _,
    errors::{InitializeError, RaftError},
};
use tidegate_proto::raft::v1::{TransferLeaderRequest, raft_service_server::RaftServiceServer};
use tidegate_state::{Reply, Txn};
use tidegate_storage::{LogLimits, LogStore, SnapshotStore, StateDb};
use tidegate_telemetry::tasks::Tasks;
use tokio::{
    sync::{Semaphore, broadcast, mpsc, oneshot, watch},
    time::Instant,
};
use tonic::Request;

use crate::{
    error::{Error, ProposeError, ReadError},
    log::Log,
    network::Network,
    options::{Member, Options},
    peers::{Lane, MESSAGE_BYTES_MAX, Peers},
    propose::{self, before, pause},
    read_index::{self, Waiting},
    service::RaftEndpoint,
    state_machine::{AppliedBatch, StateMachine},
    status::Status,
    supervise,
    types::{PeerNode, TypeConfig},
};

/// Batches a slow follower of events may fall behind before it must rebuild from the state.
const EVENT_BACKLOG: usize = 4_096;
/// Time a stopping node gives its tasks.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Time leadership may take to move.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(5);

/// One node's part in the consensus of its cluster. Clones share the node.
#[derive(Clone)]
pub struct Consensus {
    shared: Arc<Shared>,
}

struct Shared {
    raft: Raft<TypeConfig, StateMachine>,
    state: StateDb,
    snapshots: SnapshotStore,
    peers: Peers,
    events: broadcast::Sender<Arc<AppliedBatch>>,
    applied: watch::Receiver<u64>,
    status: watch::Receiver<Status>,
    readers: mpsc::Sender<Waiting>,
    /// Held by the one Raft snapshot that may be coming in.
    incoming: Arc<Semaphore>,
    tasks: Tasks,
}

impl fmt::Debug for Consensus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Consensus")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Consensus {
    /// Opens the node's storage and takes part in consensus from then on.
    ///
    /// A node that belongs to no cluster yet waits to be joined, or for [`Consensus::bootstrap`].
    ///
    /// # Errors
    /// Fails if the data directory is damaged or in use, or a setting makes no sense.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let config = Arc::new(config(&options)?);
        let directory = &options.data_dir;
        let limits = LogLimits::default();
        let log = LogStore::open(&directory.join("log"), limits)?;
        let state = StateDb::open(&directory.join("state"))?;
        let snapshots = SnapshotStore::open(&directory.join("snapshots"), state.clone())?;
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let index = state.applied()?.map_or(0, |mark| mark.index);
        let (applied_sender, applied) = watch::channel(index);
        let machine = StateMachine::new(
            state.clone(),
            snapshots.clone(),
            events.clone(),
            applied_sender,
        );
        let peers = Peers::new(&options);
        let network = Network::new(peers.clone());
        let raft = Raft::new(
            options.node_id,
            config,
            network,
            Log::new(log, limits),
            machine,
        )
        .await
        .map_err(|fatal| Error::Stopped(fatal.to_string()))?;

        let tasks = Tasks::new();
        let first = Status::of(&raft.metrics().borrow_watched().clone(), index);
        let (status_sender, status) = watch::channel(first);
        let watching = supervise::watch_over(
            raft.clone(),
            applied.clone(),
            Arc::new(status_sender),
            tasks.cancelled(),
        );
        tasks.spawn("consensus supervisor", watching);
        tasks.spawn(
            "raft log maintenance",
            supervise::maintain(raft.clone(), state.clone()),
        );
        let (readers, waiting) = mpsc::channel(read_index::WAITING_MAX);
        let latest = status.clone();
        let serving = read_index::serve(
            raft.clone(),
            peers.clone(),
            move || latest.borrow().clone(),
            waiting,
        );
        tasks.spawn("read index", serving);
        let incoming = Arc::new(Semaphore::new(1));
        let shared = Shared {
            raft,
            state,
            snapshots,
            peers,
            events,
            applied,
            status,
            readers,
            incoming,
            tasks,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Forms a new cluster of these members; does nothing when this node belongs to one already.
    ///
    /// Exactly one node of a new cluster calls this.
    ///
    /// # Errors
    /// Fails if this node is not among the members, or consensus has stopped.
    pub async fn bootstrap(&self, members: Vec<Member>) -> Result<(), Error> {
        if self.is_initialized() {
            return Ok(());
        }
        let nodes: BTreeMap<u64, PeerNode> = members
            .into_iter()
            .map(|member| {
                let Member {
                    id,
                    raft_address,
                    grpc_address,
                } = member;
                (
                    id,
                    PeerNode {
                        raft_address,
                        grpc_address,
                    },
                )
            })
            .collect();
        match self.shared.raft.initialize(nodes).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(error)) => Err(Error::Form(error.to_string())),
            Err(RaftError::Fatal(fatal)) => Err(Error::Stopped(fatal.to_string())),
        }
    }

    /// True if this node belongs to a cluster.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        let metrics = self.shared.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.last_log_index.is_some() || metrics.last_applied.is_some()
    }

    /// Commits a transaction, on whichever node leads, and gives its reply.
    ///
    /// Retries through changes of leadership under one idempotency key, so it happens at most once. A reply of
    /// `Conflict` or `Rejected` means that nothing was written.
    ///
    /// # Errors
    /// [`ProposeError::Timeout`] leaves the outcome unknown; a retry with the same key is safe.
    pub async fn propose(&self, mut txn: Txn, timeout: Duration) -> Result<Reply, ProposeError> {
        if txn.idempotency_key.is_empty() {
            txn.idempotency_key = uuid::Uuid::new_v4().to_string();
        }
        let deadline = Instant::now() + timeout;
        let Shared { raft, peers, .. } = &*self.shared;
        propose::until_done(raft, peers, || self.status(), &txn, deadline).await
    }

    /// Returns once this node has applied everything that was committed anywhere before the call, with that index.
    ///
    /// Works on every node. Cancelling it has no effect on other readers.
    ///
    /// # Errors
    /// Fails if no leader can confirm in time, or the node is stopping.
    pub async fn read_index(&self, timeout: Duration) -> Result<u64, ReadError> {
        let deadline = Instant::now() + timeout;
        let (sender, receiver) = oneshot::channel();
        let confirmed = async {
            self.shared
                .readers
                .send(sender)
                .await
                .map_err(|_stopped| ReadError::Shutdown)?;
            receiver.await.map_err(|_stopped| ReadError::Shutdown)?
        };
        let index = match before(deadline, confirmed).await {
            Some(confirmed) => confirmed?,
            None if self.status().leader_id.is_none() => return Err(ReadError::NoLeader),
            None => return Err(ReadError::Timeout),
        };
        let mut applied = self.shared.applied.clone();
        match before(deadline, applied.wait_for(|applied| *applied >= index)).await {
            Some(Ok(_)) => Ok(index),
            Some(Err(_stopped)) => Err(ReadError::Shutdown),
            None => Err(ReadError::Timeout),
        }
    }

    /// The replicated state, as far as this node has applied it.
    #[must_use]
    pub fn state(&self) -> StateDb {
        self.shared.state.clone()
    }

    /// Follows what is applied from now on, in log order.
    ///
    /// A receiver that lags, or gets a batch with `reset`, has missed changes and rebuilds from [`Consensus::state`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<AppliedBatch>> {
        self.shared.events.subscribe()
    }

    /// What this node knows now.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = self.shared.status.borrow().clone();
        status.applied = *self.shared.applied.borrow();
        status
    }

    /// Follows what this node knows.
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.shared.status.clone()
    }

    /// Moves leadership to a node, or to the most advanced other voter, and waits until it has moved.
    ///
    /// Does nothing when that node leads already.
    ///
    /// # Errors
    /// Fails if there is no other voter, no leader, or the chosen node does not take over in time.
    pub async fn transfer_leader(&self, to: Option<u64>) -> Result<(), Error> {
        let deadline = Instant::now() + TRANSFER_TIMEOUT;
        let status = self.status();
        let to = match to.or_else(|| most_advanced(&status)) {
            Some(to) if status.voters.contains(&to) => to,
            Some(to) => return Err(Error::Transfer(format!("node {to} is no voter"))),
            None => return Err(Error::Transfer("there is no other voter".to_owned())),
        };
        loop {
            let status = self.status();
            match status.leader_id {
                Some(leader) if leader == to => return Ok(()),
                Some(leader) => self.ask_to_transfer(&status, leader, to).await?,
                None => {}
            }
            if Instant::now() >= deadline {
                return Err(Error::Transfer(format!(
                    "node {to} did not take over in time"
                )));
            }
            pause(deadline).await;
        }
    }

    async fn ask_to_transfer(&self, status: &Status, leader: u64, to: u64) -> Result<(), Error> {
        if leader == status.node_id {
            let moved = self.shared.raft.trigger().transfer_leader(to).await;
            return moved.map_err(|fatal| Error::Stopped(fatal.to_string()));
        }
        let Some(member) = status.members.iter().find(|member| member.id == leader) else {
            return Ok(());
        };
        let mut client = self
            .shared
            .peers
            .client(Lane::Request, leader, &member.raft_address)?;
        let mut request = Request::new(TransferLeaderRequest {
            stamp: self.shared.peers.stamp(),
            to_node: to,
        });
        request.set_timeout(TRANSFER_TIMEOUT);
        match client.transfer_leader(request).await {
            Ok(_) => Ok(()),
            Err(status) => Err(Error::Transfer(status.to_string())),
        }
    }

    /// What this node answers to its peers; to be served on the raft port, over mutual TLS.
    #[must_use]
    pub fn raft_service(&self) -> RaftServiceServer<RaftEndpoint> {
        let Shared {
            raft,
            peers,
            snapshots,
            incoming,
            ..
        } = &*self.shared;
        let endpoint = RaftEndpoint::new(
            raft.clone(),
            peers.clone(),
            snapshots.clone(),
            Arc::clone(incoming),
        );
        RaftServiceServer::new(endpoint)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Leaves consensus; what was acknowledged is on disk.
    pub async fn shutdown(&self) {
        // First the supervisor, which would take the end of consensus for its death.
        self.shared.tasks.stop(STOP_TIMEOUT).await;
        if self.shared.raft.shutdown().await.is_err() {
            tracing::warn!("the consensus task ended with a panic");
        }
    }
}

/// The voter, other than this node, with the most entries; any when nothing is known.
fn most_advanced(status: &Status) -> Option<u64> {
    let others = status
        .voters
        .iter()
        .copied()
        .filter(|id| *id != status.node_id);
    others.max_by_key(|id| status.matched.get(id).copied().unwrap_or_default())
}

fn config(options: &Options) -> Result<Config, Error> {
    let timing = options.timing;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: options.cluster_id.clone(),
        heartbeat_interval: millis(timing.heartbeat),
        election_timeout_min: millis(timing.election_min),
        election_timeout_max: millis(timing.election_max),
        // A snapshot is a stream of its own; this bounds how long its last part may take to be installed.
        install_snapshot_timeout: 60_000,
        // Snapshots and purges are triggered by us, see `supervise::maintain`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_pre_vote: Some(true),
        allow_log_reversion: Some(false),
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    config
        .validate()
        .map_err(|error| Error::Settings(error.to_string()))
}

#[cfg(test)]
#[path = "abuse_tests.rs"]
mod abuse_tests;
#[cfg(test)]
#[path = "process_tests.rs"]
mod process_tests;
#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
