//! APIs: drafts, deployments, history, plans. This file maps calls to decisions and reads; the rules
//! are in the files beside it.

mod apply;
mod claims;
mod definition;
mod deploy;
mod draft;
mod history;
mod plans;
mod progress;
mod render;

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use tidegate_proto::admin::v1::{
    Api, ApplyRequest, ApplyResponse, CompareApiRequest, CompareApiResponse, DeleteApiRequest,
    DeleteApiResponse, DeployApiRequest, Deployment, DeploymentProgress, ExportApiRequest,
    ExportApiResponse, GetApiRequest, ListApisRequest, ListApisResponse, ListDeploymentsRequest,
    ListDeploymentsResponse, Plan, PlanRequest, RollbackApiRequest, StartApiRequest,
    StopApiRequest, WatchDeploymentRequest, api_service_server,
};
use tidegate_state::{ResourceKind, StateReader, op::DeleteApi, query};
use tidegate_telemetry::tasks::Tasks;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

pub(super) use self::{
    apply::Deploys,
    definition::{PlanStage, find_plan, plan_id, text},
    deploy::{Remarks, check_etag},
    draft::to_bytes,
    history::{deployments, historic, unified},
    render::{deployment as render_deployment, notice as render_notice},
};
use super::{Call, Committed, Decision, Fault, Intent, Page, Store, assets, environment, lookup};
use crate::edges::EdgeDirectory;

/// How long a deployment is watched when the client names no deadline.
const WATCH_TIME: Duration = Duration::from_secs(60);
/// Steps of progress waiting for a slow client.
const PROGRESS_QUEUE: usize = 4;

/// Serves `tidegate.admin.v1.ApiService`.
#[derive(Debug)]
pub(crate) struct ApiService {
    store: Store,
    edges: Arc<EdgeDirectory>,
    tasks: Tasks,
}

impl ApiService {
    pub(crate) fn new(store: Store, edges: Arc<EdgeDirectory>, tasks: Tasks) -> Self {
        Self {
            store,
            edges,
            tasks,
        }
    }

    /// Reads the API that a write was about.
    async fn answer(
        &self,
        call: &Call,
        committed: &Committed,
        environment: String,
        api: String,
    ) -> Result<Response<Api>, Status> {
        let work = move |state: &dyn StateReader| {
            let stored = lookup::api(state, &environment, &api)?;
            render::api(state, &environment, &stored)
        };
        Ok(Response::new(
            self.store.read_after(call, committed, work).await?,
        ))
    }

    /// Reads the deployment that a write made.
    async fn answer_deployment(
        &self,
        call: &Call,
        committed: &Committed,
        environment: String,
        api: String,
    ) -> Result<Response<Deployment>, Status> {
        let number = committed.numbers.first().copied().unwrap_or_default();
        let work = move |state: &dyn StateReader| {
            let stored = lookup::api(state, &environment, &api)?;
            let record = lookup::deployment(state, &environment, &stored.value, number)?;
            Ok(render::deployment(&record, stored.value.deployed_number))
        };
        Ok(Response::new(
            self.store.read_after(call, committed, work).await?,
        ))
    }

