//! Deployments: what of an API is live, and its history.

use bytes::Bytes;

use crate::{
    ApiRecord, DeploymentRecord, LiveRecord, ReadError, ResourceKind, Table,
    bounds::PRUNE_BATCH,
    code,
    draft::{Draft, stored_hash},
    key::{self, Index},
    op::{api, asset, feed, live},
    query,
    record::TagSet,
    rejection::{OpError, reject},
};

/// Longest label, in bytes: 32 characters of any script.
const LABEL_BYTES_MAX: usize = 128;
/// Longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Publishes an API under a new number and makes it live. The draft's document is kept with it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Deploy {
    /// Environment of the API.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Id of the API.
    #[prost(string, tag = "2")]
    pub api_id: String,
    /// Must be the last number of the API plus one: it stands inside `object` too.
    #[prost(uint64, tag = "3")]
    pub number: u64,
    /// Short label, may be empty.
    #[prost(string, tag = "4")]
    pub label: String,
    /// Longer message, may be empty.
    #[prost(string, tag = "5")]
    pub message: String,
    /// Number whose content this is, or 0. It must still be in the history.
    #[prost(uint64, tag = "6")]
    pub rollback_of: u64,
    /// The published object as edges receive it.
    #[prost(bytes = "bytes", tag = "7")]
    pub object: Bytes,
    /// Sharding tags of the API.
    #[prost(string, repeated, tag = "8")]
    pub tags: Vec<String>,
    /// Sharding tags of each published plan.
    #[prost(message, repeated, tag = "9")]
    pub plan_tags: Vec<TagSet>,
    /// Ids of the shared policy groups it runs, each once; all must be deployed.
    #[prost(string, repeated, tag = "10")]
    pub groups: Vec<String>,
    /// Whether properties are fetched for it from elsewhere.
    #[prost(bool, tag = "11")]
    pub has_feed: bool,
}

/// Starts or stops an API; the live object is emitted again with its new state.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetApiState {
    /// Environment of the API.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Id of the API.
    #[prost(string, tag = "2")]
    pub api_id: String,
    /// The new state.
    #[prost(bool, tag = "3")]
    pub started: bool,
    /// The published object with that state; empty exactly when the API was never deployed.
    #[prost(bytes = "bytes", tag = "4")]
    pub object: Bytes,
}

pub(super) fn deploy(draft: &mut Draft<'_>, op: &Deploy) -> Result<(), OpError> {
    let record = api::require(draft, &op.environment, &op.api_id, "api_id")?;
    check(draft, op, &record)?;
    asset::require_groups(draft, &op.environment, &op.groups)?;
    let groups = (record.deployed_groups.as_slice(), op.groups.as_slice());
    asset::reindex_uses(
        draft,
        Index::AssetLiveUse,
        &op.environment,
        &op.api_id,
        groups,
    );
    let object_hash = draft.retain_bytes(&op.object)?;
    let document_hash = draft.retain_bytes(&record.document)?;
    let deployment = DeploymentRecord {
        api_id: op.api_id.clone(),
        number: op.number,
        label: op.label.clone(),
        message: op.message.clone(),
        author: draft.actor.to_owned(),
        created_ms: draft.time_ms,
        revision: draft.index,
        rollback_of: op.rollback_of,
        object_hash: Bytes::copy_from_slice(&object_hash),
        document_hash: Bytes::copy_from_slice(&document_hash),
        refusals: Vec::new(),
        tags: op.tags.clone(),
    };
    let deployment_id = format!("{}/{}", op.api_id, op.number);
    draft.put_record(&op.environment, &deployment_id, &deployment)?;
    let name = record.name.clone();
    let record = ApiRecord {
        deployed_number: op.number,
        deployed_groups: op.groups.clone(),
        has_feed: op.has_feed,
        ..record
    };
    draft.put_record(&op.environment, &op.api_id, &record)?;
    draft.changed(
        ResourceKind::Deployment,
        &op.environment,
        &deployment_id,
        &name,
        false,
    );
    draft.changed(ResourceKind::Api, &op.environment, &op.api_id, &name, false);
    draft.numbers.push(op.number);

    let live = LiveRecord {
        api_id: op.api_id.clone(),
        object_hash: deployment.object_hash,
        object_len: live::length(&op.object),
        tags: op.tags.clone(),
        plan_tags: op.plan_tags.clone(),
        is_everywhere: false,
    };
    live::set_api(draft, &op.environment, &live)?;
    feed::follow_api(draft, &op.environment, &live, op.has_feed)?;
    forget_oldest(draft, &op.environment, &op.api_id, op.number)?;
    Ok(())
}

