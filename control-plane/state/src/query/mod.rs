//! Typed reads. All are bounded: lists give one page, at most [`PAGE_MAX`] entries.

mod asset;
mod catalog;
mod event;
mod publication;

use bytes::Bytes;
use prost::Message;

pub use asset::{
    asset, asset_by_alias, asset_by_name, asset_key, assets, feed, feeds, users_of_asset,
};
pub use catalog::{
    api, api_by_name, api_of_plan, apis, application, application_by_client_id,
    application_by_name, applications, claims, claims_revision, environment, environments,
    subscription, subscription_by_key_hash, subscription_by_key_id, subscriptions,
    subscriptions_of_api, subscriptions_of_application, token, token_by_secret_hash, tokens,
};
pub use event::{EventCursor, events, events_pruned_to};
pub use publication::{
    LiveObject, cluster, deployment, deployments, feature_level, hash_of, keyset, keysets, live,
    live_objects, manifest, object, object_references, view, views,
};

pub use crate::idempotency::recall as recorded_reply;

use crate::{
    ApiRecord, ApplicationRecord, AssetRecord, ClusterRecord, DeploymentRecord, EnvironmentRecord,
    FeedRecord, KeysetRecord, LiveRecord, ManifestRecord, ReadError, ResourceKind, StateReader,
    SubscriptionRecord, Table, TokenRecord, ViewRecord,
    draft::decode_stored,
    key::{self, Index},
};

/// Most entries of one page.
pub const PAGE_MAX: usize = 1000;

/// A record that is a resource of its own.
pub trait Record: Message + Default {
    /// Its kind.
    const KIND: ResourceKind;
}

impl Record for EnvironmentRecord {
    const KIND: ResourceKind = ResourceKind::Environment;
}
impl Record for ApiRecord {
    const KIND: ResourceKind = ResourceKind::Api;
}
impl Record for ApplicationRecord {
    const KIND: ResourceKind = ResourceKind::Application;
}
impl Record for SubscriptionRecord {
    const KIND: ResourceKind = ResourceKind::Subscription;
}
impl Record for AssetRecord {
    const KIND: ResourceKind = ResourceKind::Asset;
}
impl Record for FeedRecord {
    const KIND: ResourceKind = ResourceKind::Feed;
}
impl Record for TokenRecord {
    const KIND: ResourceKind = ResourceKind::Token;
}
impl Record for ViewRecord {
    const KIND: ResourceKind = ResourceKind::View;
}
impl Record for ManifestRecord {
    const KIND: ResourceKind = ResourceKind::Manifest;
}
impl Record for KeysetRecord {
    const KIND: ResourceKind = ResourceKind::Keyset;
}
impl Record for ClusterRecord {
    const KIND: ResourceKind = ResourceKind::Cluster;
}
impl Record for DeploymentRecord {
    const KIND: ResourceKind = ResourceKind::Deployment;
}
impl Record for LiveRecord {
    const KIND: ResourceKind = ResourceKind::Live;
}
/// The claims of an environment have no content: only their revision says something.
impl Record for () {
    const KIND: ResourceKind = ResourceKind::Claims;
}

/// A record with its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<T> {
    /// Log index of the last change.
    pub revision: u64,
    /// Time of creation, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Time of the last change, milliseconds since the Unix epoch.
    pub updated_ms: u64,
    /// Who made the last change.
    pub actor: String,
    /// The record.
    pub value: T,
}

impl<T> Resource<T> {
    /// What a client sends back to change exactly this version.
    pub fn etag(&self) -> String {
        self.revision.to_string()
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Reads one resource.
///
/// # Errors
/// When the state cannot be read.
pub fn resource<T: Record>(
    reader: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Option<Resource<T>>, ReadError> {
    let Some((table, key)) = key::locate(T::KIND, environment, id) else {
        return Ok(None);
    };
    match reader.get(table, &key)? {
        Some(bytes) => decode_resource(table, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Lists resources of a kind by id, after the id `after`.
///
/// # Errors
/// When the state cannot be read.
pub fn resources<T: Record>(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<T>>, ReadError> {
    let prefix = key::resource_prefix(T::KIND, environment);
    let entries = page_of(reader, Table::Resource, &prefix, after, limit)?;
    entries.map(|_, bytes| decode_resource(Table::Resource, bytes))
}

fn by_index<T: Record>(
    reader: &dyn StateReader,
    index: Index,
    environment: &str,
    value: &str,
) -> Result<Option<Resource<T>>, ReadError> {
    match reader.get(Table::Index, &key::index(index, environment, value))? {
        Some(id) => resource(reader, environment, &text(Table::Index, &id)?),
        None => Ok(None),
    }
}

fn members(
    reader: &dyn StateReader,
    index: Index,
    environment: &str,
    owner: &str,
    (after, limit): (Option<&str>, usize),
) -> Result<Page<Resource<SubscriptionRecord>>, ReadError> {
    let prefix = key::index_member(index, environment, owner, "");
    page_of(reader, Table::Index, &prefix, after, limit)?.map(|id, _| {
        subscription(reader, environment, id)?
            .ok_or_else(|| ReadError::corrupt(Table::Index, "a listed subscription is missing"))
    })
}

/// Entries of one page before decoding; names are keys without the prefix.
struct RawPage {
    entries: Vec<(String, Bytes)>,
    next: Option<String>,
}

impl RawPage {
    fn map<T>(
        self,
        mut decode: impl FnMut(&str, &Bytes) -> Result<T, ReadError>,
    ) -> Result<Page<T>, ReadError> {
        let items = self
            .entries
            .iter()
            .map(|(name, bytes)| decode(name, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page {
            items,
            next: self.next,
        })
    }
}

fn page_of(
    reader: &dyn StateReader,
    table: Table,
    prefix: &Bytes,
    after: Option<&str>,
    limit: usize,
) -> Result<RawPage, ReadError> {
    let after = after.map(|after| [prefix.as_ref(), after.as_bytes()].concat());
    let limit = limit.clamp(1, PAGE_MAX);
    let mut found = reader.scan(table, prefix, after.as_deref(), limit.saturating_add(1))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let entries = found
        .into_iter()
        .map(|(key, bytes)| {
            let name = key.get(prefix.len()..).unwrap_or_default();
            Ok((text(table, name)?, bytes))
        })
        .collect::<Result<Vec<_>, ReadError>>()?;
    let next = entries
        .last()
        .filter(|_| more)
        .map(|(name, _)| name.clone());
    Ok(RawPage { entries, next })
}

fn decode_resource<T: Record>(table: Table, bytes: &Bytes) -> Result<Resource<T>, ReadError> {
    let stored = decode_stored(table, bytes)?;
    let value =
        T::decode(stored.value).map_err(|error| ReadError::corrupt(table, error.to_string()))?;
    Ok(Resource {
        revision: stored.revision,
        created_ms: stored.created_ms,
        updated_ms: stored.updated_ms,
        actor: stored.actor,
        value,
    })
}

fn text(table: Table, bytes: &[u8]) -> Result<String, ReadError> {
    String::from_utf8(bytes.to_vec()).map_err(|error| ReadError::corrupt(table, error.to_string()))
}