    async fn set_started(
        &self,
        call: Call,
        intent: Intent,
        environment: String,
        api: String,
        started: bool,
    ) -> Result<Response<Api>, Status> {
        let (target, name) = (environment.clone(), api.clone());
        let decide = move |state: &dyn StateReader| {
            Ok((deploy::set_started(state, &target, &name, started)?, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.answer(&call, &committed, environment, api).await
    }

    async fn advance_plan(
        &self,
        request: Request<PlanRequest>,
        method: &str,
        next: PlanStage,
    ) -> Result<Response<Plan>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(&call, method, &body.idempotency_key, &body.encode_to_vec())?;
        let environment = environment(&body.environment)?;
        let (target, api, plan) = (environment.clone(), body.api.clone(), body.plan);
        let named = (target.clone(), api.clone(), plan.clone());
        let decide =
            move |state: &dyn StateReader| plans::advance(state, &target, &api, &plan, next);
        let recall =
            move |state: &dyn StateReader| plans::named(state, &named.0, &named.1, &named.2);
        let writing = self.store.write_and_tell(&call, &intent, decide, recall);
        let (committed, plan) = writing.await?;
        let work = move |state: &dyn StateReader| {
            let stored = lookup::api(state, &environment, &body.api)?;
            let mut document = lookup::document(&stored.value)?;
            let found = find_plan(&mut document, &plan);
            let found = found.ok_or_else(|| Fault::not_found("plan", &plan))?;
            Ok(render::plan(&stored.value.id, found))
        };
        Ok(Response::new(
            self.store.read_after(&call, &committed, work).await?,
        ))
    }
}

#[tonic::async_trait]
impl api_service_server::ApiService for ApiService {
    async fn apply(
        &self,
        request: Request<ApplyRequest>,
    ) -> Result<Response<ApplyResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(&call, "Apply", &body.idempotency_key, &body.encode_to_vec())?;
        let environment = environment(&body.environment)?;
        let (target, seed, dry_run) = (environment.clone(), intent.seed(), body.dry_run);
        // Documents may be large: parsing them leaves the threads that serve connections.
        let parsed = tokio::task::spawn_blocking(move || apply::parse(target, &body, seed));
        let parsed = parsed
            .await
            .map_err(|error| Fault::Internal(error.to_string()))??;
        let parsed = Arc::new(parsed);
        let again = Arc::clone(&parsed);
        let decide = move |state: &dyn StateReader| apply::decide(state, &parsed);
        if dry_run {
            let (_, mut applied) = self.store.read(&call, decide).await?;
            applied.sort_by_key(|one| one.index);
            let results = applied.into_iter().map(|one| one.result).collect();
            return Ok(Response::new(ApplyResponse { results }));
        }
        // Documents that were applied already compare as unchanged.
        let recall = move |state: &dyn StateReader| Ok(apply::decide(state, &again)?.1);
        let writing = self.store.write_and_tell(&call, &intent, decide, recall);
        let (committed, applied) = writing.await?;
        let numbers = committed.numbers.clone();
        let work = move |state: &dyn StateReader| outcome(state, &environment, applied, numbers);
        let results = self.store.read_after(&call, &committed, work).await?;
        Ok(Response::new(ApplyResponse { results }))
    }

    async fn get_api(&self, request: Request<GetApiRequest>) -> Result<Response<Api>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| {
            let stored = lookup::api(state, &environment, &body.api)?;
            render::api(state, &environment, &stored)
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn list_apis(
        &self,
        request: Request<ListApisRequest>,
    ) -> Result<Response<ListApisResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let page = Page::parse(body.page_size, &body.page_token, &["apis", &environment])?;
        let work = move |state: &dyn StateReader| {
            let found = query::apis(state, &environment, page.after_id()?.as_deref(), page.size)?;
            let apis = found.items.iter().map(|api| {
                // A list is for finding; the documents of 500 APIs would not fit one message.
                Ok(Api {
                    document: Default::default(),
                    feed: None,
                    ..render::api(state, &environment, api)?
                })
            });
            Ok(ListApisResponse {
                apis: apis.collect::<Result<_, Fault>>()?,
                next_page_token: page.next(found.next.as_deref()),
            })
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn delete_api(
        &self,
        request: Request<DeleteApiRequest>,
    ) -> Result<Response<DeleteApiResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "DeleteApi",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        let decide = move |state: &dyn StateReader| Ok((delete(state, &environment, &body)?, ()));
        self.store.write(&call, &intent, decide).await?;
        Ok(Response::new(DeleteApiResponse {}))
    }

    async fn export_api(
        &self,
        request: Request<ExportApiRequest>,
    ) -> Result<Response<ExportApiResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| history::export(state, &environment, &body);
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn deploy_api(
        &self,
        request: Request<DeployApiRequest>,
    ) -> Result<Response<Deployment>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "DeployApi",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        let remarks = Remarks::parse(&body.label, &body.message)?;
        let (target, api) = (environment.clone(), body.api.clone());
        let decide = move |state: &dyn StateReader| {
            let if_match = &body.if_match;
            let decision = deploy::deploy_draft(state, &target, &body.api, if_match, &remarks)?;
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.answer_deployment(&call, &committed, environment, api)
            .await
    }

    async fn rollback_api(
        &self,
        request: Request<RollbackApiRequest>,
    ) -> Result<Response<Deployment>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "RollbackApi", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let remarks = Remarks::parse(&body.label, &body.message)?;
        let (target, named) = (environment.clone(), (environment.clone(), body.api.clone()));
        // The rollback may bring an old name back, so the answer goes by id.
        let decide = move |state: &dyn StateReader| {
            let id = lookup::api(state, &target, &body.api)?.value.id;
            Ok((
                deploy::roll_back(state, &target, &body.api, body.number, &remarks)?,
                id,
            ))
        };
        let recall =
            move |state: &dyn StateReader| Ok(lookup::api(state, &named.0, &named.1)?.value.id);
        let writing = self.store.write_and_tell(&call, &intent, decide, recall);
        let (committed, id) = writing.await?;
        self.answer_deployment(&call, &committed, environment, id)
            .await
    }

    async fn start_api(&self, request: Request<StartApiRequest>) -> Result<Response<Api>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "StartApi",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        self.set_started(call, intent, environment, body.api, true)
            .await
    }

