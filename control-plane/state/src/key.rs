//! The bytes of every stored key.
//!
//! | Table | Key |
//! |---|---|
//! | Meta | name, ASCII |
//! | Resource | kind (1 byte), environment, `0`, id. Kinds without an environment have an empty one |
//! | Object | `1`, hash (32): the bytes; `2`, hash (32): reference count, u64 big-endian |
//! | Index | index (1 byte), environment, `0`, value; lists: owner id, `0`, member id as value |
//! | Deployment | environment, `0`, API id, `0`, complement of the number, u64 big-endian (newest first) |
//! | Event | revision, u64 big-endian, position in the transaction, u32 big-endian |
//! | Idempotency | `1`, key: the record; `2`, log index, u64 big-endian: the key |
//! | Live | environment, `0`, object kind, `0`, id |
//!
//! Environments and ids hold no control characters (the rules refuse them), so a zero byte ends each of them.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{Hash, ResourceKind, Table};

/// A lookup by something other than the id. The number is the first byte of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Index {
    /// API name → API id.
    ApiName = 1,
    /// Plan id → API id.
    PlanId = 2,
    /// Listener claim → API id.
    Claim = 3,
    /// Application name → application id.
    ApplicationName = 4,
    /// OAuth client id → application id.
    ClientId = 5,
    /// (API id, subscription id) → nothing.
    SubscriptionByApi = 6,
    /// (Application id, subscription id) → nothing.
    SubscriptionByApplication = 7,
    /// Hash of an API key → subscription id.
    KeyHash = 8,
    /// Id of an API key → subscription id.
    KeyId = 9,
    /// BLAKE3 of a token's secret, lower-case hexadecimal → token id. No environment.
    TokenSecret = 10,
    /// Name of an asset behind its kind → asset id.
    AssetName = 11,
    /// Alias of an asset behind its kind → asset id.
    AssetAlias = 12,
    /// (Shared policy group id, id of an API whose draft uses it) → nothing.
    AssetUse = 13,
    /// (Shared policy group id, id of an API that is deployed with it) → nothing.
    AssetLiveUse = 14,
    /// Object kind and id of what is fetched from elsewhere → nothing.
    Feed = 15,
}

impl Index {
    /// All indexes.
    pub const ALL: [Index; 15] = [
        Index::ApiName,
        Index::PlanId,
        Index::Claim,
        Index::ApplicationName,
        Index::ClientId,
        Index::SubscriptionByApi,
        Index::SubscriptionByApplication,
        Index::KeyHash,
        Index::KeyId,
        Index::TokenSecret,
        Index::AssetName,
        Index::AssetAlias,
        Index::AssetUse,
        Index::AssetLiveUse,
        Index::Feed,
    ];

    const fn byte(self) -> u8 {
        match self {
            Index::ApiName => 1,
            Index::PlanId => 2,
            Index::Claim => 3,
            Index::ApplicationName => 4,
            Index::ClientId => 5,
            Index::SubscriptionByApi => 6,
            Index::SubscriptionByApplication => 7,
            Index::KeyHash => 8,
            Index::KeyId => 9,
            Index::TokenSecret => 10,
            Index::AssetName => 11,
            Index::AssetAlias => 12,
            Index::AssetUse => 13,
            Index::AssetLiveUse => 14,
            Index::Feed => 15,
        }
    }
}

const OBJECT_BYTES: u8 = 1;
const OBJECT_COUNT: u8 = 2;
const IDEMPOTENCY_RECORD: u8 = 1;
const IDEMPOTENCY_ORDER: u8 = 2;

/// Key of a resource in [`Table::Resource`].
pub fn resource(kind: ResourceKind, environment: &str, id: &str) -> Bytes {
    let mut key = BytesMut::from(resource_prefix(kind, environment).as_ref());
    key.put_slice(id.as_bytes());
    key.freeze()
}

/// Prefix of all resources of a kind in an environment.
pub fn resource_prefix(kind: ResourceKind, environment: &str) -> Bytes {
    let environment = if has_environment(kind) {
        environment
    } else {
        ""
    };
    join(&[kind_byte(kind)], &[environment.as_bytes(), b""])
}

/// Where the envelope of a resource is, or `None` when no such id can exist.
pub fn locate(kind: ResourceKind, environment: &str, id: &str) -> Option<(Table, Bytes)> {
    match kind {
        ResourceKind::Deployment => {
            let (api_id, number) = id.rsplit_once('/')?;
            Some((
                Table::Deployment,
                deployment(environment, api_id, number.parse().ok()?),
            ))
        }
        ResourceKind::Live => {
            let (kind, id) = id.split_once('/')?;
            Some((Table::Live, live(environment, kind, id)))
        }
        ResourceKind::Environment
        | ResourceKind::Api
        | ResourceKind::Application
        | ResourceKind::Subscription
        | ResourceKind::Token
        | ResourceKind::Claims
        | ResourceKind::View
        | ResourceKind::Manifest
        | ResourceKind::Keyset
        | ResourceKind::Cluster
        | ResourceKind::Asset
        | ResourceKind::Feed => Some((Table::Resource, resource(kind, environment, id))),
    }
}

