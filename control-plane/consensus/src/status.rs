//! What a node knows about itself and the cluster.

use std::collections::{BTreeMap, BTreeSet};

use openraft::RaftMetrics;

use crate::{
    options::Member,
    types::{TypeConfig, voters},
};

/// One moment of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node_id: u64,
    /// The leader it knows of.
    pub leader_id: Option<u64>,
    /// Current term.
    pub term: u64,
    /// True if this node leads, as far as it knows.
    pub is_leader: bool,
    /// Index of the newest log entry.
    pub last_log: u64,
    /// Index up to which entries are committed.
    pub committed: u64,
    /// Index up to which entries are applied and readable.
    pub applied: u64,
    /// All members; voters and learners.
    pub members: Vec<Member>,
    /// Ids of the voters among them.
    pub voters: BTreeSet<u64>,
    /// Index known to be replicated to each node; known on the leader only.
    pub matched: BTreeMap<u64, u64>,
}

impl Status {
    /// Condenses what openraft says; `applied` is what readers can see already.
    pub(crate) fn of(metrics: &RaftMetrics<TypeConfig>, applied: u64) -> Self {
        let membership = metrics.membership_config.membership();
        let members = membership.nodes().map(|(id, node)| Member {
            id: *id,
            raft_address: node.raft_address.clone(),
            grpc_address: node.grpc_address.clone(),
        });
        let matched = metrics.replication.iter().flatten();
        let matched = matched.filter_map(|(id, log_id)| Some((*id, log_id.as_ref()?.index)));
        Self {
            node_id: metrics.id,
            leader_id: metrics.current_leader,
            term: metrics.current_term,
            is_leader: metrics.state.is_leader(),
            last_log: metrics.last_log_index.unwrap_or_default(),
            committed: metrics
                .local_committed
                .as_ref()
                .map_or(0, |log_id| log_id.index),
            applied,
            members: members.collect(),
            voters: voters(&metrics.membership_config),
            matched: matched.collect(),
        }
    }
}
