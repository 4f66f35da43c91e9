//! `deploy`, `history`, `compare`, `rollback`, and waiting for edges.

use std::time::Duration;

use serde_json::json;
use tidegate_proto::admin::v1::{
    AssetKind, CompareApiRequest, DeployApiRequest, Deployment, DeploymentProgress,
    ListDeploymentsRequest, RollbackApiRequest, WatchDeploymentRequest,
    api_service_client::ApiServiceClient, edge_progress::Phase,
};
use tokio::time::{Instant, timeout_at};

use super::{apis, assets, idempotency_key};
use crate::{
    args::{DeployArgs, Deployed, Format, Global, RollbackArgs},
    connection,
    failure::Failure,
    output, render,
};

/// Deployments asked for per page.
const PAGE_SIZE: u32 = 500;
/// Pause before a broken progress stream is opened again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

pub(super) async fn deploy(global: &Global, args: DeployArgs) -> Result<(), Failure> {
    if let Some(kind) = assets::wire(args.what.kind) {
        let remarks = assets::Remarks {
            label: args.label,
            message: args.message,
            if_match: args.if_match,
        };
        let deployment = assets::deploy(global, kind, args.what.name, remarks).await?;
        return settle(global, Whose::of_asset(kind), &deployment, args.wait).await;
    }
    let request = DeployApiRequest {
        environment: global.environment.clone(),
        api: args.what.name,
        label: args.label.unwrap_or_default(),
        message: args.message.unwrap_or_default(),
        if_match: args.if_match.unwrap_or_default(),
        idempotency_key: idempotency_key(),
    };
    let deployment = apis::client(global)
        .await?
        .deploy_api(request)
        .await?
        .into_inner();
    settle(global, Whose::Api, &deployment, args.wait).await
}

pub(super) async fn rollback(global: &Global, args: RollbackArgs) -> Result<(), Failure> {
    let request = RollbackApiRequest {
        environment: global.environment.clone(),
        api: args.api,
        number: args.to,
        label: args.label.unwrap_or_default(),
        message: args.message.unwrap_or_default(),
        idempotency_key: idempotency_key(),
    };
    let deployment = apis::client(global)
        .await?
        .rollback_api(request)
        .await?
        .into_inner();
    settle(global, Whose::Api, &deployment, args.wait).await
}

/// What a deployment is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    Api,
    /// An asset, by the name of its kind.
    Asset(&'static str),
}

impl Whose {
    pub(super) fn of_asset(kind: AssetKind) -> Self {
        Self::Asset(render::asset_kind(kind))
    }
}

async fn settle(
    global: &Global,
    whose: Whose,
    deployment: &Deployment,
    waits: bool,
) -> Result<(), Failure> {
    if waits {
        wait(global, whose, &deployment.api_id, deployment.number).await?;
    }
    output::one(global.output, &render::deployment(deployment))
}

/// Returns once every entitled edge has the deployment active; fails naming those that refused it.
pub(super) async fn wait(
    global: &Global,
    whose: Whose,
    id: &str,
    number: u64,
) -> Result<(), Failure> {
    let deadline = Instant::now() + global.timeout;
    let mut last = DeploymentProgress::default();
    let outcome = timeout_at(deadline, follow(global, (whose, id), number, &mut last)).await;
    if let Ok(result) = outcome {
        return result;
    }
    let waiting = with_phase(&last, Phase::Pending)
        .collect::<Vec<_>>()
        .join(", ");
    Err(Failure::refused(format!(
        "deployment {number} is recorded, but not active everywhere after {}: waiting for {}",
        humantime::format_duration(global.timeout),
        if waiting.is_empty() {
            "the control plane"
        } else {
            &waiting
        },
    )))
}

