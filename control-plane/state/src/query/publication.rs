//! Reads of what edges get: deployments, objects, views, manifests, keysets, the cluster.

use bytes::Bytes;

use super::{PAGE_MAX, Page, Resource, decode_resource, page_of, resource, resources};
use crate::{
    ClusterRecord, DeploymentRecord, Hash, KeysetRecord, LiveRecord, ManifestRecord, ReadError,
    StateReader, Table, ViewRecord, draft::stored_hash, key,
};

/// One object that views are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveObject {
    /// Object kind, such as "api" or "subscription".
    pub kind: String,
    /// Id of the object.
    pub id: String,
    /// Log index of the last change.
    pub revision: u64,
    /// Hash, length and entitlement facts.
    pub record: LiveRecord,
}

/// Reads one deployment.
///
/// # Errors
/// When the state cannot be read.
pub fn deployment(
    reader: &dyn StateReader,
    environment: &str,
    api_id: &str,
    number: u64,
) -> Result<Option<DeploymentRecord>, ReadError> {
    let key = key::deployment(environment, api_id, number);
    match reader.get(Table::Deployment, &key)? {
        Some(bytes) => Ok(Some(decode_resource(Table::Deployment, &bytes)?.value)),
        None => Ok(None),
    }
}

/// Lists deployments of an API, newest first, with numbers below `before`.
///
/// # Errors
/// When the state cannot be read.
pub fn deployments(
    reader: &dyn StateReader,
    environment: &str,
    api_id: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Page<DeploymentRecord>, ReadError> {
    let prefix = key::deployment_prefix(environment, api_id);
    let after = before.map(|number| key::deployment(environment, api_id, number));
    let limit = limit.clamp(1, PAGE_MAX);
    let mut entries = reader.scan(
        Table::Deployment,
        &prefix,
        after.as_deref(),
        limit.saturating_add(1),
    )?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let items = entries
        .iter()
        .map(|(_, bytes)| Ok(decode_resource::<DeploymentRecord>(Table::Deployment, bytes)?.value))
        .collect::<Result<Vec<_>, ReadError>>()?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| last.number.to_string());
    Ok(Page { items, next })
}

/// Reads content-addressed bytes: published objects and the documents of deployments.
///
/// # Errors
/// When the state cannot be read.
pub fn object(reader: &dyn StateReader, hash: &Hash) -> Result<Option<Bytes>, ReadError> {
    reader.get(Table::Object, &key::object_bytes(hash))
}

/// Counts the references to content-addressed bytes.
///
/// # Errors
/// When the state cannot be read.
pub fn object_references(reader: &dyn StateReader, hash: &Hash) -> Result<u64, ReadError> {
    let Some(bytes) = reader.get(Table::Object, &key::object_count(hash))? else {
        return Ok(0);
    };
    let bytes = bytes.as_ref().try_into();
    bytes.map(u64::from_be_bytes).map_err(|_wrong_length| {
        ReadError::corrupt(Table::Object, "a reference count is not 8 bytes")
    })
}

/// Reads one live object.
///
/// # Errors
/// When the state cannot be read.
pub fn live(
    reader: &dyn StateReader,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<Option<Resource<LiveRecord>>, ReadError> {
    match reader.get(Table::Live, &key::live(environment, kind, id))? {
        Some(bytes) => decode_resource(Table::Live, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Lists live objects of an environment by kind and id. Pass [`Page::next`] back as `after`.
///
/// # Errors
/// When the state cannot be read.
pub fn live_objects(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<LiveObject>, ReadError> {
    let prefix = key::live_prefix(environment);
    page_of(reader, Table::Live, &prefix, after, limit)?.map(|name, bytes| {
        let (kind, id) = name
            .split_once('\0')
            .ok_or_else(|| ReadError::corrupt(Table::Live, "a key has no object kind"))?;
        let stored = decode_resource::<LiveRecord>(Table::Live, bytes)?;
        Ok(LiveObject {
            kind: kind.to_owned(),
            id: id.to_owned(),
            revision: stored.revision,
            record: stored.value,
        })
    })
}

/// Reads the hash of a live object or of a deployment.
///
/// # Errors
/// When the stored hash is not 32 bytes.
pub fn hash_of(bytes: &[u8]) -> Result<Hash, ReadError> {
    stored_hash(Table::Live, bytes)
}

/// Reads a view.
///
/// # Errors
/// When the state cannot be read.
pub fn view(
    reader: &dyn StateReader,
    view_id: &str,
) -> Result<Option<Resource<ViewRecord>>, ReadError> {
    resource(reader, "", view_id)
}

/// Lists views of all environments by id.
///
/// # Errors
/// When the state cannot be read.
pub fn views(
    reader: &dyn StateReader,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<ViewRecord>>, ReadError> {
    resources(reader, "", after, limit)
}

/// Reads the newest manifest of a view.
///
/// # Errors
/// When the state cannot be read.
pub fn manifest(
    reader: &dyn StateReader,
    view_id: &str,
) -> Result<Option<Resource<ManifestRecord>>, ReadError> {
    resource(reader, "", view_id)
}

/// Lists keyset versions above `after_version`, oldest first.
///
/// # Errors
/// When the state cannot be read.
pub fn keysets(
    reader: &dyn StateReader,
    after_version: u64,
    limit: usize,
) -> Result<Vec<KeysetRecord>, ReadError> {
    let after = key::keyset_id(after_version);
    let page = resources::<KeysetRecord>(reader, "", Some(&after), limit)?;
    Ok(page.items.into_iter().map(|keyset| keyset.value).collect())
}

/// Reads one keyset version.
///
/// # Errors
/// When the state cannot be read.
pub fn keyset(reader: &dyn StateReader, version: u64) -> Result<Option<KeysetRecord>, ReadError> {
    let keyset = resource::<KeysetRecord>(reader, "", &key::keyset_id(version))?;
    Ok(keyset.map(|keyset| keyset.value))
}

/// Reads what the cluster is; `None` before bootstrap.
///
/// # Errors
/// When the state cannot be read.
pub fn cluster(reader: &dyn StateReader) -> Result<Option<Resource<ClusterRecord>>, ReadError> {
    resource(reader, "", "")
}

/// Reads the feature level of the cluster; 1 before bootstrap.
///
/// # Errors
/// When the state cannot be read.
pub fn feature_level(reader: &dyn StateReader) -> Result<u32, ReadError> {
    Ok(cluster(reader)?.map_or(1, |cluster| cluster.value.feature_level.max(1)))
}
