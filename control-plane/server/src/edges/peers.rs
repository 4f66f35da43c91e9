//! Asks the other nodes for their edges, and answers them, on the port between nodes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use tidegate_consensus::Consensus;
use tidegate_proto::raft::v1::{
    ClusterStamp, ListPeerEdgesReply, ListPeerEdgesRequest, PeerEdge,
    peer_service_client::PeerServiceClient,
    peer_service_server::{PeerService, PeerServiceServer},
};
use tonic::{
    Request, Response, Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::EdgeDirectory;

/// A peer that does not answer within this time is left out of a listing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer of one peer: 50,000 edges of about half a kilobyte.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Peers asked at the same time.
const ASKED_AT_ONCE: usize = 8;

/// The other nodes of the cluster.
pub(crate) struct Peers {
    consensus: Consensus,
    stamp: ClusterStamp,
    tls: ClientTlsConfig,
    channels: Mutex<BTreeMap<String, Channel>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Peers")
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

impl Peers {
    /// Reaches peers at the addresses of the membership, with the client side of `tls`.
    pub(crate) fn new(
        consensus: Consensus,
        cluster_id: String,
        node_id: u64,
        tls: ClientTlsConfig,
    ) -> Self {
        let stamp = ClusterStamp {
            cluster_id,
            from_node: node_id,
        };
        Self {
            consensus,
            stamp,
            tls,
            channels: Mutex::default(),
        }
    }

    /// Edges of every peer that answers in time.
    pub(super) async fn list_edges(&self) -> Vec<(u64, PeerEdge)> {
        let status = self.consensus.status();
        let asked = status
            .members
            .into_iter()
            .filter(|member| member.id != self.stamp.from_node)
            .map(|member| self.edges_of(member.id, member.raft_address));
        let answers: Vec<_> = stream::iter(asked)
            .buffer_unordered(ASKED_AT_ONCE)
            .collect()
            .await;
        answers.into_iter().flatten().collect()
    }

    async fn edges_of(&self, node: u64, address: String) -> Vec<(u64, PeerEdge)> {
        let answer = async {
            let channel = self.channel(&address)?;
            let mut client =
                PeerServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
            let mut request = Request::new(ListPeerEdgesRequest {
                stamp: Some(self.stamp.clone()),
            });
            request.set_timeout(ANSWER_TIMEOUT);
            client.list_edges(request).await
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(reply)) => reply
                .into_inner()
                .edges
                .into_iter()
                .map(|edge| (node, edge))
                .collect(),
            Ok(Err(error)) => {
                tracing::debug!(node, %error, "peer does not list its edges");
                Vec::new()
            }
            Err(_elapsed) => Vec::new(),
        }
    }

    fn channel(&self, address: &str) -> Result<Channel, Status> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(self.tls.clone()))
            .map_err(|error| Status::internal(error.to_string()))?
            .connect_timeout(ANSWER_TIMEOUT)
            .tcp_nodelay(true)
            .connect_lazy();
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// Answers peers with the edges of this node.
#[derive(Debug, Clone)]
pub(crate) struct PeerEndpoint {
    directory: Arc<EdgeDirectory>,
}

/// The service to mount on the port between nodes.
pub(crate) fn peer_service(directory: Arc<EdgeDirectory>) -> PeerServiceServer<PeerEndpoint> {
    PeerServiceServer::new(PeerEndpoint { directory }).max_encoding_message_size(ANSWER_BYTES_MAX)
}

#[tonic::async_trait]
impl PeerService for PeerEndpoint {
    async fn list_edges(
        &self,
        request: Request<ListPeerEdgesRequest>,
    ) -> Result<Response<ListPeerEdgesReply>, Status> {
        let own = &self.directory.peers.stamp.cluster_id;
        let theirs = request.into_inner().stamp.map(|stamp| stamp.cluster_id);
        if theirs.as_ref() != Some(own) {
            return Err(Status::permission_denied(
                "the caller belongs to another cluster",
            ));
        }
        Ok(Response::new(ListPeerEdgesReply {
            edges: self.directory.local(),
        }))
    }
}
