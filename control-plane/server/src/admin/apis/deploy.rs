//! Publishing drafts: deployments, rollbacks, start and stop. Decisions only; nothing is written here.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;
use tidegate_model::{
    ApiId, ApiObject, Violation, api::Api, asset::Feed, validate::operator_templates,
};
use tidegate_state::{
    ApiRecord, ResourceKind, StateReader, SubscriptionRecord,
    op::{Deploy, SetApiState},
    query,
};

use super::{
    definition::{deployed_part, restored},
    draft::{self, to_bytes},
};
use crate::{
    admin::{
        Decision, EditConflict, Fault,
        assets::{Groups, References, check_proxy, check_transformation},
        lookup,
    },
    auth::now_ms,
};

/// What a person says about a deployment.
#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct Remarks {
    pub label: String,
    pub message: String,
}

/// Most characters of a label (`gravitee-v4.md` §6.3).
const LABEL_CHARS_MAX: usize = 32;
/// Most characters of a message, so that it fits its bytes in any script.
const MESSAGE_CHARS_MAX: usize = 1024;
/// Subscriptions read at once while looking for open ones.
const SUBSCRIPTIONS_PAGE: usize = 500;

impl Remarks {
    /// Checks the lengths of both texts.
    pub(in crate::admin) fn parse(label: &str, message: &str) -> Result<Self, Fault> {
        crate::admin::bounded("label", label, 0, LABEL_CHARS_MAX)?;
        crate::admin::bounded("message", message, 0, MESSAGE_CHARS_MAX)?;
        Ok(Self {
            label: label.to_owned(),
            message: message.to_owned(),
        })
    }
}

/// Refuses unless `if_match` is empty or the etag of what is stored.
pub(in crate::admin) fn check_etag(what: &str, revision: u64, if_match: &str) -> Result<(), Fault> {
    let current = revision.to_string();
    if if_match.is_empty() || if_match == current {
        return Ok(());
    }
    Err(Fault::Conflict(Box::new(EditConflict {
        resource: what.to_owned(),
        current,
        yours: if_match.to_owned(),
        changes: Vec::new(),
    })))
}

/// Decides the deployment of the stored draft.
pub(super) fn deploy_draft(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
    if_match: &str,
    remarks: &Remarks,
) -> Result<Decision, Fault> {
    let stored = lookup::api(state, environment, api)?;
    check_etag(
        &format!("API {:?}", stored.value.name),
        stored.revision,
        if_match,
    )?;
    let document = lookup::document(&stored.value)?;
    let mut decision = Decision::default();
    decision.relies_on(
        ResourceKind::Api,
        environment,
        &stored.value.id,
        stored.revision,
    );
    let number = stored.value.deployed_number + 1;
    let groups = groups(state, environment);
    let deploy =
        deployment(groups, &stored.value, &document, number, remarks)?.map_err(undeployable)?;
    decision.ops.push(deploy.into());
    Ok(decision)
}

/// Decides a new deployment of what deployment `number` held, and the draft set back to it.
pub(super) fn roll_back(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
    number: u64,
    remarks: &Remarks,
) -> Result<Decision, Fault> {
    let stored = lookup::api(state, environment, api)?;
    let old = lookup::deployment(state, environment, &stored.value, number)?;
    let old = lookup::object(state, &old.object_hash)?;
    let (document, closed) = restored(&lookup::document(&stored.value)?, &old.definition);
    refuse_open_subscriptions(state, environment, &stored.value, &closed)?;
    let started = stored.value.started;
    let checked =
        draft::check(groups(state, environment), document, started, &[])?.map_err(|found| {
            Fault::Refused {
                key: "ROLLBACK_REFUSED",
                message: format!("deployment {number} does not fit the environment any more"),
                violations: found,
            }
        })?;
    let mut decision = Decision::default();
    let relied = Some((&stored.value, stored.revision));
    draft::put(state, &mut decision, environment, &checked, relied)?;
    let next = stored.value.deployed_number + 1;
    let deploy = deployment(
        groups(state, environment),
        &checked.record,
        &checked.document,
        next,
        remarks,
    )?
    .map_err(undeployable)?;
    decision.ops.push(
        Deploy {
            rollback_of: number,
            ..deploy
        }
        .into(),
    );
    Ok(decision)
}

/// Decides that an API starts or stops. Starting one that was never deployed deploys it
/// (`gravitee-v4.md` §6.3).
pub(super) fn set_started(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
    started: bool,
) -> Result<Decision, Fault> {
    let stored = lookup::api(state, environment, api)?;
    let mut decision = Decision::default();
    let live = lookup::live_object(state, environment, &stored.value.id)?;
    let never_deployed = live.is_none();
    if stored.value.started == started && !(started && never_deployed) {
        return Ok(decision);
    }
    decision.relies_on(
        ResourceKind::Api,
        environment,
        &stored.value.id,
        stored.revision,
    );
    if stored.value.started != started {
        decision
            .ops
            .push(state_change(environment, &stored.value.id, live, started)?.into());
    }
    if started && never_deployed {
        let document = lookup::document(&stored.value)?;
        let record = ApiRecord {
            started,
            ..stored.value
        };
        let groups = groups(state, environment);
        let deploy = deployment(groups, &record, &document, 1, &Remarks::default())?
            .map_err(undeployable)?;
        decision.ops.push(deploy.into());
    }
    Ok(decision)
}

