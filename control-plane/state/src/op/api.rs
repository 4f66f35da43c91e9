//! Drafts of APIs.

use std::collections::BTreeSet;

use crate::{
    ApiRecord, ResourceKind, code,
    draft::Draft,
    key::Index,
    op::{asset, deployment, feed, live, subscription},
    rejection::{OpError, check_id, check_text, reject},
};

/// Longest name of an API, plan or application, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 512;
/// Longest listener claim, in bytes.
const CLAIM_BYTES_MAX: usize = 4096;

/// Writes the draft of an API.
///
/// Name, plan ids and claims are unique in the environment; a plan disappears only without open subscriptions.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutApi {
    /// Environment of the API.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// The draft; what it says about deployments is ignored.
    #[prost(message, required, tag = "2")]
    pub record: ApiRecord,
}

/// Removes an API: draft, deployments, live object, and its subscriptions with their keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteApi {
    /// Environment of the API.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Id of the API.
    #[prost(string, tag = "2")]
    pub id: String,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutApi) -> Result<(), OpError> {
    let PutApi {
        environment,
        record,
    } = op;
    draft.require_environment(environment)?;
    check_id("record.id", &record.id)?;
    check_text("record.name", &record.name, NAME_BYTES_MAX)?;
    let before = draft
        .record::<ApiRecord>(environment, &record.id)?
        .map(|before| before.value);
    let before = before.unwrap_or_default();
    check_unique(draft, environment, record)?;
    check_removed_plans(draft, environment, &before, record)?;

    index(draft, environment, &before, record);
    let groups = (before.groups.as_slice(), record.groups.as_slice());
    asset::reindex_uses(draft, Index::AssetUse, environment, &record.id, groups);
    let stored = ApiRecord {
        deployed_number: before.deployed_number,
        deployed_groups: before.deployed_groups.clone(),
        has_feed: before.has_feed,
        ..record.clone()
    };
    draft.put_record(environment, &record.id, &stored)?;
    draft.changed(
        ResourceKind::Api,
        environment,
        &record.id,
        &record.name,
        false,
    );
    let claims = |record: &ApiRecord| record.claims.iter().cloned().collect::<BTreeSet<_>>();
    if claims(&before) != claims(record) {
        draft.put_record(environment, "", &())?;
    }
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, op: &DeleteApi) -> Result<(), OpError> {
    let DeleteApi { environment, id } = op;
    let record = require(draft, environment, id, "id")?;
    subscription::remove_all(draft, Index::SubscriptionByApi, environment, id)?;
    live::clear(draft, environment, live::API, id)?;
    live::clear(draft, environment, feed::PROPERTIES, id)?;
    feed::remove(draft, environment, feed::PROPERTIES, id)?;
    deployment::remove_all(draft, environment, id)?;
    for (index, groups) in [
        (Index::AssetUse, &record.groups),
        (Index::AssetLiveUse, &record.deployed_groups),
    ] {
        asset::reindex_uses(draft, index, environment, id, (groups, &[]));
    }
    index(
        draft,
        environment,
        &record,
        &ApiRecord {
            id: id.clone(),
            ..ApiRecord::default()
        },
    );
    if !record.claims.is_empty() {
        draft.put_record(environment, "", &())?;
    }
    draft.delete_record(ResourceKind::Api, environment, id);
    draft.changed(ResourceKind::Api, environment, id, &record.name, true);
    Ok(())
}

/// Reads an API that an operation needs.
pub(super) fn require(
    draft: &Draft<'_>,
    environment: &str,
    id: &str,
    field: &str,
) -> Result<ApiRecord, OpError> {
    match draft.record::<ApiRecord>(environment, id)? {
        Some(api) => Ok(api.value),
        None => Err(reject(
            code::NOT_FOUND,
            field,
            format!("API \"{id}\" does not exist"),
        )),
    }
}

fn check_unique(draft: &Draft<'_>, environment: &str, record: &ApiRecord) -> Result<(), OpError> {
    let ApiRecord {
        id,
        name,
        plan_ids,
        claims,
        ..
    } = record;
    draft.require_free(Index::ApiName, environment, name, id, |holder| {
        let message = format!("API \"{holder}\" has the name \"{name}\"");
        reject(code::NAME_TAKEN, "record.name", message)
    })?;
    for (position, plan_id) in plan_ids.iter().enumerate() {
        let field = format!("record.plan_ids[{position}]");
        check_id(&field, plan_id)?;
        draft.require_free(Index::PlanId, environment, plan_id, id, |holder| {
            let message = format!("API \"{holder}\" has a plan \"{plan_id}\"");
            reject(code::PLAN_ID_TAKEN, field, message)
        })?;
    }
    for (position, claim) in claims.iter().enumerate() {
        let field = format!("record.claims[{position}]");
        check_text(&field, claim, CLAIM_BYTES_MAX)?;
        draft.require_free(Index::Claim, environment, claim, id, |holder| {
            let message = format!("API \"{holder}\" listens on \"{claim}\"");
            reject(code::CLAIM_TAKEN, field, message)
        })?;
    }
    Ok(())
}

fn check_removed_plans(
    draft: &Draft<'_>,
    environment: &str,
    before: &ApiRecord,
    after: &ApiRecord,
) -> Result<(), OpError> {
    let kept: BTreeSet<_> = after.plan_ids.iter().collect();
    let removed: BTreeSet<_> = before
        .plan_ids
        .iter()
        .filter(|plan_id| !kept.contains(plan_id))
        .collect();
    if removed.is_empty() {
        return Ok(());
    }
    let mut used = None;
    subscription::each(
        draft,
        Index::SubscriptionByApi,
        environment,
        &after.id,
        |_, held| {
            if held.status().is_open() && removed.contains(&held.plan_id) {
                used.get_or_insert((held.plan_id, held.id));
            }
            Ok(())
        },
    )?;
    match used {
        None => Ok(()),
        Some((plan_id, subscription)) => {
            let message =
                format!("plan \"{plan_id}\" still has the open subscription \"{subscription}\"");
            Err(reject(code::PLAN_IN_USE, "record.plan_ids", message))
        }
    }
}

/// Moves all index entries of an API from one draft to the next.
fn index(draft: &mut Draft<'_>, environment: &str, before: &ApiRecord, after: &ApiRecord) {
    let id = &after.id;
    draft.reindex(
        Index::ApiName,
        environment,
        id,
        [&before.name],
        [&after.name],
    );
    draft.reindex(
        Index::PlanId,
        environment,
        id,
        &before.plan_ids,
        &after.plan_ids,
    );
    draft.reindex(Index::Claim, environment, id, &before.claims, &after.claims);
}
