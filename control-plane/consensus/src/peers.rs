//! Connections to the other nodes: a channel per kind of traffic, opened when first used, kept alive.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tidegate_proto::raft::v1::{ClusterStamp, raft_service_client::RaftServiceClient};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::{
    error::Error,
    options::{Options, PeerTls},
};

/// Largest message between nodes: one transaction of the largest size and its envelope.
pub(crate) const MESSAGE_BYTES_MAX: usize = tidegate_state::TXN_BYTES_MAX + (1 << 20);
/// Time to open a connection to a node of the same cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Kinds of traffic that must not wait for each other; each has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Log entries, votes.
    Log,
    /// Proof of life; late ones cost the leader its lease.
    Heartbeat,
    /// Raft snapshots, which take minutes.
    Snapshot,
    /// What clients of this node ask of the leader.
    Request,
}

/// The other nodes, by address.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cluster_id: String,
    node_id: u64,
    tls: ClientTlsConfig,
    /// Addresses given at start, which win over those in the membership.
    given: HashMap<u64, String>,
    channels: Mutex<HashMap<(Lane, String), Channel>>,
}

impl Peers {
    pub(crate) fn new(options: &Options) -> Self {
        let given = options
            .peers
            .iter()
            .map(|peer| (peer.id, peer.raft_address.clone()));
        Self {
            shared: Arc::new(Shared {
                cluster_id: options.cluster_id.clone(),
                node_id: options.node_id,
                tls: client_tls(&options.tls),
                given: given.collect(),
                channels: Mutex::default(),
            }),
        }
    }

    /// Marks a message as coming from this node of this cluster.
    pub(crate) fn stamp(&self) -> Option<ClusterStamp> {
        Some(ClusterStamp {
            cluster_id: self.shared.cluster_id.clone(),
            from_node: self.shared.node_id,
        })
    }

    /// The cluster this node belongs to.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.shared.cluster_id
    }

    /// A client of a node; connecting happens when it is used.
    pub(crate) fn client(
        &self,
        lane: Lane,
        node: u64,
        address: &str,
    ) -> Result<RaftServiceClient<Channel>, Error> {
        let address = self.shared.given.get(&node).map_or(address, String::as_str);
        let mut channels = self.shared.channels.lock();
        let channel = match channels.entry((lane, address.to_owned())) {
            Entry::Occupied(open) => open.get().clone(),
            Entry::Vacant(vacant) => vacant.insert(self.open(address)?).clone(),
        };
        Ok(RaftServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    fn open(&self, address: &str) -> Result<Channel, Error> {
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(self.shared.tls.clone()))
            .map_err(|error| Error::Tls(format!("{address}: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(3))
            .keep_alive_while_idle(true);
        Ok(endpoint.connect_lazy())
    }
}

fn client_tls(tls: &PeerTls) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&tls.ca_pem))
        .identity(Identity::from_pem(&tls.cert_pem, &tls.key_pem))
}
