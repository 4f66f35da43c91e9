//! Subscriptions and their API keys.

use bytes::Bytes;

use crate::{
    ApplicationRecord, LiveRecord, ReadError, ResourceKind, SubscriptionRecord, SubscriptionStatus,
    Table,
    bounds::SCAN_PAGE,
    code,
    draft::{Draft, stored_hash},
    key::{self, Index},
    op::{api, live},
    query,
    rejection::{OpError, check_id, reject},
};

/// Keys of one subscription, revoked and expired ones included.
const KEYS_MAX: usize = 256;

/// Writes a subscription with its keys, and the object edges get of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutSubscription {
    /// Environment of the subscription.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// The subscription; API and application never change, its `object_hash` is ignored.
    #[prost(message, required, tag = "2")]
    pub record: SubscriptionRecord,
    /// The object for views, only for an accepted subscription; live as soon as its API is.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub object: Option<Bytes>,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutSubscription) -> Result<(), OpError> {
    let PutSubscription {
        environment,
        record,
        object,
    } = op;
    draft.require_environment(environment)?;
    let before = draft.record::<SubscriptionRecord>(environment, &record.id)?;
    let before = before.map(|before| before.value);
    check(draft, op, before.as_ref())?;
    check_keys(draft, environment, record)?;

    let object_hash = match object {
        Some(object) => Bytes::copy_from_slice(&draft.retain_bytes(object)?),
        None => Bytes::new(),
    };
    let stored = SubscriptionRecord {
        object_hash,
        ..record.clone()
    };
    index(draft, environment, before.as_ref(), Some(&stored));
    draft.put_record(environment, &record.id, &stored)?;
    draft.changed(
        ResourceKind::Subscription,
        environment,
        &record.id,
        "",
        false,
    );
    let api_name = format!("{}/{}", live::API, record.api_id);
    if let Some(api) = draft.record::<LiveRecord>(environment, &api_name)? {
        let hash = &stored.object_hash;
        live::set_subscription(draft, environment, &api.value, &record.id, hash)?;
    }
    // Released last, so that an unchanged object is never removed and written again.
    release_object(draft, before.as_ref())?;
    Ok(())
}

/// Removes all subscriptions that an index lists under `owner`.
pub(super) fn remove_all(
    draft: &mut Draft<'_>,
    list: Index,
    environment: &str,
    owner: &str,
) -> Result<(), ReadError> {
    each(draft, list, environment, owner, |draft, record| {
        live::clear(draft, environment, live::SUBSCRIPTION, &record.id)?;
        index(draft, environment, Some(&record), None);
        release_object(draft, Some(&record))?;
        draft.delete_record(ResourceKind::Subscription, environment, &record.id);
        draft.changed(
            ResourceKind::Subscription,
            environment,
            &record.id,
            "",
            true,
        );
        Ok(())
    })
}

/// A draft that can be read by all and written by those who own it.
pub(super) trait Reads {
    fn state(&self) -> &dyn crate::StateReader;
}

impl Reads for &Draft<'_> {
    fn state(&self) -> &dyn crate::StateReader {
        Draft::state(self)
    }
}

impl Reads for &mut Draft<'_> {
    fn state(&self) -> &dyn crate::StateReader {
        Draft::state(self)
    }
}

