//! Assets: what the APIs of an environment share. Draft and deployment are separate, as with APIs.

use bytes::Bytes;

use crate::{
    AssetKind, AssetRecord, DeploymentRecord, LiveRecord, ReadError, ResourceKind, Table, code,
    draft::Draft,
    key::{self, Index},
    op::{api::NAME_BYTES_MAX, deployment, feed, live},
    query,
    rejection::{OpError, check_id, check_text, reject},
};

/// Most assets of one environment: every edge of the environment holds those that are deployed.
const ASSETS_PER_ENVIRONMENT_MAX: usize = 10_000;

/// Writes the draft of an asset. Name and alias are unique among those of its kind.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutAsset {
    /// Environment of the asset.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// The draft; what it says about deployments is ignored.
    #[prost(message, required, tag = "2")]
    pub record: AssetRecord,
}

/// Removes an asset with its history. Refused while an API uses it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteAsset {
    /// Environment of the asset.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// What it is.
    #[prost(enumeration = "AssetKind", tag = "2")]
    pub kind: i32,
    /// Id of the asset.
    #[prost(string, tag = "3")]
    pub id: String,
}

/// Publishes an asset under a new number to every view of its environment.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeployAsset {
    /// Environment of the asset.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// What it is.
    #[prost(enumeration = "AssetKind", tag = "2")]
    pub kind: i32,
    /// Id of the asset.
    #[prost(string, tag = "3")]
    pub id: String,
    /// Must be the last number of the asset plus one: it stands inside `object` too.
    #[prost(uint64, tag = "4")]
    pub number: u64,
    /// Short label, may be empty.
    #[prost(string, tag = "5")]
    pub label: String,
    /// Longer message, may be empty.
    #[prost(string, tag = "6")]
    pub message: String,
    /// The published object as edges receive it.
    #[prost(bytes = "bytes", tag = "7")]
    pub object: Bytes,
    /// Whether its entries are fetched from elsewhere.
    #[prost(bool, tag = "8")]
    pub has_feed: bool,
}

/// Takes an asset out of all views. Refused while a deployed API uses it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WithdrawAsset {
    /// Environment of the asset.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// What it is.
    #[prost(enumeration = "AssetKind", tag = "2")]
    pub kind: i32,
    /// Id of the asset.
    #[prost(string, tag = "3")]
    pub id: String,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutAsset) -> Result<(), OpError> {
    let PutAsset {
        environment,
        record,
    } = op;
    draft.require_environment(environment)?;
    let kind = kind_of(record.kind)?;
    check_id("record.id", &record.id)?;
    check_text("record.name", &record.name, NAME_BYTES_MAX)?;
    let name = qualified(kind, &record.name);
    draft.require_free(Index::AssetName, environment, &name, &record.id, |holder| {
        let message = format!(
            "the {} \"{holder}\" has the name \"{}\"",
            kind.name(),
            record.name
        );
        reject(code::NAME_TAKEN, "record.name", message)
    })?;
    if !record.alias.is_empty() {
        check_text("record.alias", &record.alias, NAME_BYTES_MAX)?;
        let alias = qualified(kind, &record.alias);
        draft.require_free(
            Index::AssetAlias,
            environment,
            &alias,
            &record.id,
            |holder| {
                let message = format!(
                    "the {} \"{holder}\" is called \"{}\" too",
                    kind.name(),
                    record.alias
                );
                reject(code::NAME_TAKEN, "record.alias", message)
            },
        )?;
    }
    let before = find(draft, environment, kind, &record.id)?;
    if before.is_none() && is_full(draft, environment)? {
        let message = format!("the environment has {ASSETS_PER_ENVIRONMENT_MAX} assets");
        return Err(reject(code::LIMIT, "record.id", message));
    }
    let before = before.unwrap_or_default();
    index(draft, environment, kind, &before, record);
    let stored = AssetRecord {
        deployed_number: before.deployed_number,
        is_deployed: before.is_deployed,
        has_feed: before.has_feed,
        ..record.clone()
    };
    write(draft, environment, kind, &stored)?;
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, op: &DeleteAsset) -> Result<(), OpError> {
    let (environment, kind) = (&op.environment, kind_of(op.kind)?);
    let record = require(draft, environment, kind, &op.id)?;
    refuse_used(draft, environment, kind, &record, Index::AssetUse)?;
    refuse_used(draft, environment, kind, &record, Index::AssetLiveUse)?;
    live::clear(draft, environment, kind.name(), &op.id)?;
    feed::remove(draft, environment, kind.name(), &op.id)?;
    deployment::remove_all(draft, environment, &kind.owner(&op.id))?;
    let gone = AssetRecord {
        id: op.id.clone(),
        ..AssetRecord::default()
    };
    index(draft, environment, kind, &record, &gone);
    let id = qualified(kind, &op.id);
    draft.delete_record(ResourceKind::Asset, environment, &id);
    draft.changed(ResourceKind::Asset, environment, &id, &record.name, true);
    Ok(())
}

