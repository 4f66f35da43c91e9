//! Publishing assets: decisions only; nothing is written here.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use tidegate_jolt::Transformation;
use tidegate_model::{
    Asset, AssetKind, DictionaryObject, OrganizationObject, SharedPolicyGroupObject, Violation,
    asset::{Dictionary, DictionarySource, Feed},
};
use tidegate_state::{AssetRecord, Resource, ResourceKind, StateReader, op::DeployAsset, query};

use super::{document_of, live_object, object, parse_definition, stored_kind};
use crate::admin::{
    Decision, Fault,
    apis::{Remarks, check_etag, to_bytes},
};

/// Members that no edge needs.
const MANAGEMENT: &[&str] = &["description", "prerequisiteMessage", "x-tidegate-metadata"];

/// Relies on an asset being as it was read.
pub(super) fn relies_on(
    decision: &mut Decision,
    environment: &str,
    kind: AssetKind,
    stored: &Resource<AssetRecord>,
) {
    let id = query::asset_key(stored_kind(kind), &stored.value.id);
    decision.relies_on(ResourceKind::Asset, environment, &id, stored.revision);
}

/// Decides the deployment of the stored draft.
pub(super) fn deploy_draft(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    stored: &Resource<AssetRecord>,
    if_match: &str,
    remarks: &Remarks,
) -> Result<Decision, Fault> {
    let record = &stored.value;
    let what = format!("{kind} {:?}", record.name);
    check_etag(&what, stored.revision, if_match)?;
    let mut decision = Decision::default();
    relies_on(&mut decision, environment, kind, stored);
    let document = document_of(record)?;
    let asset = parse_definition(kind, &document)?;
    let violations = reasons_against(&asset);
    if !violations.is_empty() {
        return Err(undeployable(kind, violations));
    }
    let number = record.deployed_number + 1;
    let op = deployment(
        state,
        environment,
        record,
        (&asset, &document),
        number,
        remarks,
    )?;
    decision.ops.push(op.into());
    Ok(decision)
}

/// What keeps an asset from being deployed.
pub(super) fn reasons_against(asset: &Asset) -> Vec<Violation> {
    let mut reasons = tidegate_policies::undeployable_asset(asset);
    let path = "provider.configuration.useSystemProxy";
    reasons.extend(feed_of(asset).and_then(|feed| check_proxy(feed, path)));
    reasons
}

fn undeployable(kind: AssetKind, violations: Vec<Violation>) -> Fault {
    let message = match violations.as_slice() {
        [only] => format!(
            "the {kind} cannot be deployed: {}: expected {}",
            only.path, only.expected
        ),
        many => format!("the {kind} cannot be deployed for {} reasons", many.len()),
    };
    Fault::Refused {
        key: "ASSET_NOT_DEPLOYABLE",
        message,
        violations,
    }
}

/// The operation that publishes an asset under `number`.
pub(super) fn deployment(
    state: &dyn StateReader,
    environment: &str,
    record: &AssetRecord,
    (asset, document): (&Asset, &Value),
    number: u64,
    remarks: &Remarks,
) -> Result<DeployAsset, Fault> {
    let id = record.id.as_str();
    let object = match asset {
        Asset::SharedPolicyGroup(_) => serialised(&SharedPolicyGroupObject {
            id: id.to_owned(),
            definition: deployed_part(document),
            deployment_number: number,
        })?,
        Asset::Organization(_) => serialised(&OrganizationObject {
            id: id.to_owned(),
            definition: deployed_part(document),
            deployment_number: number,
        })?,
        Asset::Dictionary(dictionary) => {
            let entries = entries(state, environment, id, dictionary)?;
            serialised(&dictionary_object(id, dictionary, entries))?
        }
    };
    Ok(DeployAsset {
        environment: environment.to_owned(),
        kind: stored_kind(asset.kind()).into(),
        id: id.to_owned(),
        number,
        label: remarks.label.clone(),
        message: remarks.message.clone(),
        object,
        has_feed: feed_of(asset).is_some(),
    })
}

