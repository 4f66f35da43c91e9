//! Peers that send nonsense, hang or fall silent: no node may end or wait for them.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use tidegate_proto::raft::v1::{
    ForwardRequest, SnapshotChunk, raft_service_client::RaftServiceClient,
};
use tidegate_state::{Reply, Txn, level, op::SetFeatureLevel};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, transport::Channel};

use super::tests::{Cluster, PATIENCE, put, write};
use crate::{
    Member, ProposeError,
    peers::Lane,
    propose,
    types::{SnapshotMeta, Vote, encode},
};

fn client(cluster: &Cluster, node: u64) -> RaftServiceClient<Channel> {
    let position = usize::try_from(node - 1).unwrap();
    let peers = &cluster.node(node).consensus.shared.peers;
    peers
        .client(Lane::Request, node, &cluster.members[position].raft_address)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_replicas_cannot_apply_never_enters_the_log() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let newer = level::SUPPORTED + 1;
    let raised = Txn {
        ops: vec![SetFeatureLevel { level: newer }.into()],
        ..put("raised")
    };
    let demanding = Txn {
        min_level: newer,
        ..put("demanding")
    };
    // Field 6, an operation, of kind 9999, without content.
    let unknown = Bytes::from_static(&[0x32, 0x04, 0xfa, 0xf0, 0x04, 0x00]);
    let too_large = vec![0; tidegate_state::TXN_BYTES_MAX + 1].into();
    let stamp = cluster.node(1).consensus.shared.peers.stamp();
    for txn in [
        raised.encode().into(),
        demanding.encode().into(),
        unknown,
        Bytes::from_static(b"nonsense"),
        too_large,
    ] {
        let request = ForwardRequest {
            stamp: stamp.clone(),
            txn,
            deadline_ms: 5_000,
        };
        let refused = client(&cluster, leader).forward(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    for node in cluster.running() {
        for txn in [&raised, &demanding] {
            let refused = node.consensus.propose(txn.clone(), PATIENCE).await;
            assert!(
                matches!(refused, Err(ProposeError::LevelTooNew { .. })),
                "{refused:?}"
            );
        }
        write(
            node,
            &format!("still-alive-{}", node.consensus.status().node_id),
        )
        .await;
    }
    cluster.check_equal().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hangs_costs_one_attempt_and_not_the_deadline() {
    let cluster = Cluster::start(1).await;
    let consensus = &cluster.node(1).consensus;
    // Takes connections and says nothing, like a process that is stopped.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let asked = AtomicU32::new(0);
    let status = || {
        let mut status = consensus.status();
        if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            let (raft_address, grpc_address) = (address.clone(), address.clone());
            status.members.push(Member {
                id: 2,
                raft_address,
                grpc_address,
            });
            status.leader_id = Some(2);
        }
        status
    };
    let (raft, peers) = (&consensus.shared.raft, &consensus.shared.peers);
    let txn = Txn {
        idempotency_key: "key".to_owned(),
        ..put("done")
    };
    let deadline = Instant::now() + PATIENCE;
    let begun = Instant::now();
    let reply = propose::until_done(raft, peers, status, &txn, deadline)
        .await
        .unwrap();
    assert!(
        matches!(
            reply,
            Reply::Done {
                duplicate: false,
                ..
            }
        ),
        "{reply:?}"
    );
    assert!(begun.elapsed() < PATIENCE / 3, "{:?}", begun.elapsed());
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_quorum_looks_for_another_before_the_deadline() {
    let mut cluster = Cluster::start(3).await;
    let survivor = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != survivor) {
        cluster.stop(id).await;
    }
    let consensus = &cluster.node(survivor).consensus;
    let looked = AtomicU32::new(0);
    let before = consensus.status();
    let status = || {
        looked.fetch_add(1, Ordering::Relaxed);
        before.clone()
    };
    let (raft, peers) = (&consensus.shared.raft, &consensus.shared.peers);
    let txn = Txn {
        idempotency_key: "key".to_owned(),
        ..put("lost")
    };
    let deadline = Instant::now() + Duration::from_secs(4);
    let outcome = propose::until_done(raft, peers, status, &txn, deadline).await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert!(looked.into_inner() >= 2, "one attempt took the whole time");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_snapshot_comes_in_at_a_time() {
    let cluster = Cluster::start(1).await;
    let header = encode(&(Vote::new(1, 1), SnapshotMeta::default())).unwrap();
    let first = SnapshotChunk {
        stamp: cluster.node(1).consensus.shared.peers.stamp(),
        header: header.into(),
        ..SnapshotChunk::default()
    };
    let begin = || {
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(first.clone()).unwrap();
        let mut client = client(&cluster, 1);
        let answer = async move { client.install_snapshot(ReceiverStream::new(receiver)).await };
        (sender, tokio::spawn(answer))
    };
    let incoming = &cluster.node(1).consensus.shared.incoming;
    let (holding, held) = begin();
    timeout(PATIENCE, async {
        while incoming.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();

    let (_second, refused) = begin();
    assert_eq!(
        refused.await.unwrap().unwrap_err().code(),
        Code::Unavailable
    );

    // A stream that ends early is refused and makes room.
    drop(holding);
    assert_eq!(held.await.unwrap().unwrap_err().code(), Code::DataLoss);
    assert_eq!(incoming.available_permits(), 1);
    write(cluster.node(1), "still-alive").await;
    cluster.finish().await;
}
