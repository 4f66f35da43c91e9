//! Who a caller is and what it may do: bearer tokens, roles, one rule per method, deny by default.

mod gate;
mod rules;
mod token;

use std::{fmt, sync::Arc, time::SystemTime};

use http::{HeaderMap, header::AUTHORIZATION};
use tidegate_model::ErrorKind;
use tidegate_state::{Role as StoredRole, StateReader, TokenRecord, query};
use tonic::{Status, metadata::MetadataMap};

pub(crate) use self::{
    gate::{Deadline, GateLayer},
    token::{RandomError, Token, random_bytes, random_hex},
};

/// What a token allows, in words of the replicated record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// May do everything an operator does.
    Admin,
    /// May read everything except secrets.
    Viewer,
    /// May open the snapshot stream, nothing else.
    Edge,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
            Self::Edge => "edge",
        }
    }

    /// Reads a stored role; `None` for one that a newer release may have written.
    pub(crate) fn of(record: &TokenRecord) -> Option<Self> {
        match record.role() {
            StoredRole::Admin => Some(Self::Admin),
            StoredRole::Viewer => Some(Self::Viewer),
            StoredRole::Edge => Some(Self::Edge),
            StoredRole::Unspecified => None,
        }
    }

    /// The role as records hold it.
    pub(crate) fn stored(self) -> StoredRole {
        match self {
            Self::Admin => StoredRole::Admin,
            Self::Viewer => StoredRole::Viewer,
            Self::Edge => StoredRole::Edge,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A caller whose token was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub token_id: String,
    /// Name of the token: the author of what the caller writes.
    pub name: String,
    pub role: Role,
    /// `None` when the token does not expire.
    pub expires_ms: Option<u64>,
    /// For edges: tags it may claim; empty for any.
    pub tags: Vec<String>,
}

/// Why a caller does not get through the gate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("a bearer token is needed")]
    Missing,
    #[error("the bearer token is not valid")]
    Invalid,
    #[error("the bearer token has expired")]
    Expired,
    #[error("a token of role {0} may not call this method")]
    Role(Role),
    #[error("no such method")]
    UnknownMethod,
    #[error("the node is busy; try again")]
    Overloaded,
    #[error("tokens cannot be checked now")]
    Unreadable(#[source] tidegate_state::ReadError),
}

impl AuthError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing | Self::Invalid | Self::Expired => ErrorKind::Unauthenticated,
            Self::Role(_) | Self::UnknownMethod => ErrorKind::PermissionDenied,
            Self::Overloaded => ErrorKind::ResourceExhausted,
            Self::Unreadable(_) => ErrorKind::Internal,
        }
    }

    /// Stable name of the error for programs.
    fn key(&self) -> &'static str {
        match self {
            Self::Missing => "TOKEN_MISSING",
            Self::Invalid => "TOKEN_INVALID",
            Self::Expired => "TOKEN_EXPIRED",
            Self::Role(_) => "ROLE_INSUFFICIENT",
            Self::UnknownMethod => "METHOD_UNKNOWN",
            Self::Overloaded => "OVERLOADED",
            Self::Unreadable(_) => "TOKEN_UNREADABLE",
        }
    }

    fn status(&self) -> Status {
        if let Self::Unreadable(error) = self {
            tracing::error!(%error, "token could not be read");
        }
        tidegate_wire::status::error(self.kind(), self.key(), &self.to_string())
    }
}

/// Finds out who a bearer token belongs to, from this node's own copy of the state.
#[derive(Clone)]
pub(crate) struct Authenticator {
    state: Arc<dyn StateReader + Send + Sync>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Authenticator {
    pub(crate) fn new(state: Arc<dyn StateReader + Send + Sync>) -> Self {
        Self { state }
    }

    /// Identifies the caller by the `authorization` header.
    ///
    /// One point read of a small table: short enough to do where it is called.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Identity, AuthError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(AuthError::Missing)?;
        if values.next().is_some() {
            return Err(AuthError::Invalid);
        }
        let text = value.to_str().map_err(|_not_text| AuthError::Invalid)?;
        let (scheme, credentials) = text.split_once(' ').ok_or(AuthError::Invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AuthError::Invalid);
        }
        let token = Token::parse(credentials.trim()).ok_or(AuthError::Invalid)?;
        self.check(&token, now_ms())
    }

    fn check(&self, token: &Token, now_ms: u64) -> Result<Identity, AuthError> {
        let record = query::token(&*self.state, token.id())
            .map_err(AuthError::Unreadable)?
            .ok_or(AuthError::Invalid)?
            .value;
        if !token.matches(&record.secret_hash) {
            return Err(AuthError::Invalid);
        }
        if record
            .expires_ms
            .is_some_and(|expires_ms| expires_ms <= now_ms)
        {
            return Err(AuthError::Expired);
        }
        let role = Role::of(&record).ok_or(AuthError::Invalid)?;
        Ok(Identity {
            token_id: record.id,
            name: record.name,
            role,
            expires_ms: record.expires_ms,
            tags: record.tags,
        })
    }
}

/// An edge whose token was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EdgeIdentity {
    pub token_id: String,
    /// Tags the edge may claim; empty for any.
    pub allowed_tags: Vec<String>,
}

/// How the stream service learns who an edge is.
#[async_trait::async_trait]
pub(crate) trait EdgeAuth: Send + Sync {
    /// Identifies the edge behind `metadata`; any other role is refused.
    async fn edge(&self, metadata: &MetadataMap) -> Result<EdgeIdentity, Status>;
}

#[async_trait::async_trait]
impl EdgeAuth for Authenticator {
    async fn edge(&self, metadata: &MetadataMap) -> Result<EdgeIdentity, Status> {
        let identity = self
            .identify(metadata.as_ref())
            .map_err(|error| error.status())?;
        if identity.role != Role::Edge {
            return Err(AuthError::Role(identity.role).status());
        }
        Ok(EdgeIdentity {
            token_id: identity.token_id,
            allowed_tags: identity.tags,
        })
    }
}

/// Milliseconds since 1970 by this node's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
