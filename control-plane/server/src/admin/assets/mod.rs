//! Assets: what the APIs of an environment share. This file maps calls to decisions and reads; the rules are in the
//! files beside it.

mod apply;
mod deploy;
mod groups;
mod render;

use std::sync::Arc;

use prost::Message as _;
use serde_json::Value;
use tidegate_model::{
    Asset as AssetDefinition, AssetKind,
    document::{self, ExportFacts, Spelling},
};
use tidegate_proto::admin::v1::{
    self as proto, Asset, DeleteAssetRequest, DeleteAssetResponse, DeployAssetRequest, Deployment,
    ExportApiResponse, ExportAssetRequest, GetAssetRequest, ListAssetDeploymentsRequest,
    ListAssetsRequest, ListAssetsResponse, ListDeploymentsResponse, UndeployAssetRequest,
    asset_service_server,
};
use tidegate_state::{
    AssetKind as StoredKind, AssetRecord, Resource, StateReader,
    op::{DeleteAsset, WithdrawAsset},
    query,
};
use tonic::{Request, Response, Status};

pub(crate) use self::{
    apply::{Request as ApplyAssets, apply, outcome},
    deploy::{check_proxy, check_transformation},
    groups::{Groups, NewGroup, References},
    render::fetched,
};
use super::{
    Call, Committed, Decision, Fault, Intent, Page, Store, apis::Remarks, environment, lookup,
    reach,
};
use crate::edges::EdgeDirectory;

/// Serves `tidegate.admin.v1.AssetService`.
#[derive(Debug)]
pub(crate) struct AssetService {
    store: Store,
    edges: Arc<EdgeDirectory>,
}

/// The asset a request names.
#[derive(Debug, Clone)]
struct Named {
    environment: String,
    kind: AssetKind,
    name: String,
}

impl Named {
    fn parse(environment_id: &str, kind: proto::AssetKind, name: &str) -> Result<Self, Fault> {
        Ok(Self {
            environment: environment(environment_id)?,
            kind: kind_of(kind)?,
            name: name.to_owned(),
        })
    }

    fn find(&self, state: &dyn StateReader) -> Result<Resource<AssetRecord>, Fault> {
        lookup::asset(state, &self.environment, self.kind, &self.name)
    }
}

impl AssetService {
    pub(crate) fn new(store: Store, edges: Arc<EdgeDirectory>) -> Self {
        Self { store, edges }
    }

    async fn answer(
        &self,
        call: &Call,
        committed: &Committed,
        named: Named,
    ) -> Result<Response<Asset>, Status> {
        let work = move |state: &dyn StateReader| {
            render::asset(state, &named.environment, named.kind, &named.find(state)?)
        };
        Ok(Response::new(
            self.store.read_after(call, committed, work).await?,
        ))
    }

    /// Gives the edges a moment, so that who deploys and calls at once meets the change.
    async fn reach(&self, named: &Named, committed: &Committed) {
        let (environment, revision) = (named.environment.as_str(), committed.revision);
        reach::all_edges(&self.edges, environment, revision).await;
    }
}

#[tonic::async_trait]
impl asset_service_server::AssetService for AssetService {
    async fn get_asset(
        &self,
        request: Request<GetAssetRequest>,
    ) -> Result<Response<Asset>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let work = move |state: &dyn StateReader| {
            render::asset(state, &named.environment, named.kind, &named.find(state)?)
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn list_assets(
        &self,
        request: Request<ListAssetsRequest>,
    ) -> Result<Response<ListAssetsResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let kind = kind_of(body.kind())?;
        let list = ["assets", &environment, kind.as_str()];
        let page = Page::parse(body.page_size, &body.page_token, &list)?;
        let work = move |state: &dyn StateReader| {
            let (after, stored) = (page.after_id()?, stored_kind(kind));
            let after = after.as_deref();
            let found = query::assets(state, &environment, stored, after, page.size)?;
            let assets = found.items.iter();
            let assets = assets.map(|one| render::summary(state, &environment, kind, one));
            Ok(ListAssetsResponse {
                assets: assets.collect::<Result<_, Fault>>()?,
                next_page_token: page.next(found.next.as_deref()),
            })
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn delete_asset(
        &self,
        request: Request<DeleteAssetRequest>,
    ) -> Result<Response<DeleteAssetResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "DeleteAsset", &body.idempotency_key, &content)?;
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let target = named.clone();
        let decide = move |state: &dyn StateReader| {
            let stored = named.find(state)?;
            let mut decision = Decision::default();
            let (environment, kind) = (named.environment.clone(), named.kind);
            deploy::relies_on(&mut decision, &environment, kind, &stored);
            let op = DeleteAsset {
                environment,
                kind: stored_kind(kind).into(),
                id: stored.value.id,
            };
            decision.ops.push(op.into());
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.reach(&target, &committed).await;
        Ok(Response::new(DeleteAssetResponse {}))
    }

    async fn export_asset(
        &self,
        request: Request<ExportAssetRequest>,
    ) -> Result<Response<ExportApiResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let work = move |state: &dyn StateReader| export(state, &named, &body);
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn deploy_asset(
        &self,
        request: Request<DeployAssetRequest>,
    ) -> Result<Response<Deployment>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "DeployAsset", &body.idempotency_key, &content)?;
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let remarks = Remarks::parse(&body.label, &body.message)?;
        let target = named.clone();
        let decide = move |state: &dyn StateReader| {
            let (environment, if_match) = (named.environment.as_str(), body.if_match.as_str());
            let stored = named.find(state)?;
            let decision =
                deploy::deploy_draft(state, environment, named.kind, &stored, if_match, &remarks)?;
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.reach(&target, &committed).await;
        let number = committed.numbers.first().copied().unwrap_or_default();
        let work = move |state: &dyn StateReader| {
            let stored = target.find(state)?;
            render::deployment(
                state,
                &target.environment,
                target.kind,
                &stored.value,
                number,
            )
        };
        Ok(Response::new(
            self.store.read_after(&call, &committed, work).await?,
        ))
    }