pub(super) fn deploy(draft: &mut Draft<'_>, op: &DeployAsset) -> Result<(), OpError> {
    let (environment, kind) = (&op.environment, kind_of(op.kind)?);
    let record = require(draft, environment, kind, &op.id)?;
    deployment::check_new(
        op.number,
        record.deployed_number,
        &op.object,
        (&op.label, &op.message),
    )?;
    let owner = kind.owner(&op.id);
    let object_hash = draft.retain_bytes(&op.object)?;
    let document_hash = draft.retain_bytes(&record.document)?;
    let deployment = DeploymentRecord {
        api_id: owner.clone(),
        number: op.number,
        label: op.label.clone(),
        message: op.message.clone(),
        author: draft.actor.to_owned(),
        created_ms: draft.time_ms,
        revision: draft.index,
        object_hash: Bytes::copy_from_slice(&object_hash),
        document_hash: Bytes::copy_from_slice(&document_hash),
        ..DeploymentRecord::default()
    };
    draft.put_record(environment, &format!("{owner}/{}", op.number), &deployment)?;
    let live = LiveRecord {
        object_hash: deployment.object_hash,
        object_len: live::length(&op.object),
        is_everywhere: true,
        ..LiveRecord::default()
    };
    live::set(draft, environment, kind.name(), &op.id, &live)?;
    if op.has_feed {
        feed::mark(draft, environment, kind.name(), &op.id, true)?;
    } else {
        feed::remove(draft, environment, kind.name(), &op.id)?;
    }
    let stored = AssetRecord {
        deployed_number: op.number,
        is_deployed: true,
        has_feed: op.has_feed,
        ..record
    };
    write(draft, environment, kind, &stored)?;
    draft.numbers.push(op.number);
    deployment::forget_oldest(draft, environment, &owner, op.number)?;
    Ok(())
}

pub(super) fn withdraw(draft: &mut Draft<'_>, op: &WithdrawAsset) -> Result<(), OpError> {
    let (environment, kind) = (&op.environment, kind_of(op.kind)?);
    let record = require(draft, environment, kind, &op.id)?;
    refuse_used(draft, environment, kind, &record, Index::AssetLiveUse)?;
    live::clear(draft, environment, kind.name(), &op.id)?;
    // What was fetched stays, for the next start.
    feed::mark(draft, environment, kind.name(), &op.id, false)?;
    let stored = AssetRecord {
        is_deployed: false,
        ..record
    };
    write(draft, environment, kind, &stored)?;
    Ok(())
}

/// Reads an asset that an operation needs.
pub(super) fn require(
    draft: &Draft<'_>,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<AssetRecord, OpError> {
    find(draft, environment, kind, id)?.ok_or_else(|| {
        let message = format!("the {} \"{id}\" does not exist", kind.name());
        reject(code::NOT_FOUND, "id", message)
    })
}

