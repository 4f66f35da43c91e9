//! What a transaction changed, for watchers and for views.

use bytes::Bytes;
use prost::Message;

use crate::{Hash, ReadError, ResourceKind, Table};

/// One change. Events of a transaction are in order; all carry its log index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Log index of the transaction.
    pub revision: u64,
    /// Time of the transaction, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Who made the change.
    pub actor: String,
    /// Kind of what changed.
    pub kind: ResourceKind,
    /// Its environment; empty for kinds that have none.
    pub environment: String,
    /// Its id, as in [`Precondition`](crate::Precondition).
    pub id: String,
    /// Its name; empty for kinds that have none.
    pub name: String,
    /// True when it no longer exists.
    pub deleted: bool,
    /// What it means for views; only on events of kind `Live`. Not stored.
    pub live: Option<LiveChange>,
    /// A new manifest; only on events of kind `Manifest`. Not stored.
    pub published: Option<PublishedView>,
}

/// A change of one object that views are made of, with what decides which views it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveChange {
    /// Environment of the object.
    pub environment: String,
    /// Object kind, such as "api" or "subscription".
    pub kind: String,
    /// Id of the object.
    pub id: String,
    /// Hash of the object, or `None` when it leaves all views.
    pub object_hash: Option<Hash>,
    /// Length of the object in bytes.
    pub object_len: u64,
    /// Sharding tags of the API the object belongs to.
    pub tags: Vec<String>,
    /// Sharding tags of each plan of that API.
    pub plan_tags: Vec<Vec<String>>,
    /// True for what is in every view of the environment.
    pub is_everywhere: bool,
}

/// A manifest that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedView {
    /// View it describes.
    pub view_id: String,
    /// Epoch of the cluster.
    pub epoch: u64,
    /// Log index whose content it describes.
    pub revision: u64,
    /// Root of the view tree.
    pub root: Hash,
    /// Exact manifest bytes.
    pub manifest: Bytes,
    /// Signature over them.
    pub signature: Bytes,
    /// Key that signed.
    pub key_id: String,
}

impl Event {
    pub(crate) fn encode(&self) -> Bytes {
        EventWire {
            time_ms: self.time_ms,
            actor: self.actor.clone(),
            kind: self.kind.into(),
            environment: self.environment.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
            deleted: self.deleted,
        }
        .encode_to_vec()
        .into()
    }

    pub(crate) fn decode(revision: u64, bytes: &[u8]) -> Result<Event, ReadError> {
        let corrupt =
            |error: &dyn std::error::Error| ReadError::corrupt(Table::Event, error.to_string());
        let wire = EventWire::decode(bytes).map_err(|error| corrupt(&error))?;
        let kind = ResourceKind::try_from(wire.kind).map_err(|error| corrupt(&error))?;
        Ok(Event {
            revision,
            time_ms: wire.time_ms,
            actor: wire.actor,
            kind,
            environment: wire.environment,
            id: wire.id,
            name: wire.name,
            deleted: wire.deleted,
            live: None,
            published: None,
        })
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct EventWire {
    #[prost(uint64, tag = "1")]
    time_ms: u64,
    #[prost(string, tag = "2")]
    actor: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(string, tag = "4")]
    environment: String,
    #[prost(string, tag = "5")]
    id: String,
    #[prost(string, tag = "6")]
    name: String,
    #[prost(bool, tag = "7")]
    deleted: bool,
}
