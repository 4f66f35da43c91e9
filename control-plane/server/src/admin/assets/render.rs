//! Stored assets as the messages clients see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate_model::AssetKind;
use tidegate_proto::admin::v1::{self as proto, Asset, Deployment, Feed};
use tidegate_state::{AssetRecord, Resource, StateReader, key::Index, query};

use super::{deploy, document_of, object, parse_definition, stored_kind};
use crate::admin::{Fault, apis};

/// Users named at most.
const USERS_MAX: usize = 100;

/// An asset with its document and entries.
pub(super) fn asset(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    stored: &Resource<AssetRecord>,
) -> Result<Asset, Fault> {
    let record = &stored.value;
    Ok(Asset {
        document: record.document.clone(),
        used_by: users(state, environment, kind, &record.id)?,
        feed: fetched(state, environment, kind.as_str(), &record.id)?,
        ..summary(state, environment, kind, stored)?
    })
}

/// An asset as lists show it.
pub(super) fn summary(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    stored: &Resource<AssetRecord>,
) -> Result<Asset, Fault> {
    let record = &stored.value;
    let document = document_of(record)?;
    let definition = parse_definition(kind, &document)?;
    let feed = fetched(state, environment, kind.as_str(), &record.id)?;
    Ok(Asset {
        kind: proto_kind(kind).into(),
        id: record.id.clone(),
        name: record.name.clone(),
        alias: record.alias.clone(),
        etag: stored.etag(),
        created_ms: stored.created_ms,
        updated_ms: stored.updated_ms,
        deployment_number: record.deployed_number,
        deployed: record.is_deployed,
        in_sync: deploy::is_live(state, environment, record, (&definition, &document))?,
        document: bytes::Bytes::new(),
        used_by: Vec::new(),
        feed: feed.map(|feed| Feed {
            entries: Default::default(),
            ..feed
        }),
    })
}

/// One deployment of an asset.
pub(super) fn deployment(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    record: &AssetRecord,
    number: u64,
) -> Result<Deployment, Fault> {
    let owner = stored_kind(kind).owner(&record.id);
    let found = query::deployment(state, environment, &owner, number)?;
    let found = found
        .ok_or_else(|| Fault::not_found("deployment", &format!("{}/{number}", record.name)))?;
    let live = if record.is_deployed {
        record.deployed_number
    } else {
        0
    };
    Ok(Deployment {
        api_id: record.id.clone(),
        ..apis::render_deployment(&found, live)
    })
}

/// What was fetched for a dictionary (`dictionary`) or an API (`properties`).
pub(crate) fn fetched(
    state: &dyn StateReader,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<Option<Feed>, Fault> {
    let Some(stored) = query::feed(state, environment, kind, id)? else {
        return Ok(None);
    };
    let record = stored.value;
    let entries = match record.object_hash.is_empty() {
        true => BTreeMap::new(),
        false => {
            let mut object = object(state, &record.object_hash)?;
            let entries = object.get_mut("entries").map(Value::take);
            serde_json::from_value(entries.unwrap_or_default())
                .map_err(|error| Fault::Internal(format!("fetched entries: {error}")))?
        }
    };
    Ok(Some(Feed {
        entries: entries.into_iter().collect(),
        fetched_ms: record.fetched_ms,
        error: record.error,
        failing_since_ms: record.failing_since_ms,
    }))
}

fn users(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<Vec<String>, Fault> {
    if kind != AssetKind::SharedPolicyGroup {
        return Ok(Vec::new());
    }
    let mut users = BTreeSet::new();
    for uses in [Index::AssetUse, Index::AssetLiveUse] {
        users.extend(query::users_of_asset(
            state,
            uses,
            environment,
            id,
            USERS_MAX,
        )?);
    }
    Ok(users.into_iter().take(USERS_MAX).collect())
}

fn proto_kind(kind: AssetKind) -> proto::AssetKind {
    match kind {
        AssetKind::SharedPolicyGroup => proto::AssetKind::SharedPolicyGroup,
        AssetKind::Dictionary => proto::AssetKind::Dictionary,
        AssetKind::Organization => proto::AssetKind::Organization,
    }
}
