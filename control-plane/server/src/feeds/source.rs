//! What is fetched, read from the state: where from, when, and what is known of the last time.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tidegate_jolt::Transformation;
use tidegate_model::{
    Api, ApiId, Asset, AssetKind, DictionaryObject, ObjectKind, PropertiesObject,
    asset::{DictionarySource, Feed},
};
use tidegate_state::{AssetKind as StoredKind, FeedRecord, ReadError, StateReader, query};

use super::LastEntries;

/// Feeds and environments read at once.
const PAGE: usize = 500;

/// Whose entries are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub environment: String,
    /// A dictionary, or the properties of an API.
    pub kind: ObjectKind,
    pub id: String,
}

/// Where entries come from.
pub(super) struct Source {
    pub feed: Feed,
    /// Compiled once; what is wrong with it was said at the deployment, and is said again.
    pub transformation: Result<Option<Arc<Transformation>>, String>,
    /// The key of a dictionary.
    key: String,
    /// What is recorded of the last time.
    pub last: FeedRecord,
    /// The newest entries; `None` before the first.
    pub entries: Option<LastEntries>,
}

impl Source {
    #[cfg(test)]
    pub(super) fn for_tests(feed: Feed, entries: Option<LastEntries>, last: FeedRecord) -> Self {
        Self {
            feed,
            transformation: Ok(None),
            key: "routing".to_owned(),
            last,
            entries,
        }
    }

    /// True if entries come from the same place in the same way.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.feed == other.feed && self.key == other.key
    }

    /// When it is fetched first: at once if it never was, else when its schedule says so.
    pub(super) fn first_due(&self, now_ms: u64) -> Option<u64> {
        if self.entries.is_none() {
            return Some(now_ms);
        }
        let last = self.last.fetched_ms.max(self.last.failing_since_ms);
        self.feed
            .schedule
            .next_after(last)
            .map(|due| due.max(now_ms))
    }

    /// The object that edges get.
    pub(super) fn object(&self, owner: &Owner, entries: LastEntries) -> Option<Bytes> {
        let object = match owner.kind {
            ObjectKind::Dictionary => serde_json::to_vec(&DictionaryObject {
                id: owner.id.clone(),
                key: self.key.clone(),
                entries,
            }),
            _ => serde_json::to_vec(&PropertiesObject {
                api: ApiId::parse(owner.id.as_str()).ok()?,
                entries,
            }),
        };
        object.ok().map(Bytes::from)
    }
}

/// Everything that is fetched, in all environments.
pub(super) fn read_all(state: &dyn StateReader) -> Result<Vec<(Owner, Source)>, ReadError> {
    let mut sources = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = query::environments(state, after.as_deref(), PAGE)?;
        for environment in &page.items {
            read_environment(state, &environment.value.id, &mut sources)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(sources);
        }
    }
}

fn read_environment(
    state: &dyn StateReader,
    environment: &str,
    sources: &mut Vec<(Owner, Source)>,
) -> Result<(), ReadError> {
    let mut after: Option<String> = None;
    loop {
        let page = query::feeds(state, environment, after.as_deref(), PAGE)?;
        for name in &page.items {
            let Some((kind, id)) = name.split_once('/') else {
                continue;
            };
            let Ok(kind) = kind.parse::<ObjectKind>() else {
                continue;
            };
            let owner = Owner {
                environment: environment.to_owned(),
                kind,
                id: id.to_owned(),
            };
            match read_one(state, &owner)? {
                Some(source) => sources.push((owner, source)),
                None => tracing::error!(name, "what is fetched cannot be read"),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// `None` for a definition that cannot be read, although it was deployed.
fn read_one(state: &dyn StateReader, owner: &Owner) -> Result<Option<Source>, ReadError> {
    let Owner {
        environment,
        kind,
        id,
    } = owner;
    let found = match kind {
        ObjectKind::Dictionary => of_dictionary(state, environment, id)?,
        _ => of_api(state, environment, id)?.map(|feed| (feed, String::new())),
    };
    let Some((feed, key)) = found else {
        return Ok(None);
    };
    let last = query::feed(state, environment, kind.as_str(), id)?;
    let last = last.map(|last| last.value).unwrap_or_default();
    let entries = match last.object_hash.is_empty() {
        true => None,
        false => object(state, &last.object_hash)?
            .and_then(|mut object| object.get_mut("entries").map(Value::take))
            .and_then(|entries| serde_json::from_value(entries).ok()),
    };
    let compiled = feed.transformation.as_ref().map(Transformation::compile);
    let transformation = compiled
        .transpose()
        .map(|compiled| compiled.map(Arc::new))
        .map_err(|error| format!("the transformation is not valid: {error}"));
    Ok(Some(Source {
        feed,
        transformation,
        key,
        last,
        entries,
    }))
}

/// The feed and key of the dictionary as it is deployed.
fn of_dictionary(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Option<(Feed, String)>, ReadError> {
    let kind = StoredKind::Dictionary;
    let Some(stored) = query::asset(state, environment, kind, id)? else {
        return Ok(None);
    };
    let number = stored.value.deployed_number;
    let Some(deployed) = query::deployment(state, environment, &kind.owner(id), number)? else {
        return Ok(None);
    };
    let Some(document) = object(state, &deployed.document_hash)? else {
        return Ok(None);
    };
    Ok(
        match Asset::from_canonical(AssetKind::Dictionary, &document) {
            Ok(Asset::Dictionary(dictionary)) => {
                let key = dictionary.key().to_owned();
                match dictionary.source {
                    DictionarySource::Dynamic(feed) => Some((*feed, key)),
                    DictionarySource::Manual(_) => None,
                }
            }
            Ok(_) | Err(_) => None,
        },
    )
}

/// The feed of the API as it is deployed.
fn of_api(state: &dyn StateReader, environment: &str, id: &str) -> Result<Option<Feed>, ReadError> {
    let Some(live) = query::live(state, environment, ObjectKind::Api.as_str(), id)? else {
        return Ok(None);
    };
    let Some(object) = object(state, &live.value.object_hash)? else {
        return Ok(None);
    };
    let api = object
        .get("definition")
        .and_then(|definition| Api::from_canonical(definition).ok());
    let service = api.and_then(|api| api.services.dynamic_property);
    Ok(service.and_then(|service| Feed::of_service(&service).ok().flatten()))
}

fn object(state: &dyn StateReader, hash: &[u8]) -> Result<Option<Value>, ReadError> {
    let bytes = query::object(state, &query::hash_of(hash)?)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
