//! The list of nodes: `1=host:raftport/grpcport,2=…`.

use std::{collections::BTreeSet, fmt};

/// Most nodes one cluster may have; five voters survive two failures, the rest are learners.
const PEERS_MAX: usize = 32;

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub id: u64,
    /// Name or IP address; an IPv6 address keeps its brackets.
    pub host: String,
    pub raft_port: u16,
    pub grpc_port: u16,
}

/// Why a list of nodes does not parse.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeersError {
    #[error("{0:?} is not of the form id=host:raftport/grpcport")]
    Form(String),
    #[error("node {0} is listed twice")]
    Duplicate(u64),
    #[error("more than {PEERS_MAX} nodes")]
    TooMany,
    #[error("this node ({0}) is not in the list")]
    SelfMissing(u64),
}

impl Peer {
    /// Where other nodes reach this one.
    pub(crate) fn raft_address(&self) -> String {
        format!("{}:{}", self.host, self.raft_port)
    }

    /// Where operators and edges reach this one.
    pub(crate) fn grpc_address(&self) -> String {
        format!("{}:{}", self.host, self.grpc_port)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={}:{}/{}",
            self.id, self.host, self.raft_port, self.grpc_port
        )
    }
}

/// Parses the list; the empty text is the empty list.
pub(super) fn parse(text: &str) -> Result<Vec<Peer>, PeersError> {
    let mut seen = BTreeSet::new();
    let mut peers = Vec::new();
    for item in text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let peer = parse_one(item).ok_or_else(|| PeersError::Form(item.to_owned()))?;
        if !seen.insert(peer.id) {
            return Err(PeersError::Duplicate(peer.id));
        }
        peers.push(peer);
    }
    if peers.len() > PEERS_MAX {
        return Err(PeersError::TooMany);
    }
    Ok(peers)
}

fn parse_one(item: &str) -> Option<Peer> {
    let (id, address) = item.split_once('=')?;
    let (host, ports) = address.rsplit_once(':')?;
    let (raft_port, grpc_port) = ports.split_once('/')?;
    let peer = Peer {
        id: id.trim().parse().ok().filter(|id| *id != 0)?,
        host: host.to_owned(),
        raft_port: raft_port.parse().ok().filter(|port| *port != 0)?,
        grpc_port: grpc_port.parse().ok().filter(|port| *port != 0)?,
    };
    let bare_v6 = peer.host.contains(':') && !peer.host.starts_with('[');
    (!peer.host.is_empty() && !bare_v6).then_some(peer)
}
