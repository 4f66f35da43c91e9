//! `plan publish|deprecate|close`, and listing plans.

use serde_json::json;
use tidegate_proto::admin::v1::PlanRequest;

use super::{apis, idempotency_key};
use crate::{
    args::{Global, PlanCommand},
    failure::Failure,
    output, render,
};

pub(super) async fn run(global: &Global, command: PlanCommand) -> Result<(), Failure> {
    let mut client = apis::client(global).await?;
    let request = |plan, api| PlanRequest {
        environment: global.environment.clone(),
        api,
        plan,
        idempotency_key: idempotency_key(),
    };
    let plan = match command {
        PlanCommand::Publish(args) => client.publish_plan(request(args.plan, args.api)).await?,
        PlanCommand::Deprecate(args) => client.deprecate_plan(request(args.plan, args.api)).await?,
        PlanCommand::Close(args) => client.close_plan(request(args.plan, args.api)).await?,
    };
    output::one(global.output, &render::plan(&plan.into_inner()))
}

/// Lists the plans of all APIs, or those with one id or name.
pub(super) async fn list(global: &Global, wanted: Option<&str>) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for api in apis::all(global).await? {
        for plan in &api.plans {
            if wanted.is_none_or(|wanted| wanted == plan.id || wanted == plan.name) {
                let mut row = render::plan(plan);
                row["apiName"] = json!(api.name);
                rows.push(row);
            }
        }
    }
    match wanted {
        Some(wanted) if rows.is_empty() => Err(Failure::refused(format!("no plan {wanted:?}"))),
        _ => output::list(global.output, render::PLAN_COLUMNS, rows),
    }
}