/// True if edges have exactly what a deployment of `document` would give them.
pub(super) fn is_live(
    state: &dyn StateReader,
    environment: &str,
    record: &AssetRecord,
    (asset, document): (&Asset, &Value),
) -> Result<bool, Fault> {
    if !record.is_deployed {
        return Ok(false);
    }
    let kind = asset.kind();
    let Some(live) = live_object(state, environment, kind, &record.id)? else {
        return Ok(false);
    };
    if let Asset::Dictionary(dictionary) = asset {
        // Entries of a dynamic one come and go without a deployment; where they come from must be the same.
        let newest = newest_document(state, environment, kind, record)?;
        let is_same =
            newest.is_some_and(|newest| deployed_part(&newest) == deployed_part(document));
        return Ok(match &dictionary.source {
            DictionarySource::Dynamic(_) => is_same,
            DictionarySource::Manual(entries) => {
                let object = dictionary_object(&record.id, dictionary, entries.clone());
                serde_json::to_value(object).is_ok_and(|object| object == live)
            }
        });
    }
    Ok(live.get("definition") == Some(&deployed_part(document)))
}

/// The draft that was deployed last.
fn newest_document(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    record: &AssetRecord,
) -> Result<Option<Value>, Fault> {
    let owner = stored_kind(kind).owner(&record.id);
    match query::deployment(state, environment, &owner, record.deployed_number)? {
        Some(deployment) => object(state, &deployment.document_hash).map(Some),
        None => Ok(None),
    }
}

/// What of a document reaches edges.
fn deployed_part(document: &Value) -> Value {
    let mut part = document.clone();
    if let Value::Object(members) = &mut part {
        members.retain(|name, _| !MANAGEMENT.contains(&name.as_str()));
    }
    part
}

fn dictionary_object(
    id: &str,
    dictionary: &Dictionary,
    entries: BTreeMap<String, String>,
) -> DictionaryObject {
    let key = match dictionary.key.as_str() {
        "" => id,
        key => key,
    };
    DictionaryObject {
        id: id.to_owned(),
        key: key.to_owned(),
        entries,
    }
}

/// The entries that edges get at a deployment: a dynamic dictionary begins with what was fetched last.
fn entries(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
    dictionary: &Dictionary,
) -> Result<BTreeMap<String, String>, Fault> {
    match &dictionary.source {
        DictionarySource::Manual(entries) => Ok(entries.clone()),
        DictionarySource::Dynamic(_) => {
            let kind = AssetKind::Dictionary.as_str();
            let feed = super::render::fetched(state, environment, kind, id)?;
            let entries = feed.map(|feed| feed.entries).unwrap_or_default();
            Ok(entries.into_iter().collect())
        }
    }
}

/// Where the entries of an asset are fetched.
pub(super) fn feed_of(asset: &Asset) -> Option<&Feed> {
    match asset {
        Asset::Dictionary(Dictionary {
            source: DictionarySource::Dynamic(feed),
            ..
        }) => Some(feed),
        Asset::Dictionary(_) | Asset::SharedPolicyGroup(_) | Asset::Organization(_) => None,
    }
}

/// Refuses a feed that is to be fetched through a proxy: the control plane has none.
pub(crate) fn check_proxy(feed: &Feed, path: &str) -> Option<Violation> {
    feed.uses_system_proxy.then(|| {
        let expected = "false: the control plane, which fetches, calls without a proxy";
        Violation::new(path, true, expected)
    })
}

/// Compiles the transformation of a feed, to say what is wrong with it.
pub(crate) fn check_transformation(feed: &Feed, path: &str) -> Option<Violation> {
    let specification = feed.transformation.as_ref()?;
    let error = Transformation::compile(specification).err()?;
    Some(Violation::new(
        path,
        "",
        format!("a JOLT specification: {error}"),
    ))
}

fn serialised<T: serde::Serialize>(object: &T) -> Result<Bytes, Fault> {
    serde_json::to_value(object)
        .map_err(|error| Fault::Internal(format!("an object does not serialise: {error}")))
        .and_then(|value| to_bytes(&value))
}
