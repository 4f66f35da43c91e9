//! `edges` and `tags`.

use tidegate_proto::admin::v1::{
    GetEdgeRequest, ListEdgesRequest, ListTagsRequest, edge_service_client::EdgeServiceClient,
};

use crate::{
    args::{EdgesCommand, Global},
    connection,
    failure::Failure,
    output, render,
};

pub(super) async fn run(global: &Global, command: Option<EdgesCommand>) -> Result<(), Failure> {
    match command {
        None => list(global).await,
        Some(EdgesCommand::Describe { name }) => describe(global, name).await,
    }
}

pub(super) async fn list(global: &Global) -> Result<(), Failure> {
    let mut edges = EdgeServiceClient::new(connection::connect(global).await?);
    let listed = edges.list_edges(ListEdgesRequest {}).await?.into_inner();
    let rows = listed.edges.iter().map(render::edge).collect();
    output::list(global.output, render::EDGE_COLUMNS, rows)
}

pub(super) async fn describe(global: &Global, id: String) -> Result<(), Failure> {
    let mut edges = EdgeServiceClient::new(connection::connect(global).await?);
    let edge = edges.get_edge(GetEdgeRequest { id }).await?.into_inner();
    output::one(global.output, &render::edge(&edge))
}

pub(super) async fn tags(global: &Global) -> Result<(), Failure> {
    let mut edges = EdgeServiceClient::new(connection::connect(global).await?);
    let request = ListTagsRequest {
        environment: global.environment.clone(),
    };
    let listed = edges.list_tags(request).await?.into_inner();
    let rows = listed.tags.iter().map(render::tag).collect();
    output::list(global.output, render::TAG_COLUMNS, rows)
}
