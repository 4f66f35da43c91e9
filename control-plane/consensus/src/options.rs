//! Settings of one node.

use std::{path::PathBuf, time::Duration};

/// A member of the cluster, as others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Node id, never reused.
    pub id: u64,
    /// `host:port` of the raft port.
    pub raft_address: String,
    /// `host:port` of the operator API.
    pub grpc_address: String,
}

/// Certificates a node shows to its peers, and the CA it demands of them; PEM.
#[derive(Clone)]
pub struct PeerTls {
    /// Certificate of the cluster's CA.
    pub ca_pem: String,
    /// Certificate chain of this node.
    pub cert_pem: String,
    /// Private key of this node.
    pub key_pem: String,
}

impl std::fmt::Debug for PeerTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PeerTls").finish_non_exhaustive()
    }
}

/// How patient a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Interval between heartbeats of a leader.
    pub heartbeat: Duration,
    /// Shortest silence after which a node stands for election.
    pub election_min: Duration,
    /// Longest such silence; also how long a leader's lease lasts.
    pub election_max: Duration,
}

impl Timing {
    /// For nodes of one region on disks of their own.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(1_000),
            election_max: Duration::from_millis(2_000),
        }
    }

    /// For nodes that share one machine: fails over sooner, survives a slow fsync.
    #[must_use]
    pub const fn dev() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(500),
            election_max: Duration::from_millis(1_000),
        }
    }
}

/// Settings of one node.
#[derive(Debug, Clone)]
pub struct Options {
    /// Id of this node in the cluster.
    pub node_id: u64,
    /// Names the cluster; messages of another one are refused.
    pub cluster_id: String,
    /// Directory that holds `log/`, `state/` and `snapshots/`.
    pub data_dir: PathBuf,
    /// `host:port` under which peers reach this node.
    pub raft_address: String,
    /// `host:port` under which clients reach this node.
    pub grpc_address: String,
    /// Certificates for the raft port.
    pub tls: PeerTls,
    /// How patient the node is.
    pub timing: Timing,
    /// Addresses that win over those stored in the membership, so that a cluster can restart elsewhere.
    pub peers: Vec<Member>,
}
