//! Whole nodes, several in one process, that talk over real sockets and mutual TLS.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tidegate_proto::raft::v1::{ClusterStamp, Envelope};
use tidegate_state::{Reply, Txn, op::PutEnvironment, query};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::sleep};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

use super::{Consensus, Options};
use crate::{AppliedBatch, Member, PeerTls, Timing, peers::Lane, types::PeerNode};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `condition` gives a value.
async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {what}"
        );
        sleep(Duration::from_millis(10)).await;
    }
}

pub(super) fn certificates() -> PeerTls {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let node = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert_pem = node
        .signed_by(&key, &Issuer::new(ca, ca_key))
        .unwrap()
        .pem();
    PeerTls {
        ca_pem,
        cert_pem,
        key_pem: key.serialize_pem(),
    }
}

/// A node with its raft port.
pub(super) struct Node {
    pub(super) consensus: Consensus,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Node {
    pub(super) async fn start(
        id: u64,
        directory: &Path,
        tls: &PeerTls,
        listener: TcpListener,
    ) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let options = Options {
            node_id: id,
            cluster_id: "test".to_owned(),
            data_dir: directory.join(id.to_string()),
            raft_address: address.clone(),
            grpc_address: address,
            tls: tls.clone(),
            timing: Timing::dev(),
            peers: Vec::new(),
        };
        let consensus = Self::open(&options).await;
        let server_tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&tls.cert_pem, &tls.key_pem))
            .client_ca_root(Certificate::from_pem(&tls.ca_pem));
        let router = Server::builder()
            .tls_config(server_tls)
            .unwrap()
            .add_service(consensus.raft_service());
        let (stop, stopping) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let stopping = async { stopping.await.unwrap_or(()) };
            let incoming = TcpListenerStream::new(listener);
            router
                .serve_with_incoming_shutdown(incoming, stopping)
                .await
                .unwrap();
        });
        Self {
            consensus,
            stop,
            served,
        }
    }

    /// A node that was just stopped in this process lets go of its files a little later.
    async fn open(options: &Options) -> Consensus {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match Consensus::open(options.clone()).await {
                Ok(consensus) => return consensus,
                Err(error) if tokio::time::Instant::now() > deadline => panic!("{error:?}"),
                Err(_locked) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(super) async fn stop(self) {
        self.consensus.shutdown().await;
        let _ = self.stop.send(());
        self.served.abort();
    }

    async fn snapshot_and_purge(&self) {
        let raft = &self.consensus.shared.raft;
        let applied = self.consensus.status().applied;
        raft.trigger().snapshot().await.unwrap();
        let index = |log_id: &Option<crate::types::LogId>| log_id.map(|log_id| log_id.index);
        let metrics = raft.metrics();
        until("a snapshot", || {
            (index(&metrics.borrow_watched().snapshot) >= Some(applied)).then_some(())
        })
        .await;
        raft.trigger().purge_log(applied).await.unwrap();
        until("a purge", || {
            (index(&metrics.borrow_watched().purged) >= Some(applied)).then_some(())
        })
        .await;
    }

    pub(super) fn has(&self, environment: &str) -> bool {
        query::environment(&self.consensus.state(), environment)
            .unwrap()
            .is_some()
    }
}

/// Nodes 1 to n of one cluster.
pub(super) struct Cluster {
    directory: TempDir,
    tls: PeerTls,
    pub(super) members: Vec<Member>,
    nodes: Vec<Option<Node>>,
}

impl Cluster {
    pub(super) async fn start(size: u64) -> Self {
        let mut cluster = Self {
            directory: TempDir::new().unwrap(),
            tls: certificates(),
            members: Vec::new(),
            nodes: Vec::new(),
        };
        for id in 1..=size {
            cluster.add(id).await;
        }
        let members = cluster.members.clone();
        cluster
            .node(1)
            .consensus
            .bootstrap(members.clone())
            .await
            .unwrap();
        cluster.node(1).consensus.bootstrap(members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    /// Starts an empty node under a new id; it is no member yet.
    async fn add(&mut self, id: u64) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let node = Node::start(id, self.directory.path(), &self.tls, listener).await;
        self.members.push(Member {
            id,
            raft_address: address.clone(),
            grpc_address: address,
        });
        self.nodes.push(Some(node));
    }

    pub(super) fn node(&self, id: u64) -> &Node {
        let position = usize::try_from(id - 1).unwrap();
        self.nodes[position].as_ref().unwrap()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    pub(super) async fn stop(&mut self, id: u64) {
        self.nodes[usize::try_from(id - 1).unwrap()]
            .take()
            .unwrap()
            .stop()
            .await;
    }

    async fn restart(&mut self, id: u64) {
        let position = usize::try_from(id - 1).unwrap();
        let listener = TcpListener::bind(&self.members[position].raft_address)
            .await
            .unwrap();
        let node = Node::start(id, self.directory.path(), &self.tls, listener).await;
        self.nodes[position] = Some(node);
    }

    /// Stops every node. A runtime that is dropped around a running node looks to its supervisor like the death of
    /// consensus, which ends the process.
    pub(super) async fn finish(mut self) {
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            node.stop().await;
        }
    }

    /// The leader all running nodes agree on.
    pub(super) async fn leader(&self) -> u64 {
        until("a leader", || {
            let seen: BTreeSet<_> = self
                .running()
                .map(|node| node.consensus.status().leader_id)
                .collect();
            let leader = *seen.first()?;
            let is_running = self.running().any(|node| node.consensus.status().is_leader);
            if seen.len() == 1 && is_running {
                leader
            } else {
                None
            }
        })
        .await
    }

    /// The node that says it leads, while others may be no members yet.
    async fn member_leader(&self) -> u64 {
        until("a leader", || {
            let mut statuses = self.running().map(|node| node.consensus.status());
            statuses
                .find(|status| status.is_leader)
                .map(|status| status.node_id)
        })
        .await
    }

    async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.running()
            .map(|node| node.consensus.status().node_id)
            .find(|id| *id != leader)
            .unwrap()
    }

    /// Waits until all running nodes have applied the same, and demands equal content.
    pub(super) async fn check_equal(&self) {
        until("all nodes at the same index", || {
            let applied: BTreeSet<_> = self
                .running()
                .map(|node| node.consensus.status().applied)
                .collect();
            (applied.len() == 1).then_some(())
        })
        .await;
        let digests: BTreeSet<_> = self
            .running()
            .map(|node| node.consensus.state().digest().unwrap())
            .collect();
        assert_eq!(digests.len(), 1, "nodes diverged");
    }
}

pub(super) fn put(environment: &str) -> Txn {
    let op = PutEnvironment {
        id: environment.to_owned(),
        api_key_pepper: Bytes::from_static(&[7; 32]),
    };
    Txn {
        actor: "test".to_owned(),
        time_ms: 1_700_000_000_000,
        ops: vec![op.into()],
        ..Txn::default()
    }
}

pub(super) async fn write(node: &Node, environment: &str) -> u64 {
    match node
        .consensus
        .propose(put(environment), PATIENCE)
        .await
        .unwrap()
    {
        Reply::Done { revision, .. } => revision,
        other => panic!("{environment}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_takes_writes_and_reads_what_was_acknowledged_elsewhere() {
    let cluster = Cluster::start(3).await;
    for writer in 1..=3 {
        let environment = format!("env-{writer}");
        let revision = write(cluster.node(writer), &environment).await;
        for reader in cluster.running() {
            let index = reader.consensus.read_index(PATIENCE).await.unwrap();
            assert!(index >= revision, "{index} is older than {revision}");
            assert!(reader.has(&environment), "stale read");
        }
    }
    cluster.check_equal().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_and_reads_leave_equal_nodes() {
    let cluster = Arc::new(Cluster::start(3).await);
    let writers = (0..60_u64).map(|number| {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move {
            let node = cluster.node(number % 3 + 1);
            let revision = write(node, &format!("env-{number}")).await;
            assert!(node.consensus.read_index(PATIENCE).await.unwrap() >= revision);
            revision
        })
    });
    let mut revisions = BTreeSet::new();
    for writer in writers.collect::<Vec<_>>() {
        revisions.insert(writer.await.unwrap());
    }
    assert_eq!(revisions.len(), 60, "two writes had one revision");
    cluster.check_equal().await;
    Arc::into_inner(cluster).unwrap().finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_transaction_happens_once() {
    let cluster = Cluster::start(3).await;
    let txn = Txn {
        idempotency_key: "key".to_owned(),
        ..put("once")
    };
    let first = cluster
        .node(1)
        .consensus
        .propose(txn.clone(), PATIENCE)
        .await
        .unwrap();
    let Reply::Done {
        revision,
        duplicate: false,
        ..
    } = first
    else {
        panic!("{first:?}")
    };
    for node in cluster.running() {
        let again = node.consensus.propose(txn.clone(), PATIENCE).await.unwrap();
        assert_eq!(
            again,
            Reply::Done {
                revision,
                numbers: Vec::new(),
                duplicate: true
            }
        );
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_log_order_on_every_node() {
    let cluster = Cluster::start(3).await;
    let mut followers: Vec<_> = cluster
        .running()
        .map(|node| node.consensus.events())
        .collect();
    let mut revisions = Vec::new();
    for number in 0..10 {
        revisions.push(write(cluster.node(number % 3 + 1), &format!("env-{number}")).await);
    }
    for events in &mut followers {
        let mut seen = Vec::new();
        while seen.len() < revisions.len() {
            let batch: Arc<AppliedBatch> = tokio::time::timeout(PATIENCE, events.recv())
                .await
                .unwrap()
                .unwrap();
            assert!(!batch.reset);
            seen.extend(batch.events.iter().map(|event| event.revision));
        }
        assert_eq!(seen, revisions);
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_resume_when_the_leader_stops_and_it_catches_up_later() {
    let mut cluster = Cluster::start(3).await;
    write(cluster.node(1), "before").await;
    let old = cluster.leader().await;
    cluster.stop(old).await;

    let survivor = cluster.running().next().unwrap();
    write(survivor, "after").await;
    survivor.consensus.read_index(PATIENCE).await.unwrap();
    assert!(survivor.has("before") && survivor.has("after"));
    assert_ne!(cluster.leader().await, old);

    cluster.restart(old).await;
    cluster
        .node(old)
        .consensus
        .read_index(PATIENCE)
        .await
        .unwrap();
    assert!(cluster.node(old).has("before") && cluster.node(old).has("after"));
    cluster.check_equal().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_acknowledged() {
    let mut cluster = Cluster::start(3).await;
    let survivor = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != survivor) {
        cluster.stop(id).await;
    }
    let node = cluster.node(survivor);
    let patience = Duration::from_secs(3);
    assert!(node.consensus.propose(put("lost"), patience).await.is_err());
    assert!(node.consensus.read_index(patience).await.is_err());
    assert!(!node.has("lost"));
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_catches_up_from_a_snapshot() {
    let mut cluster = Cluster::start(3).await;
    write(cluster.node(1), "before").await;
    let away = cluster.follower().await;
    cluster.stop(away).await;
    let leader = cluster.leader().await;
    for number in 0..20 {
        write(cluster.node(leader), &format!("meanwhile-{number}")).await;
    }
    for node in cluster.running() {
        node.consensus.read_index(PATIENCE).await.unwrap();
        node.snapshot_and_purge().await;
    }

    cluster.restart(away).await;
    let node = cluster.node(away);
    node.consensus.read_index(PATIENCE).await.unwrap();
    assert!(node.has("before") && node.has("meanwhile-19"));
    assert!(node.consensus.shared.snapshots.current().unwrap().is_some());
    write(node, "afterwards").await;
    cluster.check_equal().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_returns_under_a_new_id_from_a_snapshot() {
    let mut cluster = Cluster::start(3).await;
    write(cluster.node(1), "before").await;
    let wiped = cluster.follower().await;
    cluster.stop(wiped).await;
    for node in cluster.running() {
        node.consensus.read_index(PATIENCE).await.unwrap();
        node.snapshot_and_purge().await;
    }

    cluster.add(4).await;
    let mut events = cluster.node(4).consensus.events();
    let Member {
        raft_address,
        grpc_address,
        ..
    } = cluster.members[3].clone();
    let leader = cluster.member_leader().await;
    let raft = &cluster.node(leader).consensus.shared.raft;
    raft.add_learner(
        4,
        PeerNode {
            raft_address,
            grpc_address,
        },
        true,
    )
    .await
    .unwrap();
    let voters: BTreeSet<u64> = (1..=4).filter(|id| *id != wiped).collect();
    raft.change_membership(voters.clone(), false).await.unwrap();

    let batch = tokio::time::timeout(PATIENCE, events.recv())
        .await
        .unwrap()
        .unwrap();
    assert!(batch.reset, "the installation is announced: {batch:?}");
    let new = cluster.node(4);
    write(new, "after").await;
    new.consensus.read_index(PATIENCE).await.unwrap();
    assert!(new.has("before") && new.has("after"));
    assert_eq!(new.consensus.status().voters, voters);
    cluster.check_equal().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_on_request_from_any_node() {
    let cluster = Cluster::start(3).await;
    for asked in 1..=3 {
        let to = cluster.follower().await;
        cluster
            .node(asked)
            .consensus
            .transfer_leader(Some(to))
            .await
            .unwrap();
        assert_eq!(cluster.leader().await, to);
    }
    assert!(
        cluster
            .node(1)
            .consensus
            .transfer_leader(Some(9))
            .await
            .is_err()
    );
    write(cluster.node(1), "still-writable").await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_another_cluster_is_refused() {
    let cluster = Cluster::start(1).await;
    let peers = &cluster.node(1).consensus.shared.peers;
    let mut client = peers
        .client(Lane::Request, 1, &cluster.members[0].raft_address)
        .unwrap();
    let stamp = ClusterStamp {
        cluster_id: "other".to_owned(),
        from_node: 2,
    };
    let foreign = Envelope {
        stamp: Some(stamp),
        payload: Bytes::from_static(b"anything"),
    };
    for refused in [
        client.vote(foreign.clone()).await,
        client.pre_vote(foreign.clone()).await,
        client.append(foreign).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let unstamped = client.append(Envelope::default()).await;
    assert_eq!(unstamped.unwrap_err().code(), Code::InvalidArgument);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_a_certificate_of_the_cluster_is_refused() {
    let cluster = Cluster::start(1).await;
    let stranger = certificates();
    let tls = tonic::transport::ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&cluster.tls.ca_pem))
        .identity(Identity::from_pem(&stranger.cert_pem, &stranger.key_pem));
    let address = format!("https://{}", cluster.members[0].raft_address);
    let channel = tonic::transport::Endpoint::from_shared(address)
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect_lazy();
    let mut client = tidegate_proto::raft::v1::raft_service_client::RaftServiceClient::new(channel);
    assert!(client.append(Envelope::default()).await.is_err());
    cluster.finish().await;
}