/// Visits all subscriptions that an index lists under `owner`, by id; the visit may remove the visited one.
pub(super) fn each<D: Reads>(
    mut draft: D,
    list: Index,
    environment: &str,
    owner: &str,
    mut visit: impl FnMut(&mut D, SubscriptionRecord) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let list = if list == Index::SubscriptionByApi {
        query::subscriptions_of_api
    } else {
        query::subscriptions_of_application
    };
    let mut after = None;
    loop {
        let page = list(
            draft.state(),
            environment,
            owner,
            after.as_deref(),
            SCAN_PAGE,
        )?;
        for subscription in page.items {
            visit(&mut draft, subscription.value)?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn check(
    draft: &Draft<'_>,
    op: &PutSubscription,
    before: Option<&SubscriptionRecord>,
) -> Result<(), OpError> {
    let PutSubscription {
        environment,
        record,
        object,
    } = op;
    check_id("record.id", &record.id)?;
    let status = record.status();
    if status == SubscriptionStatus::Unspecified {
        return Err(reject(
            code::INVALID,
            "record.status",
            "expected a known status",
        ));
    }
    if object.is_some() && status != SubscriptionStatus::Accepted {
        let message = "expected no object: only accepted subscriptions are in views";
        return Err(reject(code::INVALID, "object", message));
    }
    if let Some(before) = before {
        let fixed = [
            ("record.api_id", &before.api_id, &record.api_id),
            (
                "record.application_id",
                &before.application_id,
                &record.application_id,
            ),
        ];
        for (field, was, is) in fixed {
            if was != is {
                return Err(reject(
                    code::IMMUTABLE,
                    field,
                    format!("expected \"{was}\""),
                ));
            }
        }
    }
    let api = api::require(draft, environment, &record.api_id, "record.api_id")?;
    if status.is_open() && !api.plan_ids.contains(&record.plan_id) {
        let message = format!("API \"{}\" has no plan \"{}\"", api.id, record.plan_id);
        return Err(reject(code::NOT_FOUND, "record.plan_id", message));
    }
    let application = draft.record::<ApplicationRecord>(environment, &record.application_id)?;
    if application.is_none() {
        let message = format!("application \"{}\" does not exist", record.application_id);
        return Err(reject(code::NOT_FOUND, "record.application_id", message));
    }
    Ok(())
}

fn check_keys(
    draft: &Draft<'_>,
    environment: &str,
    record: &SubscriptionRecord,
) -> Result<(), OpError> {
    if record.keys.len() > KEYS_MAX {
        let message = format!("expected at most {KEYS_MAX} keys");
        return Err(reject(code::LIMIT, "record.keys", message));
    }
    for (position, key) in record.keys.iter().enumerate() {
        let field = |name: &str| format!("record.keys[{position}].{name}");
        check_id(&field("id"), &key.id)?;
        let digits = key
            .hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if key.hash.len() != 64 || !digits {
            let message = "expected 64 lower-case hexadecimal digits";
            return Err(reject(code::INVALID, field("hash"), message));
        }
        let earlier = record.keys.iter().take(position);
        if earlier
            .clone()
            .any(|other| other.id == key.id || other.hash == key.hash)
        {
            return Err(reject(
                code::KEY_TAKEN,
                field("id"),
                "the key is there twice",
            ));
        }
        let taken = |_: &str| {
            // The other subscription is not named: whoever guesses keys learns nothing from it.
            reject(
                code::KEY_TAKEN,
                field("hash"),
                "another subscription has the key",
            )
        };
        draft.require_free(Index::KeyId, environment, &key.id, &record.id, taken)?;
        draft.require_free(Index::KeyHash, environment, &key.hash, &record.id, taken)?;
    }
    Ok(())
}

/// Moves all index entries of a subscription from one version to the next; `None` is no subscription.
fn index(
    draft: &mut Draft<'_>,
    environment: &str,
    before: Option<&SubscriptionRecord>,
    after: Option<&SubscriptionRecord>,
) {
    let Some(any) = after.or(before) else {
        return;
    };
    let id = &any.id;
    let listed = after.map(|_| Bytes::new());
    let lists = [
        (Index::SubscriptionByApi, &any.api_id),
        (Index::SubscriptionByApplication, &any.application_id),
    ];
    for (list, owner) in lists {
        draft.write(
            Table::Index,
            key::index_member(list, environment, owner, id),
            listed.clone(),
        );
    }
    let keys_before = before
        .map(|record| record.keys.as_slice())
        .unwrap_or_default();
    let keys_after = after
        .map(|record| record.keys.as_slice())
        .unwrap_or_default();
    draft.reindex(
        Index::KeyId,
        environment,
        id,
        keys_before.iter().map(|key| &key.id),
        keys_after.iter().map(|key| &key.id),
    );
    draft.reindex(
        Index::KeyHash,
        environment,
        id,
        keys_before.iter().map(|key| &key.hash),
        keys_after.iter().map(|key| &key.hash),
    );
}

fn release_object(
    draft: &mut Draft<'_>,
    record: Option<&SubscriptionRecord>,
) -> Result<(), ReadError> {
    match record {
        Some(record) if !record.object_hash.is_empty() => {
            draft.release(&stored_hash(Table::Resource, &record.object_hash)?)
        }
        _ => Ok(()),
    }
}
