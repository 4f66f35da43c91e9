//! `export`, `start`, `stop`, and reading APIs.

use tidegate_proto::admin::v1::{
    Api, ExportApiRequest, GetApiRequest, ListApisRequest, Spelling as WireSpelling,
    StartApiRequest, StopApiRequest, api_service_client::ApiServiceClient,
};

use super::{assets, idempotency_key};
use crate::{
    args::{Deployed, ExportArgs, Global, Spelling},
    connection::{self, Cluster},
    failure::Failure,
    output, render,
};

/// Documents are at most 4 MiB each; a request may carry several.
pub(super) const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Items asked for per page.
const PAGE_SIZE: u32 = 500;

/// A client that takes whole definitions.
pub(super) async fn client(global: &Global) -> Result<ApiServiceClient<Cluster>, Failure> {
    let cluster = connection::connect(global).await?;
    Ok(ApiServiceClient::new(cluster).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

pub(super) async fn export(global: &Global, args: ExportArgs) -> Result<(), Failure> {
    if let Some(kind) = assets::wire(args.what.kind) {
        return assets::export(global, kind, args).await;
    }
    let request = ExportApiRequest {
        environment: global.environment.clone(),
        api: args.what.name,
        spelling: match args.format {
            Spelling::Tidegate => WireSpelling::Tidegate,
            Spelling::Gravitee => WireSpelling::Gravitee,
            Spelling::Gko => WireSpelling::Gko,
        }
        .into(),
        number: args.number,
    };
    let exported = client(global)
        .await?
        .export_api(request)
        .await?
        .into_inner();
    output::raw(&exported.content)
}

pub(super) async fn start(global: &Global, what: Deployed) -> Result<(), Failure> {
    if let Some(kind) = assets::wire(what.kind) {
        let remarks = assets::Remarks::default();
        let deployment = assets::deploy(global, kind, what.name, remarks).await?;
        return output::one(global.output, &render::deployment(&deployment));
    }
    let request = StartApiRequest {
        environment: global.environment.clone(),
        api: what.name,
        idempotency_key: idempotency_key(),
    };
    let api = client(global).await?.start_api(request).await?.into_inner();
    output::one(global.output, &render::api(&api))
}

pub(super) async fn stop(global: &Global, what: Deployed) -> Result<(), Failure> {
    if assets::wire(what.kind).is_some() {
        return assets::undeploy(global, what).await;
    }
    let request = StopApiRequest {
        environment: global.environment.clone(),
        api: what.name,
        idempotency_key: idempotency_key(),
    };
    let api = client(global).await?.stop_api(request).await?.into_inner();
    output::one(global.output, &render::api(&api))
}

pub(super) async fn find(global: &Global, api: &str) -> Result<Api, Failure> {
    let request = GetApiRequest {
        environment: global.environment.clone(),
        api: api.to_owned(),
    };
    Ok(client(global).await?.get_api(request).await?.into_inner())
}

pub(super) async fn all(global: &Global) -> Result<Vec<Api>, Failure> {
    let mut client = client(global).await?;
    let mut apis = Vec::new();
    let mut page_token = String::new();
    loop {
        let environment = global.environment.clone();
        let request = ListApisRequest {
            environment,
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_apis(request).await?.into_inner();
        apis.extend(page.apis);
        if page.next_page_token.is_empty() {
            return Ok(apis);
        }
        page_token = page.next_page_token;
    }
}
