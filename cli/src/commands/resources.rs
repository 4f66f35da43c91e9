//! `get`, `describe` and `delete` for every kind.

use serde_json::json;
use tidegate_proto::admin::v1::{AssetKind, DeleteApiRequest, ListDeploymentsRequest};

use super::{apis, applications, assets, edges, idempotency_key, plans, subscriptions, tokens};
use crate::{
    args::{Global, Kind},
    failure::Failure,
    output, render,
};

/// Deployments shown by `describe api`.
const RECENT_DEPLOYMENTS: u32 = 5;

pub(super) async fn get(global: &Global, kind: Kind, name: Option<String>) -> Result<(), Failure> {
    match (kind, name) {
        (Kind::Api, None) => {
            let rows = apis::all(global).await?.iter().map(render::api).collect();
            output::list(global.output, render::API_COLUMNS, rows)
        }
        (Kind::Api, Some(name)) => output::one(
            global.output,
            &render::api(&apis::find(global, &name).await?),
        ),
        (Kind::Plan, name) => plans::list(global, name.as_deref()).await,
        (Kind::Application, None) => applications::list(global).await,
        (Kind::Application, Some(name)) => {
            let application = applications::find(global, name).await?;
            output::one(global.output, &render::application(&application))
        }
        (Kind::Subscription, None) => {
            subscriptions::list(global, String::new(), String::new()).await
        }
        (Kind::Subscription, Some(id)) => {
            let subscription = subscriptions::find(global, id).await?;
            output::one(global.output, &render::subscription(&subscription))
        }
        (Kind::Edge, None) => edges::list(global).await,
        (Kind::Edge, Some(id)) => edges::describe(global, id).await,
        (Kind::Token, None) => tokens::list(global).await,
        (Kind::Token, Some(_)) => Err(Failure::usage("tokens are listed, not shown one by one")),
        (Kind::SharedPolicyGroup, name) => asset(global, AssetKind::SharedPolicyGroup, name).await,
        (Kind::Dictionary, name) => asset(global, AssetKind::Dictionary, name).await,
        (Kind::Organization, name) => asset(global, AssetKind::Organization, name).await,
    }
}

async fn asset(global: &Global, kind: AssetKind, name: Option<String>) -> Result<(), Failure> {
    match name {
        None => assets::list(global, kind).await,
        Some(name) => output::one(
            global.output,
            &render::asset(&assets::find(global, kind, &name).await?),
        ),
    }
}

pub(super) async fn describe(global: &Global, kind: Kind, name: String) -> Result<(), Failure> {
    if kind != Kind::Api {
        return get(global, kind, Some(name)).await;
    }
    let api = apis::find(global, &name).await?;
    let request = ListDeploymentsRequest {
        environment: global.environment.clone(),
        api: api.id.clone(),
        page_size: RECENT_DEPLOYMENTS,
        page_token: String::new(),
    };
    let recent = apis::client(global)
        .await?
        .list_deployments(request)
        .await?
        .into_inner();
    let mut value = render::api(&api);
    value["deployments"] = recent.deployments.iter().map(render::deployment).collect();
    value["document"] = serde_json::from_slice(&api.document)
        .unwrap_or_else(|_not_json| json!(String::from_utf8_lossy(&api.document)));
    output::one(global.output, &value)
}

pub(super) async fn delete(
    global: &Global,
    kind: Kind,
    name: String,
    close_plans: bool,
) -> Result<(), Failure> {
    match kind {
        Kind::Api => {
            let request = DeleteApiRequest {
                environment: global.environment.clone(),
                api: name,
                close_plans,
                if_match: String::new(),
                idempotency_key: idempotency_key(),
            };
            apis::client(global).await?.delete_api(request).await?;
            Ok(())
        }
        Kind::Application => applications::delete(global, name).await,
        Kind::Subscription => subscriptions::close(global, name).await,
        Kind::Token => tokens::run(global, crate::args::TokenCommand::Revoke { id: name }).await,
        Kind::SharedPolicyGroup => assets::delete(global, AssetKind::SharedPolicyGroup, name).await,
        Kind::Dictionary => assets::delete(global, AssetKind::Dictionary, name).await,
        Kind::Organization => assets::delete(global, AssetKind::Organization, name).await,
        Kind::Plan => Err(Failure::usage(
            "plans are closed: tidegate plan close PLAN --api API",
        )),
        Kind::Edge => Err(Failure::usage(
            "edges leave the list by themselves once they are gone",
        )),
    }
}