    async fn stop_api(&self, request: Request<StopApiRequest>) -> Result<Response<Api>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "StopApi",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        self.set_started(call, intent, environment, body.api, false)
            .await
    }

    async fn list_deployments(
        &self,
        request: Request<ListDeploymentsRequest>,
    ) -> Result<Response<ListDeploymentsResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| history::list(state, &environment, &body);
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn compare_api(
        &self,
        request: Request<CompareApiRequest>,
    ) -> Result<Response<CompareApiResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| history::compare(state, &environment, &body);
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    type WatchDeploymentStream = ReceiverStream<Result<DeploymentProgress, Status>>;

    async fn watch_deployment(
        &self,
        request: Request<WatchDeploymentRequest>,
    ) -> Result<Response<Self::WatchDeploymentStream>, Status> {
        let mut call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| progress::target(state, &environment, &body);
        let target = self.store.read(&call, work).await?;
        call.deadline = call.deadline.or(WATCH_TIME);
        let (sender, receiver) = mpsc::channel(PROGRESS_QUEUE);
        let (store, edges) = (self.store.clone(), Arc::clone(&self.edges));
        self.tasks.spawn(
            "watch_deployment",
            progress::follow(store, edges, call, target, sender),
        );
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn publish_plan(&self, request: Request<PlanRequest>) -> Result<Response<Plan>, Status> {
        self.advance_plan(request, "PublishPlan", PlanStage::Published)
            .await
    }

    async fn deprecate_plan(
        &self,
        request: Request<PlanRequest>,
    ) -> Result<Response<Plan>, Status> {
        self.advance_plan(request, "DeprecatePlan", PlanStage::Deprecated)
            .await
    }

    async fn close_plan(&self, request: Request<PlanRequest>) -> Result<Response<Plan>, Status> {
        self.advance_plan(request, "ClosePlan", PlanStage::Closed)
            .await
    }
}

/// Completes what was decided by what was stored: etags and deployments.
fn outcome(
    state: &dyn StateReader,
    environment: &str,
    applied: Vec<apply::Applied>,
    numbers: Vec<u64>,
) -> Result<Vec<tidegate_proto::admin::v1::ApplyResult>, Fault> {
    let mut numbers = numbers.into_iter();
    let mut results = Vec::new();
    for mut one in applied {
        if let Some(kind) = one.asset {
            let number = one.deploys.number(&mut numbers);
            assets::outcome(state, environment, kind, &mut one.result, number)?;
        } else if one.result.kind == "Api" {
            let stored = lookup::api(state, environment, &one.result.id)?;
            one.result.etag = stored.etag();
            if let Some(number) = one.deploys.number(&mut numbers) {
                let record = lookup::deployment(state, environment, &stored.value, number)?;
                let live = stored.value.deployed_number;
                one.result.deployment = Some(render::deployment(&record, live));
            }
        } else {
            one.result.etag = lookup::application(state, environment, &one.result.id)?.etag();
        }
        results.push((one.index, one.result));
    }
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn delete(
    state: &dyn StateReader,
    environment: &str,
    request: &DeleteApiRequest,
) -> Result<Decision, Fault> {
    let stored = lookup::api(state, environment, &request.api)?;
    let record = &stored.value;
    let what = format!("API {:?}", record.name);
    check_etag(&what, stored.revision, &request.if_match)?;
    if !request.close_plans {
        if record.started && record.deployed_number > 0 {
            return Err(Fault::refused(
                "API_STARTED",
                "stop the API first, or close its plans",
            ));
        }
        let document = lookup::document(record)?;
        let plans = document.get("plans").and_then(serde_json::Value::as_array);
        let live = plans
            .into_iter()
            .flatten()
            .filter(|plan| PlanStage::of(plan).is_live());
        let names: Vec<&str> = live.filter_map(|plan| text(plan, "name")).collect();
        if !names.is_empty() {
            return Err(Fault::refused(
                "PLAN_OPEN",
                format!("close these plans first: {}", names.join(", ")),
            ));
        }
    }
    let mut decision = Decision::default();
    decision.relies_on(ResourceKind::Api, environment, &record.id, stored.revision);
    let op = DeleteApi {
        environment: environment.to_owned(),
        id: record.id.clone(),
    };
    decision.ops.push(op.into());
    Ok(decision)
}
