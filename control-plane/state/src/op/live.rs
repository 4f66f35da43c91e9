//! The objects that views are made of, and the facts that decide which views each is in.

use bytes::Bytes;

use crate::{
    LiveChange, LiveRecord, ReadError, ResourceKind, Table,
    draft::{Draft, stored_hash},
    key,
    op::{feed::PROPERTIES, subscription},
    record::TagSet,
};

/// Object kind of an API.
pub(super) const API: &str = "api";
/// Object kind of a subscription.
pub(super) const SUBSCRIPTION: &str = "subscription";

/// Makes an object live, or replaces it. Its bytes must be stored. Nothing happens when nothing differs.
pub(super) fn set(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: &str,
    id: &str,
    record: &LiveRecord,
) -> Result<(), ReadError> {
    let name = format!("{kind}/{id}");
    let before = draft
        .record::<LiveRecord>(environment, &name)?
        .map(|before| before.value);
    if before.as_ref() == Some(record) {
        return Ok(());
    }
    let hash = stored_hash(Table::Live, &record.object_hash)?;
    draft.retain(&hash)?;
    if let Some(before) = before {
        draft.release(&stored_hash(Table::Live, &before.object_hash)?)?;
    }
    draft.put_record(environment, &name, record)?;
    announce(draft, environment, (kind, id), record, Some(hash));
    Ok(())
}

/// Takes an object out of all views, if it is live.
pub(super) fn clear(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<(), ReadError> {
    let name = format!("{kind}/{id}");
    let Some(before) = draft.record::<LiveRecord>(environment, &name)? else {
        return Ok(());
    };
    draft.release(&stored_hash(Table::Live, &before.value.object_hash)?)?;
    draft.delete_record(ResourceKind::Live, environment, &name);
    announce(draft, environment, (kind, id), &before.value, None);
    Ok(())
}

/// Makes an API live, and moves its subscriptions and fetched properties along when its entitlement facts change.
pub(super) fn set_api(
    draft: &mut Draft<'_>,
    environment: &str,
    record: &LiveRecord,
) -> Result<(), ReadError> {
    let api_id = record.api_id.as_str();
    let before = draft.record::<LiveRecord>(environment, &format!("{API}/{api_id}"))?;
    let facts_moved = before.is_none_or(|before| {
        before.value.tags != record.tags || before.value.plan_tags != record.plan_tags
    });
    set(draft, environment, API, api_id, record)?;
    if !facts_moved {
        return Ok(());
    }
    let properties = format!("{PROPERTIES}/{api_id}");
    if let Some(before) = draft.record::<LiveRecord>(environment, &properties)? {
        let moved = LiveRecord {
            object_hash: before.value.object_hash,
            object_len: before.value.object_len,
            ..record.clone()
        };
        set(draft, environment, PROPERTIES, api_id, &moved)?;
    }
    let index = key::Index::SubscriptionByApi;
    subscription::each(draft, index, environment, api_id, |draft, held| {
        set_subscription(draft, environment, record, &held.id, &held.object_hash)
    })
}

/// Makes a subscription's object live under the facts of its live API; takes it out when it has none.
pub(super) fn set_subscription(
    draft: &mut Draft<'_>,
    environment: &str,
    api: &LiveRecord,
    id: &str,
    object_hash: &Bytes,
) -> Result<(), ReadError> {
    if object_hash.is_empty() {
        return clear(draft, environment, SUBSCRIPTION, id);
    }
    let hash = stored_hash(Table::Resource, object_hash)?;
    let object = crate::query::object(draft.state(), &hash)?
        .ok_or_else(|| ReadError::corrupt(Table::Object, "a referenced object is missing"))?;
    let record = LiveRecord {
        object_hash: object_hash.clone(),
        object_len: length(&object),
        ..api.clone()
    };
    set(draft, environment, SUBSCRIPTION, id, &record)
}

/// Length of an object as it is stored.
pub(super) fn length(object: &Bytes) -> u64 {
    u64::try_from(object.len()).unwrap_or(u64::MAX)
}

fn announce(
    draft: &mut Draft<'_>,
    environment: &str,
    (kind, id): (&str, &str),
    record: &LiveRecord,
    object_hash: Option<crate::Hash>,
) {
    let deleted = object_hash.is_none();
    let name = format!("{kind}/{id}");
    let mut event = draft.event(ResourceKind::Live, environment, &name, "", deleted);
    event.live = Some(LiveChange {
        environment: environment.to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        object_hash,
        object_len: record.object_len,
        tags: record.tags.clone(),
        plan_tags: record
            .plan_tags
            .iter()
            .map(|TagSet { tags }| tags.clone())
            .collect(),
        is_everywhere: record.is_everywhere,
    });
    draft.events.push(event);
}
