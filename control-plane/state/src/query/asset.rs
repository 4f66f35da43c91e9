//! Reads of what APIs share, and of what was fetched.

use super::{Page, Resource, page_of, resource, text};
use crate::{
    AssetKind, AssetRecord, FeedRecord, ReadError, ResourceKind, StateReader, Table,
    key::{self, Index},
    query::decode_resource,
};

/// Id of an asset among those of all kinds, as preconditions and events have it.
pub fn asset_key(kind: AssetKind, id: &str) -> String {
    format!("{}/{id}", kind.name())
}

/// Reads an asset.
///
/// # Errors
/// When the state cannot be read.
pub fn asset(
    reader: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    id: &str,
) -> Result<Option<Resource<AssetRecord>>, ReadError> {
    resource(reader, environment, &asset_key(kind, id))
}

/// Reads an asset by name.
///
/// # Errors
/// When the state cannot be read.
pub fn asset_by_name(
    reader: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    name: &str,
) -> Result<Option<Resource<AssetRecord>>, ReadError> {
    indexed(reader, Index::AssetName, environment, kind, name)
}

/// Reads an asset by what others call it: the cross id of a group, the key of a dictionary.
///
/// # Errors
/// When the state cannot be read.
pub fn asset_by_alias(
    reader: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    alias: &str,
) -> Result<Option<Resource<AssetRecord>>, ReadError> {
    indexed(reader, Index::AssetAlias, environment, kind, alias)
}

/// Lists the assets of a kind by id, after the id `after`.
///
/// # Errors
/// When the state cannot be read.
pub fn assets(
    reader: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<AssetRecord>>, ReadError> {
    let prefix = key::resource(ResourceKind::Asset, environment, &asset_key(kind, ""));
    let entries = page_of(reader, Table::Resource, &prefix, after, limit)?;
    entries.map(|_, bytes| decode_resource(Table::Resource, bytes))
}

/// Ids of up to `limit` APIs that use a shared policy group: `uses` says whether in drafts or deployed.
///
/// # Errors
/// When the state cannot be read.
pub fn users_of_asset(
    reader: &dyn StateReader,
    uses: Index,
    environment: &str,
    id: &str,
    limit: usize,
) -> Result<Vec<String>, ReadError> {
    let prefix = key::index_member(uses, environment, id, "");
    let page = page_of(reader, Table::Index, &prefix, None, limit)?;
    Ok(page.map(|api_id, _| Ok(api_id.to_owned()))?.items)
}

/// Reads what was fetched for a dictionary (`dictionary`) or an API (`properties`).
///
/// # Errors
/// When the state cannot be read.
pub fn feed(
    reader: &dyn StateReader,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<Option<Resource<FeedRecord>>, ReadError> {
    resource(reader, environment, &format!("{kind}/{id}"))
}

/// Lists what is fetched from elsewhere, as `<object kind>/<id>`.
///
/// # Errors
/// When the state cannot be read.
pub fn feeds(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<String>, ReadError> {
    let prefix = key::index_prefix(Index::Feed, environment);
    let page = page_of(reader, Table::Index, &prefix, after, limit)?;
    page.map(|name, _| Ok(name.to_owned()))
}

fn indexed(
    reader: &dyn StateReader,
    index: Index,
    environment: &str,
    kind: AssetKind,
    value: &str,
) -> Result<Option<Resource<AssetRecord>>, ReadError> {
    let key = key::index(index, environment, &asset_key(kind, value));
    match reader.get(Table::Index, &key)? {
        Some(id) => asset(reader, environment, kind, &text(Table::Index, &id)?),
        None => Ok(None),
    }
}