/// Key of a keyset version; the id is its big-endian decimal, padded so that versions order.
pub(crate) fn keyset_id(version: u64) -> String {
    format!("{version:020}")
}

/// Key of an index entry.
pub fn index(index: Index, environment: &str, value: &str) -> Bytes {
    join(&[index.byte()], &[environment.as_bytes(), value.as_bytes()])
}

/// Key of a member in the list of its owner, such as a subscription in that of its API.
pub fn index_member(index: Index, environment: &str, owner: &str, member: &str) -> Bytes {
    join(
        &[index.byte()],
        &[environment.as_bytes(), owner.as_bytes(), member.as_bytes()],
    )
}

/// Prefix of all entries of an index in an environment.
pub fn index_prefix(index: Index, environment: &str) -> Bytes {
    join(&[index.byte()], &[environment.as_bytes(), b""])
}

/// Key of an object's bytes.
pub fn object_bytes(hash: &Hash) -> Bytes {
    join(&[OBJECT_BYTES], &[hash])
}

/// Key of an object's reference count.
pub fn object_count(hash: &Hash) -> Bytes {
    join(&[OBJECT_COUNT], &[hash])
}

/// Key of a deployment.
pub fn deployment(environment: &str, api_id: &str, number: u64) -> Bytes {
    let mut key = BytesMut::from(deployment_prefix(environment, api_id).as_ref());
    key.put_u64(!number);
    key.freeze()
}

/// Prefix of all deployments of an API.
pub fn deployment_prefix(environment: &str, api_id: &str) -> Bytes {
    join(&[], &[environment.as_bytes(), api_id.as_bytes(), b""])
}

/// Key of an event.
pub fn event(revision: u64, position: u32) -> Bytes {
    let mut key = BytesMut::with_capacity(12);
    key.put_u64(revision);
    key.put_u32(position);
    key.freeze()
}

/// Key of the result kept for an idempotency key.
pub fn idempotency_record(idempotency_key: &str) -> Bytes {
    join(&[IDEMPOTENCY_RECORD], &[idempotency_key.as_bytes()])
}

/// Key that orders idempotency records by log index.
pub fn idempotency_order(index: u64) -> Bytes {
    join(&[IDEMPOTENCY_ORDER], &[&index.to_be_bytes()])
}

/// Prefix of all [`idempotency_order`] keys.
pub(crate) const IDEMPOTENCY_ORDER_PREFIX: &[u8] = &[IDEMPOTENCY_ORDER];

/// Key of a live object.
pub fn live(environment: &str, kind: &str, id: &str) -> Bytes {
    join(
        &[],
        &[environment.as_bytes(), kind.as_bytes(), id.as_bytes()],
    )
}

/// Prefix of all live objects of an environment.
pub fn live_prefix(environment: &str) -> Bytes {
    join(&[], &[environment.as_bytes(), b""])
}

/// Views and manifests carry their environment in the id.
pub(crate) const fn has_environment(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::Api
        | ResourceKind::Application
        | ResourceKind::Subscription
        | ResourceKind::Claims
        | ResourceKind::Deployment
        | ResourceKind::Live
        | ResourceKind::Asset
        | ResourceKind::Feed => true,
        ResourceKind::Environment
        | ResourceKind::Token
        | ResourceKind::View
        | ResourceKind::Manifest
        | ResourceKind::Keyset
        | ResourceKind::Cluster => false,
    }
}

const fn kind_byte(kind: ResourceKind) -> u8 {
    match kind {
        ResourceKind::Environment => 1,
        ResourceKind::Api => 2,
        ResourceKind::Application => 3,
        ResourceKind::Subscription => 4,
        ResourceKind::Token => 5,
        ResourceKind::Claims => 6,
        ResourceKind::View => 7,
        ResourceKind::Manifest => 8,
        ResourceKind::Keyset => 9,
        ResourceKind::Cluster => 10,
        ResourceKind::Deployment => 11,
        ResourceKind::Live => 12,
        ResourceKind::Asset => 13,
        ResourceKind::Feed => 14,
    }
}

/// Puts `parts` after `head`, with a zero byte between two parts.
fn join(head: &[u8], parts: &[&[u8]]) -> Bytes {
    let mut key = BytesMut::from(head);
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            key.put_u8(0);
        }
        key.put_slice(part);
    }
    key.freeze()
}
