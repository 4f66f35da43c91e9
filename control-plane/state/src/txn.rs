//! The unit of change: what a client of consensus proposes and what stands in the log.

use bytes::Bytes;
use prost::Message;

use crate::{Op, digest::hash_part, op::OpEnvelope};

/// Largest encoded transaction, in bytes: a definition of 4 MiB, its published object and room for more.
///
/// A proposer refuses larger ones. A replica does not: what is in the log is applied.
pub const TXN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One atomic change: all operations happen, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Txn {
    /// A second transaction with the same key does nothing and gets the first one's reply. Empty: no protection.
    pub idempotency_key: String,
    /// What the key stands for: a digest of the client's request. A key that comes back with another digest is
    /// rejected. When empty, preconditions and operations stand for themselves.
    pub request_digest: Bytes,
    /// Who asks; recorded on everything that changes.
    pub actor: String,
    /// Time of the proposer, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Feature level a replica needs to apply this; 0 reads as 1.
    pub min_level: u32,
    /// Checked before any operation; one that does not hold makes the whole transaction a conflict.
    pub preconditions: Vec<Precondition>,
    /// Applied in order; later ones see earlier ones.
    pub ops: Vec<Op>,
}

/// Demands that a resource is still as its reader saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// Kind of the resource.
    pub kind: ResourceKind,
    /// Its environment; ignored for kinds that have none.
    pub environment: String,
    /// Its id; `<api>/<number>` for a deployment, `<kind>/<id>` for a live object, an asset
    /// and a feed, empty for claims and the cluster.
    pub id: String,
    /// Revision it must have; 0 when it must not exist.
    pub revision: u64,
}

/// Kinds of resources. The number is the first byte of a resource key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ResourceKind {
    /// An environment; has no environment itself.
    Environment = 1,
    /// The draft of an API.
    Api = 2,
    /// An application.
    Application = 3,
    /// A subscription with its keys.
    Subscription = 4,
    /// A bearer token; has no environment.
    Token = 5,
    /// The listener claims of an environment as one thing; its revision moves whenever any claim does.
    Claims = 6,
    /// A view; its id carries the environment.
    View = 7,
    /// The newest manifest of a view; its id carries the environment.
    Manifest = 8,
    /// One keyset version; has no environment.
    Keyset = 9,
    /// The cluster itself; has no environment.
    Cluster = 10,
    /// One deployment of an API.
    Deployment = 11,
    /// One object that views are made of.
    Live = 12,
    /// What the APIs of an environment share.
    Asset = 13,
    /// What was fetched for an asset or an API.
    Feed = 14,
}

impl ResourceKind {
    /// Stable name, as watchers see it.
    pub const fn name(self) -> &'static str {
        match self {
            ResourceKind::Environment => "environment",
            ResourceKind::Api => "api",
            ResourceKind::Application => "application",
            ResourceKind::Subscription => "subscription",
            ResourceKind::Token => "token",
            ResourceKind::Claims => "claims",
            ResourceKind::View => "view",
            ResourceKind::Manifest => "manifest",
            ResourceKind::Keyset => "keyset",
            ResourceKind::Cluster => "cluster",
            ResourceKind::Deployment => "deployment",
            ResourceKind::Live => "live",
            ResourceKind::Asset => "asset",
            ResourceKind::Feed => "feed",
        }
    }
}

/// Why bytes are not a transaction this replica can apply. Fatal in the log: skipping would diverge.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the expected protobuf message.
    #[error("malformed message")]
    Malformed(#[from] prost::DecodeError),
    /// An operation of a newer release.
    #[error("operation {position} is unknown to this release")]
    UnknownOp {
        /// Position in the transaction, from 0.
        position: usize,
    },
    /// A resource kind of a newer release.
    #[error("resource kind {number} is unknown to this release")]
    UnknownKind {
        /// Number found.
        number: i32,
    },
    /// A reply of a newer release.
    #[error("reply is unknown to this release")]
    UnknownReply,
}

impl Txn {
    /// Encodes the transaction for the log; see [`TXN_BYTES_MAX`].
    pub fn encode(&self) -> Vec<u8> {
        let wire = TxnWire {
            idempotency_key: self.idempotency_key.clone(),
            actor: self.actor.clone(),
            time_ms: self.time_ms,
            min_level: self.min_level,
            preconditions: self
                .preconditions
                .iter()
                .map(Precondition::to_wire)
                .collect(),
            ops: self
                .ops
                .iter()
                .cloned()
                .map(|op| OpEnvelope { kind: Some(op) })
                .collect(),
            request_digest: self.request_digest.clone(),
        };
        wire.encode_to_vec()
    }

    /// Decodes a transaction. Unknown fields are ignored; unknown operations are an error.
    ///
    /// # Errors
    /// When the bytes are malformed or hold something a newer release added.
    pub fn decode(bytes: &[u8]) -> Result<Txn, DecodeError> {
        // Decoding from `Bytes` would share the buffer; a small op must not pin a large log entry.
        let wire = TxnWire::decode(bytes)?;
        let ops = wire
            .ops
            .into_iter()
            .enumerate()
            .map(|(position, op)| op.kind.ok_or(DecodeError::UnknownOp { position }))
            .collect::<Result<_, _>>()?;
        let preconditions = wire
            .preconditions
            .into_iter()
            .map(Precondition::from_wire)
            .collect::<Result<_, _>>()?;
        Ok(Txn {
            idempotency_key: wire.idempotency_key,
            request_digest: wire.request_digest,
            actor: wire.actor,
            time_ms: wire.time_ms,
            min_level: wire.min_level,
            preconditions,
            ops,
        })
    }

    /// What the idempotency key stands for: the client's digest, or the content itself.
    pub(crate) fn body_digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hash_part(&mut hasher, self.actor.as_bytes());
        if !self.request_digest.is_empty() {
            hash_part(&mut hasher, &self.request_digest);
            return *hasher.finalize().as_bytes();
        }
        hash_part(&mut hasher, &[]);
        for precondition in &self.preconditions {
            hash_part(&mut hasher, &precondition.to_wire().encode_to_vec());
        }
        for op in &self.ops {
            hash_part(
                &mut hasher,
                &OpEnvelope {
                    kind: Some(op.clone()),
                }
                .encode_to_vec(),
            );
        }
        *hasher.finalize().as_bytes()
    }
}

impl Precondition {
    fn to_wire(&self) -> PreconditionWire {
        PreconditionWire {
            kind: self.kind.into(),
            environment: self.environment.clone(),
            id: self.id.clone(),
            revision: self.revision,
        }
    }

    fn from_wire(wire: PreconditionWire) -> Result<Precondition, DecodeError> {
        let kind = ResourceKind::try_from(wire.kind)
            .map_err(|prost::UnknownEnumValue(number)| DecodeError::UnknownKind { number })?;
        Ok(Precondition {
            kind,
            environment: wire.environment,
            id: wire.id,
            revision: wire.revision,
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnWire {
    #[prost(string, tag = "1")]
    idempotency_key: String,
    #[prost(string, tag = "2")]
    actor: String,
    #[prost(uint64, tag = "3")]
    time_ms: u64,
    #[prost(uint32, tag = "4")]
    min_level: u32,
    #[prost(message, repeated, tag = "5")]
    preconditions: Vec<PreconditionWire>,
    #[prost(message, repeated, tag = "6")]
    ops: Vec<OpEnvelope>,
    #[prost(bytes = "bytes", tag = "7")]
    request_digest: Bytes,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct PreconditionWire {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    environment: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(uint64, tag = "4")]
    revision: u64,
}
