//! Finding what a request names: resources by id or name, documents, live objects.

use memchr::memmem;
use serde_json::Value;
use tidegate_model::{ApiObject, AssetKind};
use tidegate_state::{
    ApiRecord, ApplicationRecord, AssetRecord, DeploymentRecord, EnvironmentRecord, Resource,
    StateReader, SubscriptionRecord, query,
};

use super::{Fault, assets::stored_kind};

/// Drafts read at once while looking for a cross id.
const APIS_PAGE: usize = 100;
/// Longest id or name that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// Refuses what cannot be an id or a name before it becomes part of a storage key.
fn check(kind: &'static str, text: &str) -> Result<(), Fault> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Fault::not_found(kind, text));
    }
    Ok(())
}

/// The environment a request works in.
pub(crate) fn environment(
    state: &dyn StateReader,
    id: &str,
) -> Result<Resource<EnvironmentRecord>, Fault> {
    query::environment(state, id)?.ok_or_else(|| Fault::not_found("environment", id))
}

/// An API by id, else by name.
pub(crate) fn api(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
) -> Result<Resource<ApiRecord>, Fault> {
    check("API", api)?;
    if let Some(found) = query::api(state, environment, api)? {
        return Ok(found);
    }
    query::api_by_name(state, environment, api)?.ok_or_else(|| Fault::not_found("API", api))
}

/// The API whose draft has this cross id, if there is one.
///
/// Cross ids are not indexed: they are looked for when a document without id is imported, which is
/// rare, and only drafts that hold the text are parsed.
pub(crate) fn api_by_cross_id(
    state: &dyn StateReader,
    environment: &str,
    cross_id: &str,
) -> Result<Option<Resource<ApiRecord>>, Fault> {
    let wanted = Value::from(cross_id);
    // Drafts are written by the same serialiser, so the text stands in them as it does here.
    let written = wanted.to_string();
    let finder = memmem::Finder::new(written.as_bytes());
    let mut after = None;
    loop {
        let page = query::apis(state, environment, after.as_deref(), APIS_PAGE)?;
        for found in page.items {
            if finder.find(&found.value.document).is_some()
                && document(&found.value)?.get("crossId") == Some(&wanted)
            {
                return Ok(Some(found));
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(None),
        }
    }
}

/// An application by id, else by name.
pub(crate) fn application(
    state: &dyn StateReader,
    environment: &str,
    application: &str,
) -> Result<Resource<ApplicationRecord>, Fault> {
    check("application", application)?;
    if let Some(found) = query::application(state, environment, application)? {
        return Ok(found);
    }
    query::application_by_name(state, environment, application)?
        .ok_or_else(|| Fault::not_found("application", application))
}

/// An asset by id, else by what others call it, else by name.
pub(crate) fn asset(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    asset: &str,
) -> Result<Resource<AssetRecord>, Fault> {
    check(kind.as_str(), asset)?;
    let stored = stored_kind(kind);
    if let Some(found) = query::asset(state, environment, stored, asset)? {
        return Ok(found);
    }
    if let Some(found) = query::asset_by_alias(state, environment, stored, asset)? {
        return Ok(found);
    }
    query::asset_by_name(state, environment, stored, asset)?
        .ok_or_else(|| Fault::not_found(kind.as_str(), asset))
}

/// A subscription by id.
pub(crate) fn subscription(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Resource<SubscriptionRecord>, Fault> {
    check("subscription", id)?;
    query::subscription(state, environment, id)?.ok_or_else(|| Fault::not_found("subscription", id))
}

/// The draft document of an API.
pub(crate) fn document(record: &ApiRecord) -> Result<Value, Fault> {
    serde_json::from_slice(&record.document)
        .map_err(|error| Fault::Internal(format!("draft of API {}: {error}", record.id)))
}

/// What edges have of an API; `None` when it was never deployed.
pub(crate) fn live_object(
    state: &dyn StateReader,
    environment: &str,
    api_id: &str,
) -> Result<Option<ApiObject>, Fault> {
    match query::live(state, environment, "api", api_id)? {
        Some(live) => object(state, &live.value.object_hash).map(Some),
        None => Ok(None),
    }
}

/// One deployment of an API.
pub(crate) fn deployment(
    state: &dyn StateReader,
    environment: &str,
    api: &ApiRecord,
    number: u64,
) -> Result<DeploymentRecord, Fault> {
    query::deployment(state, environment, &api.id, number)?
        .ok_or_else(|| Fault::not_found("deployment", &format!("{}/{number}", api.name)))
}

/// The API object with a hash.
pub(crate) fn object(state: &dyn StateReader, hash: &[u8]) -> Result<ApiObject, Fault> {
    let hash = query::hash_of(hash)?;
    let bytes = query::object(state, &hash)?
        .ok_or_else(|| Fault::Internal("a published object is missing".to_owned()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Internal(format!("a published object does not parse: {error}")))
}
