//! `cluster status|members|transfer-leader`.

use tidegate_proto::admin::v1::{
    GetStatusRequest, TransferLeaderRequest, cluster_service_client::ClusterServiceClient,
};

use crate::{
    args::{ClusterCommand, Global},
    connection,
    failure::Failure,
    output, render,
};

pub(super) async fn run(global: &Global, command: ClusterCommand) -> Result<(), Failure> {
    let mut cluster = ClusterServiceClient::new(connection::connect(global).await?);
    match command {
        ClusterCommand::Status => {
            let status = cluster.get_status(GetStatusRequest {}).await?.into_inner();
            output::one(global.output, &render::cluster(&status))
        }
        ClusterCommand::Members => {
            let status = cluster.get_status(GetStatusRequest {}).await?.into_inner();
            let rows = status.members.iter().map(render::member).collect();
            output::list(global.output, render::MEMBER_COLUMNS, rows)
        }
        ClusterCommand::TransferLeader { to } => {
            cluster
                .transfer_leader(TransferLeaderRequest { to_node: to })
                .await?;
            Ok(())
        }
    }
}