    async fn undeploy_asset(
        &self,
        request: Request<UndeployAssetRequest>,
    ) -> Result<Response<Asset>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "UndeployAsset", &body.idempotency_key, &content)?;
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let target = named.clone();
        let decide = move |state: &dyn StateReader| {
            let stored = named.find(state)?;
            let mut decision = Decision::default();
            if stored.value.is_deployed {
                let (environment, kind) = (named.environment.clone(), named.kind);
                deploy::relies_on(&mut decision, &environment, kind, &stored);
                let op = WithdrawAsset {
                    environment,
                    kind: stored_kind(kind).into(),
                    id: stored.value.id,
                };
                decision.ops.push(op.into());
            }
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.reach(&target, &committed).await;
        self.answer(&call, &committed, target).await
    }

    async fn list_asset_deployments(
        &self,
        request: Request<ListAssetDeploymentsRequest>,
    ) -> Result<Response<ListDeploymentsResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let named = Named::parse(&body.environment, body.kind(), &body.asset)?;
        let work = move |state: &dyn StateReader| {
            let stored = named.find(state)?;
            let owner = stored_kind(named.kind).owner(&stored.value.id);
            let newest = stored
                .value
                .is_deployed
                .then_some(stored.value.deployed_number);
            super::apis::deployments(
                state,
                (&named.environment, &owner, newest.unwrap_or_default()),
                (body.page_size, &body.page_token),
            )
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }
}

fn export(
    state: &dyn StateReader,
    named: &Named,
    request: &ExportAssetRequest,
) -> Result<ExportApiResponse, Fault> {
    let stored = named.find(state)?;
    let (canonical, etag) = match request.number {
        0 => (document_of(&stored.value)?, Some(stored.etag())),
        number => {
            let owner = stored_kind(named.kind).owner(&stored.value.id);
            let deployment = query::deployment(state, &named.environment, &owner, number)?;
            let missing = || format!("{}/{number}", stored.value.name);
            let deployment =
                deployment.ok_or_else(|| Fault::not_found("deployment", &missing()))?;
            (
                super::apis::historic(state, &deployment.document_hash)?,
                None,
            )
        }
    };
    let (spelling, extension) = match request.spelling() {
        proto::Spelling::Unspecified | proto::Spelling::Tidegate => (Spelling::Native, "yaml"),
        proto::Spelling::Gravitee => (Spelling::Envelope, "json"),
        proto::Spelling::Gko => (Spelling::Gko, "yaml"),
    };
    let facts = ExportFacts {
        etag,
        ..ExportFacts::default()
    };
    let content = document::export_asset(named.kind, &canonical, spelling, &facts);
    let content = content.ok_or_else(|| {
        let message = format!("the operator has no kind for a {}", named.kind);
        Fault::refused("NO_SUCH_SPELLING", message)
    })?;
    Ok(ExportApiResponse {
        content: content.into_bytes().into(),
        file_name: format!(
            "{}-{}.{extension}",
            named.kind,
            tidegate_model::slug(&stored.value.name)
        ),
    })
}

/// The draft document of an asset.
fn document_of(record: &AssetRecord) -> Result<Value, Fault> {
    serde_json::from_slice(&record.document)
        .map_err(|error| Fault::Internal(format!("draft of {}: {error}", record.id)))
}

/// The definition that edges have of a group or of the organisation.
fn deployed_definition(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<Option<Value>, Fault> {
    Ok(live_object(state, environment, kind, id)?
        .and_then(|mut object| object.get_mut("definition").map(Value::take)))
}

/// What edges have of an asset.
fn live_object(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<Option<Value>, Fault> {
    match query::live(state, environment, kind.as_str(), id)? {
        Some(live) => object(state, &live.value.object_hash).map(Some),
        None => Ok(None),
    }
}

/// A published object.
fn object(state: &dyn StateReader, hash: &[u8]) -> Result<Value, Fault> {
    let bytes = query::object(state, &query::hash_of(hash)?)?
        .ok_or_else(|| Fault::Internal("a published object is missing".to_owned()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Internal(format!("a published object does not parse: {error}")))
}

/// Reads a definition that was checked when it was stored.
fn parse_definition(kind: AssetKind, definition: &Value) -> Result<AssetDefinition, Fault> {
    AssetDefinition::from_canonical(kind, definition)
        .map_err(|found| Fault::Internal(format!("a stored {kind} has {} faults", found.len())))
}

/// The kind as the replicated rules know it.
pub(super) const fn stored_kind(kind: AssetKind) -> StoredKind {
    match kind {
        AssetKind::SharedPolicyGroup => StoredKind::SharedPolicyGroup,
        AssetKind::Dictionary => StoredKind::Dictionary,
        AssetKind::Organization => StoredKind::Organization,
    }
}

fn kind_of(kind: proto::AssetKind) -> Result<AssetKind, Fault> {
    match kind {
        proto::AssetKind::SharedPolicyGroup => Ok(AssetKind::SharedPolicyGroup),
        proto::AssetKind::Dictionary => Ok(AssetKind::Dictionary),
        proto::AssetKind::Organization => Ok(AssetKind::Organization),
        proto::AssetKind::Unspecified => Err(Fault::field("kind", "a kind of asset")),
    }
}
