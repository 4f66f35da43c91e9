//! Stored records as the messages clients see.

use serde_json::Value;
use tidegate_model::deployment::out_of_sync;
use tidegate_proto::admin::v1::{
    Api, ApiState, Deployment, DeploymentState, EdgeRefusal, Notice, Plan,
};
use tidegate_state::{ApiRecord, DeploymentRecord, Refusal, Resource, StateReader};

use super::definition::{PlanStage, plan_id, text};
use crate::admin::{Fault, assets::fetched, lookup};

pub(super) fn api(
    state: &dyn StateReader,
    environment: &str,
    api: &Resource<ApiRecord>,
) -> Result<Api, Fault> {
    let record = &api.value;
    let document = lookup::document(record)?;
    let live = lookup::live_object(state, environment, &record.id)?;
    let in_sync = live.is_some_and(|live| !out_of_sync(&live.definition, &document));
    let deployment_state = if in_sync {
        DeploymentState::Deployed
    } else {
        DeploymentState::NeedRedeploy
    };
    let run_state = if record.started {
        ApiState::Started
    } else {
        ApiState::Stopped
    };
    Ok(Api {
        id: record.id.clone(),
        name: record.name.clone(),
        version: text(&document, "apiVersion").unwrap_or_default().to_owned(),
        r#type: text(&document, "type").unwrap_or("proxy").to_owned(),
        state: run_state.into(),
        deployment_state: deployment_state.into(),
        tags: record.tags.clone(),
        etag: api.etag(),
        deployment_number: record.deployed_number,
        created_ms: api.created_ms,
        updated_ms: api.updated_ms,
        plans: plans(&record.id, &document),
        entrypoints: record.claims.clone(),
        document: record.document.clone(),
        feed: match record.has_feed {
            true => {
                Some(fetched(state, environment, "properties", &record.id)?.unwrap_or_default())
            }
            false => None,
        },
    })
}

fn plans(api_id: &str, document: &Value) -> Vec<Plan> {
    let plans = document.get("plans").and_then(Value::as_array);
    plans
        .into_iter()
        .flatten()
        .map(|value| plan(api_id, value))
        .collect()
}

pub(super) fn plan(api_id: &str, plan: &Value) -> Plan {
    let security = plan
        .get("security")
        .and_then(|security| text(security, "type"));
    Plan {
        id: plan_id(plan).unwrap_or_default().to_owned(),
        name: text(plan, "name").unwrap_or_default().to_owned(),
        security: security
            .unwrap_or_default()
            .to_ascii_lowercase()
            .replace('_', "-"),
        status: PlanStage::of(plan).as_str().to_owned(),
        api_id: api_id.to_owned(),
    }
}

pub(in crate::admin) fn deployment(record: &DeploymentRecord, live_number: u64) -> Deployment {
    Deployment {
        api_id: record.api_id.clone(),
        number: record.number,
        label: record.label.clone(),
        message: record.message.clone(),
        author: record.author.clone(),
        created_ms: record.created_ms,
        revision: record.revision,
        rollback_of: record.rollback_of,
        object_hash: record.object_hash.clone(),
        refusals: record.refusals.iter().map(refusal).collect(),
        current: record.number == live_number,
    }
}

pub(super) fn refusal(refusal: &Refusal) -> EdgeRefusal {
    EdgeRefusal {
        edge_id: refusal.edge_id.clone(),
        code: refusal.code.clone(),
        path: refusal.path.clone(),
        message: refusal.message.clone(),
        time_ms: refusal.time_ms,
    }
}

pub(in crate::admin) fn notice(notice: &tidegate_model::Notice) -> Notice {
    Notice {
        code: notice.code.to_owned(),
        path: notice.path.clone(),
        message: notice.message.clone(),
    }
}
