//! What the proposer of a transaction is told.

use prost::Message;

use crate::{DecodeError, ResourceKind};

/// The outcome of one transaction, the same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// All operations happened.
    Done {
        /// Log index at which they happened; the new revision of everything they changed.
        revision: u64,
        /// Deployment numbers, one per `Deploy`, in order.
        numbers: Vec<u64>,
        /// True when they had happened before, under the same idempotency key.
        duplicate: bool,
    },
    /// A precondition did not hold; nothing happened.
    Conflict {
        /// Kind of the resource that moved.
        kind: ResourceKind,
        /// Its environment.
        environment: String,
        /// Its id.
        id: String,
        /// Revision the proposer had seen; 0 for none.
        expected: u64,
        /// Revision it has; 0 when it does not exist.
        actual: u64,
    },
    /// An operation broke a rule; nothing happened.
    Rejected {
        /// One of [`code`](crate::code), or one of a newer release.
        code: String,
        /// Sentence fragment for people.
        message: String,
        /// Place in the transaction, such as `ops[0].record.name`.
        path: String,
    },
}

impl Reply {
    /// Encodes the reply for another node or for replay.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.clone() {
            Reply::Done {
                revision,
                numbers,
                duplicate,
            } => ReplyKind::Done(DoneWire {
                revision,
                numbers,
                duplicate,
            }),
            Reply::Conflict {
                kind,
                environment,
                id,
                expected,
                actual,
            } => {
                let kind = kind.into();
                ReplyKind::Conflict(ConflictWire {
                    kind,
                    environment,
                    id,
                    expected,
                    actual,
                })
            }
            Reply::Rejected {
                code,
                message,
                path,
            } => ReplyKind::Rejected(RejectedWire {
                code,
                message,
                path,
            }),
        };
        ReplyWire { kind: Some(kind) }.encode_to_vec()
    }

    /// Decodes a reply.
    ///
    /// # Errors
    /// When the bytes are malformed or hold something a newer release added.
    pub fn decode(bytes: &[u8]) -> Result<Reply, DecodeError> {
        match ReplyWire::decode(bytes)?
            .kind
            .ok_or(DecodeError::UnknownReply)?
        {
            ReplyKind::Done(DoneWire {
                revision,
                numbers,
                duplicate,
            }) => Ok(Reply::Done {
                revision,
                numbers,
                duplicate,
            }),
            ReplyKind::Conflict(ConflictWire {
                kind,
                environment,
                id,
                expected,
                actual,
            }) => {
                let kind =
                    ResourceKind::try_from(kind).map_err(|prost::UnknownEnumValue(number)| {
                        DecodeError::UnknownKind { number }
                    })?;
                Ok(Reply::Conflict {
                    kind,
                    environment,
                    id,
                    expected,
                    actual,
                })
            }
            ReplyKind::Rejected(RejectedWire {
                code,
                message,
                path,
            }) => Ok(Reply::Rejected {
                code,
                message,
                path,
            }),
        }
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ReplyWire {
    #[prost(oneof = "ReplyKind", tags = "1, 2, 3")]
    kind: Option<ReplyKind>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
enum ReplyKind {
    #[prost(message, tag = "1")]
    Done(DoneWire),
    #[prost(message, tag = "2")]
    Conflict(ConflictWire),
    #[prost(message, tag = "3")]
    Rejected(RejectedWire),
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct DoneWire {
    #[prost(uint64, tag = "1")]
    revision: u64,
    #[prost(uint64, repeated, tag = "2")]
    numbers: Vec<u64>,
    #[prost(bool, tag = "3")]
    duplicate: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ConflictWire {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    environment: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(uint64, tag = "4")]
    expected: u64,
    #[prost(uint64, tag = "5")]
    actual: u64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct RejectedWire {
    #[prost(string, tag = "1")]
    code: String,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(string, tag = "3")]
    path: String,
}