async fn follow(
    global: &Global,
    what: (Whose, &str),
    number: u64,
    last: &mut DeploymentProgress,
) -> Result<(), Failure> {
    loop {
        match follow_once(global, what, number, last).await {
            Ok(true) => return judge(last, number),
            Ok(false) => {}
            // The node that answered may have died; the deployment is recorded all the same.
            Err(failure) if !failure.is_transient() => return Err(failure),
            Err(_transient) => {}
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn follow_once(
    global: &Global,
    (whose, id): (Whose, &str),
    number: u64,
    last: &mut DeploymentProgress,
) -> Result<bool, Failure> {
    let mut client = ApiServiceClient::new(connection::connect_unbounded(global).await?);
    let request = WatchDeploymentRequest {
        environment: global.environment.clone(),
        api: id.to_owned(),
        number,
        asset_kind: match whose {
            Whose::Api => String::new(),
            Whose::Asset(kind) => kind.to_owned(),
        },
    };
    let mut progress = client.watch_deployment(request).await?.into_inner();
    while let Some(step) = progress.message().await? {
        if output::is_watched() {
            let active = with_phase(&step, Phase::Active).count();
            output::remark(&format!("active on {active} of {} edges", step.edges.len()));
        }
        *last = step;
        if last.settled {
            return Ok(true);
        }
    }
    Ok(false)
}

fn judge(progress: &DeploymentProgress, number: u64) -> Result<(), Failure> {
    let refusals: Vec<String> = progress
        .edges
        .iter()
        .filter_map(|edge| Some((edge, edge.refusal.as_ref()?)))
        .map(|(edge, refusal)| {
            let place = if refusal.path.is_empty() { "" } else { " at " };
            format!(
                "\n  {}: {}{place}{}: {}",
                edge.edge_id, refusal.code, refusal.path, refusal.message
            )
        })
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "deployment {number} was refused by{}",
        refusals.concat()
    )))
}

fn with_phase(progress: &DeploymentProgress, phase: Phase) -> impl Iterator<Item = &str> {
    progress
        .edges
        .iter()
        .filter(move |edge| edge.phase() == phase)
        .map(|edge| edge.edge_id.as_str())
}

pub(super) async fn history(global: &Global, what: Deployed) -> Result<(), Failure> {
    let deployments = match assets::wire(what.kind) {
        None => all(global, &what.name).await?,
        Some(kind) => assets::history(global, kind, &what.name).await?,
    };
    let rows = deployments.iter().map(render::deployment).collect();
    output::list(global.output, render::DEPLOYMENT_COLUMNS, rows)
}

async fn all(global: &Global, api: &str) -> Result<Vec<Deployment>, Failure> {
    let mut client = apis::client(global).await?;
    let mut deployments = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListDeploymentsRequest {
            environment: global.environment.clone(),
            api: api.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_deployments(request).await?.into_inner();
        deployments.extend(page.deployments);
        if page.next_page_token.is_empty() {
            return Ok(deployments);
        }
        page_token = page.next_page_token;
    }
}

pub(super) async fn compare(
    global: &Global,
    api: String,
    from: Option<u64>,
    to: u64,
) -> Result<(), Failure> {
    let from = match from {
        Some(number) => number,
        None => live_number(global, &api).await?,
    };
    let request = CompareApiRequest {
        environment: global.environment.clone(),
        api,
        from,
        to,
    };
    let compared = apis::client(global)
        .await?
        .compare_api(request)
        .await?
        .into_inner();
    let differences: Vec<_> = compared
        .differences
        .iter()
        .map(render::difference)
        .collect();
    match global.output {
        Format::Json | Format::Yaml => output::one(
            global.output,
            &json!({ "from": from, "to": to, "differences": differences }),
        ),
        Format::Table | Format::Wide if differences.is_empty() => output::line("no differences"),
        Format::Table | Format::Wide => output::line(compared.text.trim_end()),
    }
}

async fn live_number(global: &Global, api: &str) -> Result<u64, Failure> {
    match apis::find(global, api).await?.deployment_number {
        0 => Err(Failure::refused(format!(
            "{api} was never deployed: give --from and --to"
        ))),
        number => Ok(number),
    }
}