/// Demands that every group an API is deployed with is deployed itself.
pub(super) fn require_groups(
    draft: &Draft<'_>,
    environment: &str,
    groups: &[String],
) -> Result<(), OpError> {
    for (position, id) in groups.iter().enumerate() {
        let group = find(draft, environment, AssetKind::SharedPolicyGroup, id)?;
        if !group.is_some_and(|group| group.is_deployed) {
            let message = format!("the shared-policy-group \"{id}\" is not deployed");
            let field = format!("groups[{position}]");
            return Err(reject(code::NOT_FOUND, field, message));
        }
    }
    Ok(())
}

/// Moves the entries of one API among the users of groups.
pub(super) fn reindex_uses(
    draft: &mut Draft<'_>,
    index: Index,
    environment: &str,
    api_id: &str,
    (before, after): (&[String], &[String]),
) {
    for id in before.iter().filter(|id| !after.contains(id)) {
        let key = key::index_member(index, environment, id, api_id);
        draft.write(Table::Index, key, None);
    }
    for id in after.iter().filter(|id| !before.contains(id)) {
        let key = key::index_member(index, environment, id, api_id);
        draft.write(Table::Index, key, Some(Bytes::new()));
    }
}

fn find(
    draft: &Draft<'_>,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<Option<AssetRecord>, ReadError> {
    let found = draft.record::<AssetRecord>(environment, &qualified(kind, id))?;
    Ok(found.map(|found| found.value))
}

fn write(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: AssetKind,
    record: &AssetRecord,
) -> Result<(), ReadError> {
    let id = qualified(kind, &record.id);
    draft.put_record(environment, &id, record)?;
    draft.changed(ResourceKind::Asset, environment, &id, &record.name, false);
    Ok(())
}

fn kind_of(number: i32) -> Result<AssetKind, OpError> {
    match AssetKind::try_from(number) {
        Ok(kind) if kind != AssetKind::Unspecified => Ok(kind),
        Ok(_) | Err(_) => Err(reject(code::INVALID, "kind", "expected a kind of asset")),
    }
}

/// Assets of all kinds share a table; ids and names are their own in each kind.
fn qualified(kind: AssetKind, id: &str) -> String {
    query::asset_key(kind, id)
}

fn index(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: AssetKind,
    before: &AssetRecord,
    after: &AssetRecord,
) {
    let id = &after.id;
    let value = |text: &str| match text {
        "" => String::new(),
        text => qualified(kind, text),
    };
    for (index, before, after) in [
        (Index::AssetName, &before.name, &after.name),
        (Index::AssetAlias, &before.alias, &after.alias),
    ] {
        let (was, is) = (value(before), value(after));
        draft.reindex(index, environment, id, [&was], [&is]);
    }
}

/// Refuses while an API stands in a list of users.
fn refuse_used(
    draft: &Draft<'_>,
    environment: &str,
    kind: AssetKind,
    record: &AssetRecord,
    uses: Index,
) -> Result<(), OpError> {
    if kind != AssetKind::SharedPolicyGroup {
        return Ok(());
    }
    let users = query::users_of_asset(draft.state(), uses, environment, &record.id, 1)?;
    let Some(api_id) = users.first() else {
        return Ok(());
    };
    let how = match uses {
        Index::AssetLiveUse => "is deployed with it",
        _ => "has it in its draft",
    };
    let message = format!("API \"{api_id}\" {how}");
    Err(reject(code::ASSET_IN_USE, "id", message))
}

fn is_full(draft: &Draft<'_>, environment: &str) -> Result<bool, ReadError> {
    let prefix = key::resource_prefix(ResourceKind::Asset, environment);
    let found = draft
        .state()
        .scan(Table::Resource, &prefix, None, ASSETS_PER_ENVIRONMENT_MAX)?;
    Ok(found.len() >= ASSETS_PER_ENVIRONMENT_MAX)
}
