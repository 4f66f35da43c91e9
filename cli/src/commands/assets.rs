//! What APIs share: shared policy groups, dictionaries, the organisation's flows.

use tidegate_proto::admin::v1::{
    Asset, AssetKind, DeleteAssetRequest, DeployAssetRequest, Deployment, ExportAssetRequest,
    GetAssetRequest, ListAssetDeploymentsRequest, ListAssetsRequest, Spelling as WireSpelling,
    UndeployAssetRequest, asset_service_client::AssetServiceClient,
};

use super::{apis::MESSAGE_BYTES_MAX, idempotency_key};
use crate::{
    args::{Deployed, DeployedKind, ExportArgs, Global, Spelling},
    connection::{self, Cluster},
    failure::Failure,
    output, render,
};

/// Items asked for per page.
const PAGE_SIZE: u32 = 500;

async fn client(global: &Global) -> Result<AssetServiceClient<Cluster>, Failure> {
    let cluster = connection::connect(global).await?;
    Ok(AssetServiceClient::new(cluster).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// The kind on the wire; `None` for an API.
pub(super) fn wire(kind: DeployedKind) -> Option<AssetKind> {
    match kind {
        DeployedKind::Api => None,
        DeployedKind::SharedPolicyGroup => Some(AssetKind::SharedPolicyGroup),
        DeployedKind::Dictionary => Some(AssetKind::Dictionary),
        DeployedKind::Organization => Some(AssetKind::Organization),
    }
}

pub(super) async fn list(global: &Global, kind: AssetKind) -> Result<(), Failure> {
    let mut client = client(global).await?;
    let mut rows = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAssetsRequest {
            environment: global.environment.clone(),
            kind: kind.into(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_assets(request).await?.into_inner();
        rows.extend(page.assets.iter().map(render::asset));
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    output::list(global.output, render::ASSET_COLUMNS, rows)
}

pub(super) async fn find(global: &Global, kind: AssetKind, name: &str) -> Result<Asset, Failure> {
    let request = GetAssetRequest {
        environment: global.environment.clone(),
        kind: kind.into(),
        asset: name.to_owned(),
    };
    Ok(client(global).await?.get_asset(request).await?.into_inner())
}

pub(super) async fn delete(global: &Global, kind: AssetKind, name: String) -> Result<(), Failure> {
    let request = DeleteAssetRequest {
        environment: global.environment.clone(),
        kind: kind.into(),
        asset: name,
        idempotency_key: idempotency_key(),
    };
    client(global).await?.delete_asset(request).await?;
    Ok(())
}

pub(super) async fn export(
    global: &Global,
    kind: AssetKind,
    args: ExportArgs,
) -> Result<(), Failure> {
    let request = ExportAssetRequest {
        environment: global.environment.clone(),
        kind: kind.into(),
        asset: args.what.name,
        spelling: match args.format {
            Spelling::Tidegate => WireSpelling::Tidegate,
            Spelling::Gravitee => WireSpelling::Gravitee,
            Spelling::Gko => WireSpelling::Gko,
        }
        .into(),
        number: args.number,
    };
    let exported = client(global).await?.export_asset(request).await?;
    output::raw(&exported.into_inner().content)
}

/// What is said about a deployment.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) label: Option<String>,
    pub(super) message: Option<String>,
    pub(super) if_match: Option<String>,
}

pub(super) async fn deploy(
    global: &Global,
    kind: AssetKind,
    name: String,
    remarks: Remarks,
) -> Result<Deployment, Failure> {
    let request = DeployAssetRequest {
        environment: global.environment.clone(),
        kind: kind.into(),
        asset: name,
        label: remarks.label.unwrap_or_default(),
        message: remarks.message.unwrap_or_default(),
        if_match: remarks.if_match.unwrap_or_default(),
        idempotency_key: idempotency_key(),
    };
    let deployed = client(global).await?.deploy_asset(request).await?;
    Ok(deployed.into_inner())
}

pub(super) async fn undeploy(global: &Global, what: Deployed) -> Result<(), Failure> {
    let Some(kind) = wire(what.kind) else {
        return Err(Failure::usage(
            "an API is stopped or deleted; undeploy takes --kind",
        ));
    };
    let request = UndeployAssetRequest {
        environment: global.environment.clone(),
        kind: kind.into(),
        asset: what.name,
        idempotency_key: idempotency_key(),
    };
    let asset = client(global).await?.undeploy_asset(request).await?;
    output::one(global.output, &render::asset(&asset.into_inner()))
}

pub(super) async fn history(
    global: &Global,
    kind: AssetKind,
    name: &str,
) -> Result<Vec<Deployment>, Failure> {
    let mut client = client(global).await?;
    let mut deployments = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAssetDeploymentsRequest {
            environment: global.environment.clone(),
            kind: kind.into(),
            asset: name.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_asset_deployments(request).await?.into_inner();
        deployments.extend(page.deployments);
        if page.next_page_token.is_empty() {
            return Ok(deployments);
        }
        page_token = page.next_page_token;
    }
}