pub(super) fn set_state(draft: &mut Draft<'_>, op: &SetApiState) -> Result<(), OpError> {
    let SetApiState {
        environment,
        api_id,
        started,
        object,
    } = op;
    let record = api::require(draft, environment, api_id, "api_id")?;
    let live = draft.record::<LiveRecord>(environment, &format!("{}/{api_id}", live::API))?;
    match live {
        None if !object.is_empty() => {
            let message = "expected no object: the API was never deployed";
            return Err(reject(code::INVALID, "object", message));
        }
        None => {}
        Some(_) if object.is_empty() => {
            let message = "expected the live object with its new state";
            return Err(reject(code::INVALID, "object", message));
        }
        Some(before) => {
            let hash = draft.retain_bytes(object)?;
            let live = LiveRecord {
                object_hash: Bytes::copy_from_slice(&hash),
                object_len: live::length(object),
                ..before.value
            };
            live::set_api(draft, environment, &live)?;
            // The live object holds its own reference now.
            draft.release(&hash)?;
        }
    }
    let record = ApiRecord {
        started: *started,
        ..record
    };
    draft.put_record(environment, api_id, &record)?;
    draft.changed(ResourceKind::Api, environment, api_id, &record.name, false);
    Ok(())
}

fn check(draft: &Draft<'_>, op: &Deploy, record: &ApiRecord) -> Result<(), OpError> {
    check_new(
        op.number,
        record.deployed_number,
        &op.object,
        (&op.label, &op.message),
    )?;
    if op.rollback_of == 0 {
        return Ok(());
    }
    match query::deployment(draft.state(), &op.environment, &op.api_id, op.rollback_of)? {
        Some(_) => Ok(()),
        None => {
            let message = format!("deployment {} is not in the history", op.rollback_of);
            Err(reject(code::NOT_FOUND, "rollback_of", message))
        }
    }
}

/// Demands what every deployment has: the next number, an object, remarks of bounded length.
pub(super) fn check_new(
    number: u64,
    newest: u64,
    object: &Bytes,
    (label, message): (&String, &String),
) -> Result<(), OpError> {
    let next = newest.saturating_add(1);
    if number != next {
        let message = format!("expected {next}, the number after the newest deployment");
        return Err(reject(code::OUT_OF_SEQUENCE, "number", message));
    }
    if object.is_empty() {
        return Err(reject(
            code::INVALID,
            "object",
            "expected the published object",
        ));
    }
    for (field, text, bytes_max) in [
        ("label", label, LABEL_BYTES_MAX),
        ("message", message, MESSAGE_BYTES_MAX),
    ] {
        if text.len() > bytes_max {
            let message = format!("expected at most {bytes_max} bytes");
            return Err(reject(code::INVALID, field, message));
        }
    }
    Ok(())
}

/// Removes the whole history of an API or asset.
pub(super) fn remove_all(
    draft: &mut Draft<'_>,
    environment: &str,
    owner: &str,
) -> Result<(), ReadError> {
    loop {
        // Each page is removed before the next is read, so every read starts at the front.
        let page = query::deployments(draft.state(), environment, owner, None, query::PAGE_MAX)?;
        for deployment in &page.items {
            for hash in [&deployment.object_hash, &deployment.document_hash] {
                draft.release(&stored_hash(Table::Deployment, hash)?)?;
            }
            let key = key::deployment(environment, owner, deployment.number);
            draft.write(Table::Deployment, key, None);
        }
        if page.next.is_none() {
            return Ok(());
        }
    }
}

/// Drops deployments beyond the bound. Numbers are dense, so the oldest kept one follows from the newest.
pub(super) fn forget_oldest(
    draft: &mut Draft<'_>,
    environment: &str,
    api_id: &str,
    newest: u64,
) -> Result<(), ReadError> {
    let Some(mut number) = newest.checked_sub(draft.bounds.deployments_per_api) else {
        return Ok(());
    };
    for _ in 0..PRUNE_BATCH {
        let Some(old) = query::deployment(draft.state(), environment, api_id, number)? else {
            return Ok(());
        };
        for hash in [&old.object_hash, &old.document_hash] {
            draft.release(&stored_hash(Table::Deployment, hash)?)?;
        }
        draft.write(
            Table::Deployment,
            key::deployment(environment, api_id, number),
            None,
        );
        number = number.saturating_sub(1);
    }
    Ok(())
}
