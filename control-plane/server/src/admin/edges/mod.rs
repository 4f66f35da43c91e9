//! Edge gateways as the whole cluster sees them, and where sharding tags are used.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tidegate_proto::{
    admin::v1::{
        Edge, GetEdgeRequest, ListEdgesRequest, ListEdgesResponse, ListTagsRequest,
        ListTagsResponse, ObjectRefusal, TagUse, edge_service_server,
    },
    raft::v1::PeerEdge,
};
use tidegate_state::{StateReader, query};
use tokio::time::timeout_at;
use tonic::{Request, Response, Status};

use super::{Call, Fault, Store, environment, lookup};
use crate::edges::EdgeDirectory;

/// APIs read at once while counting tags.
const PAGE: usize = 200;

/// Serves `tidegate.admin.v1.EdgeService`.
#[derive(Debug)]
pub(crate) struct EdgeService {
    store: Store,
    edges: Arc<EdgeDirectory>,
}

impl EdgeService {
    pub(crate) fn new(store: Store, edges: Arc<EdgeDirectory>) -> Self {
        Self { store, edges }
    }

    async fn list(&self, call: &Call) -> Result<Vec<(u64, PeerEdge)>, Fault> {
        let mut edges = timeout_at(call.deadline.at(), self.edges.list())
            .await
            .map_err(|_elapsed| Fault::Deadline)?;
        edges.sort_by(|(_, a), (_, b)| a.edge_id.cmp(&b.edge_id));
        Ok(edges)
    }
}

#[tonic::async_trait]
impl edge_service_server::EdgeService for EdgeService {
    async fn list_edges(
        &self,
        request: Request<ListEdgesRequest>,
    ) -> Result<Response<ListEdgesResponse>, Status> {
        let call = Call::of(&request)?;
        let edges = self.list(&call).await?.into_iter().map(render).collect();
        Ok(Response::new(ListEdgesResponse { edges }))
    }

    async fn get_edge(&self, request: Request<GetEdgeRequest>) -> Result<Response<Edge>, Status> {
        let call = Call::of(&request)?;
        let id = request.into_inner().id;
        let found = self
            .list(&call)
            .await?
            .into_iter()
            .find(|(_, edge)| edge.edge_id == id);
        let found = found.ok_or_else(|| Fault::not_found("edge", &id))?;
        Ok(Response::new(render(found)))
    }

    async fn list_tags(
        &self,
        request: Request<ListTagsRequest>,
    ) -> Result<Response<ListTagsResponse>, Status> {
        let call = Call::of(&request)?;
        let environment = environment(&request.into_inner().environment)?;
        let edges = self.list(&call).await?;
        let target = environment.clone();
        let work = move |state: &dyn StateReader| count(state, &target);
        let mut uses = self.store.read(&call, work).await?;
        for (_, edge) in edges
            .iter()
            .filter(|(_, edge)| edge.environment == environment)
        {
            for tag in &edge.tags {
                let tag = tag.trim_start_matches('!');
                entry(&mut uses, tag).edges += 1;
            }
        }
        Ok(Response::new(ListTagsResponse {
            tags: uses.into_values().collect(),
        }))
    }
}

fn count(state: &dyn StateReader, environment: &str) -> Result<BTreeMap<String, TagUse>, Fault> {
    let mut uses = BTreeMap::new();
    let mut after = None;
    loop {
        let page = query::apis(state, environment, after.as_deref(), PAGE)?;
        for api in &page.items {
            for tag in &api.value.tags {
                entry(&mut uses, tag).apis += 1;
            }
            let document = lookup::document(&api.value)?;
            for tag in plan_tags(&document) {
                entry(&mut uses, tag).plans += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(uses),
        }
    }
}

fn entry<'a>(uses: &'a mut BTreeMap<String, TagUse>, tag: &str) -> &'a mut TagUse {
    uses.entry(tag.to_owned()).or_insert_with(|| TagUse {
        tag: tag.to_owned(),
        ..TagUse::default()
    })
}

fn plan_tags(document: &Value) -> impl Iterator<Item = &str> {
    let plans = document
        .get("plans")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    plans
        .filter_map(|plan| plan.get("tags").and_then(Value::as_array))
        .flatten()
        .filter_map(Value::as_str)
}

fn render((node_id, edge): (u64, PeerEdge)) -> Edge {
    let refusals = edge.nacks.into_iter().map(|nack| ObjectRefusal {
        kind: nack.kind,
        id: nack.id,
        code: nack.code,
        path: nack.path,
        message: nack.message,
    });
    Edge {
        refusals: refusals.collect(),
        id: edge.edge_id,
        region: edge.region,
        tags: edge.tags,
        version: edge.version,
        connected: edge.connected,
        revision: edge.active_revision,
        lag: edge.published_revision.saturating_sub(edge.active_revision),
        last_refusal: edge.last_refusal,
        last_seen_ms: edge.last_seen_ms,
        connected_since_ms: edge.connected_since_ms,
        node_id,
        environment: edge.environment,
        addresses: edge.addresses,
        alarms: edge.alarms,
    }
}