/// The operation that starts or stops an API; `live` is what edges have of it.
pub(super) fn state_change(
    environment: &str,
    api_id: &str,
    live: Option<ApiObject>,
    started: bool,
) -> Result<SetApiState, Fault> {
    let object = match live {
        Some(live) => object_bytes(&ApiObject { started, ..live })?,
        None => Bytes::new(),
    };
    Ok(SetApiState {
        environment: environment.to_owned(),
        api_id: api_id.to_owned(),
        started,
        object,
    })
}

/// The groups that are stored, and no others.
pub(super) fn groups<'a>(state: &'a dyn StateReader, environment: &'a str) -> Groups<'a> {
    Groups {
        state,
        environment,
        new: &[],
    }
}

/// The operation that publishes `document` under `number`, or every reason why no edge could run it.
pub(super) fn deployment(
    groups: Groups<'_>,
    record: &ApiRecord,
    document: &Value,
    number: u64,
    remarks: &Remarks,
) -> Result<Result<Deploy, Vec<Violation>>, Fault> {
    let definition = deployed_part(document);
    // A template stands for a value that may be needed to read the definition at all.
    let templates = operator_templates(&definition);
    if !templates.is_empty() {
        return Ok(Err(templates));
    }
    let api = match Api::from_canonical(&definition) {
        Ok(api) => api,
        Err(violations) => return Ok(Err(violations)),
    };
    let mut reasons = reasons_against(&definition, &api);
    let references = match groups.of_deployment(&api)? {
        Ok(references) => references,
        Err(missing) => {
            reasons.extend(missing);
            References::new()
        }
    };
    if !reasons.is_empty() {
        return Ok(Err(reasons));
    }
    let environment = groups.environment;
    let group_ids: BTreeSet<String> = references.values().cloned().collect();
    let id = ApiId::parse(record.id.as_str())
        .map_err(|error| Fault::Internal(format!("stored API id: {error}")))?;
    let object = ApiObject {
        id,
        environment: environment.to_owned(),
        definition,
        started: record.started,
        deployment_number: number,
        deployed_ms: now_ms(),
        groups: references,
    };
    Ok(Ok(Deploy {
        groups: group_ids.into_iter().collect(),
        has_feed: feed_of(&api).is_ok_and(|feed| feed.is_some()),
        environment: environment.to_owned(),
        api_id: record.id.clone(),
        number,
        label: remarks.label.clone(),
        message: remarks.message.clone(),
        rollback_of: 0,
        object: object_bytes(&object)?,
        tags: api.tags.iter().cloned().collect(),
        plan_tags: api
            .plans
            .iter()
            .map(|plan| plan.tags.iter().cloned().collect::<Vec<_>>().into())
            .collect(),
    }))
}

fn reasons_against(definition: &Value, api: &Api) -> Vec<Violation> {
    let mut reasons = tidegate_check::undeployable(definition, api);
    match feed_of(api) {
        Ok(None) => {}
        Ok(Some(feed)) => {
            let place = "services.dynamicProperty.configuration";
            reasons.extend(check_transformation(
                &feed,
                &format!("{place}.transformation"),
            ));
            reasons.extend(check_proxy(&feed, &format!("{place}.systemProxy")));
        }
        Err(violations) => reasons.extend(violations),
    }
    reasons
}

/// Where properties of an API are fetched, or what is wrong with the service that says so.
pub(crate) fn feed_of(api: &Api) -> Result<Option<Feed>, Vec<Violation>> {
    let Some(service) = &api.services.dynamic_property else {
        return Ok(None);
    };
    Feed::of_service(service).map_err(|violations| {
        let place = "services.dynamicProperty";
        violations
            .into_iter()
            .map(|violation| violation.under(place))
            .collect()
    })
}

fn undeployable(violations: Vec<Violation>) -> Fault {
    let message = match violations.as_slice() {
        [only] => format!(
            "the API cannot be deployed: {}: expected {}",
            only.path, only.expected
        ),
        many => format!("the API cannot be deployed for {} reasons", many.len()),
    };
    Fault::Refused {
        key: "API_NOT_DEPLOYABLE",
        message,
        violations,
    }
}

fn object_bytes(object: &ApiObject) -> Result<Bytes, Fault> {
    serde_json::to_value(object)
        .map_err(|error| Fault::Internal(format!("an object does not serialise: {error}")))
        .and_then(|value| to_bytes(&value))
}

fn refuse_open_subscriptions(
    state: &dyn StateReader,
    environment: &str,
    api: &ApiRecord,
    plans: &[String],
) -> Result<(), Fault> {
    if plans.is_empty() {
        return Ok(());
    }
    let open =
        |record: &SubscriptionRecord| record.status().is_open() && plans.contains(&record.plan_id);
    let mut after = None;
    loop {
        let page = query::subscriptions_of_api(
            state,
            environment,
            &api.id,
            after.as_deref(),
            SUBSCRIPTIONS_PAGE,
        )?;
        if let Some(found) = page.items.iter().find(|found| open(&found.value)) {
            return Err(Fault::refused(
                "PLAN_IN_USE",
                format!(
                    "plan {:?} is not part of that deployment and would be closed, but has the \
                     open subscription {:?}",
                    found.value.plan_id, found.value.id
                ),
            ));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
