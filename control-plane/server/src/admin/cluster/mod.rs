//! The control-plane cluster itself: members, leader, moving leadership.

use std::collections::BTreeSet;

use tidegate_proto::admin::v1::{
    ClusterStatus, GetStatusRequest, Member, TransferLeaderRequest, TransferLeaderResponse,
    cluster_service_server,
};
use tidegate_state::{StateReader, query};
use tokio::time::timeout_at;
use tonic::{Request, Response, Status};

use super::{Call, Fault, Store};

/// Serves `tidegate.admin.v1.ClusterService`.
#[derive(Debug)]
pub(crate) struct ClusterService {
    store: Store,
}

impl ClusterService {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl cluster_service_server::ClusterService for ClusterService {
    /// Answers from this node alone: it must say something when the cluster has no leader, too.
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<ClusterStatus>, Status> {
        let call = Call::of(&request)?;
        let work = |state: &dyn StateReader| Ok(query::cluster(state)?);
        let cluster = self.store.read_local(&call, work).await?;
        let cluster = cluster.map(|cluster| cluster.value).unwrap_or_default();
        let status = self.store.consensus().status();
        let voters: BTreeSet<u64> = status.voters.iter().copied().collect();
        let members = status
            .members
            .iter()
            .map(|member| Member {
                id: member.id,
                raft_address: member.raft_address.clone(),
                grpc_address: member.grpc_address.clone(),
                role: if voters.contains(&member.id) {
                    "voter"
                } else {
                    "learner"
                }
                .to_owned(),
                leader: status.leader_id == Some(member.id),
                matched_index: status.matched.get(&member.id).copied().unwrap_or_default(),
            })
            .collect();
        Ok(Response::new(ClusterStatus {
            cluster_id: cluster.cluster_id,
            epoch: cluster.epoch,
            revision: status.applied,
            leader_id: status.leader_id.unwrap_or_default(),
            term: status.term,
            node_id: status.node_id,
            members,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let call = Call::of(&request)?;
        let consensus = self.store.consensus();
        let status = consensus.status();
        let to = match request.into_inner().to_node {
            0 => status.node_id,
            node => node,
        };
        if !status.members.iter().any(|member| member.id == to) {
            return Err(Fault::not_found("node", &to.to_string()).into());
        }
        timeout_at(call.deadline.at(), consensus.transfer_leader(Some(to)))
            .await
            .map_err(|_elapsed| Fault::Deadline)?
            .map_err(|error| Fault::refused("TRANSFER_FAILED", error.to_string()))?;
        Ok(Response::new(TransferLeaderResponse {}))
    }
}
