//! Resources of an API: shared helpers that its policies name, such as a cache or an identity provider.
//!
//! The traits are the contract; implementations live in the edge, where connections are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tidegate_expression::Value;

use crate::kind::BoxFuture;
use crate::services::Services;

/// The enabled resources of one API by name.
#[derive(Clone, Debug, Default)]
pub struct Resources(BTreeMap<String, Resource>);

/// One resource.
#[derive(Clone, Debug)]
pub enum Resource {
    /// Keeps values for a while.
    Cache(Arc<dyn Cache>),
    /// Knows OAuth2 tokens.
    OAuth2(Arc<dyn OAuth2Provider>),
    /// Knows users and passwords.
    Authentication(Arc<dyn AuthenticationProvider>),
    /// Fetches a document such as a schema or an API description.
    Content(Arc<dyn ContentProvider>),
}

/// A cache of bytes.
pub trait Cache: Send + Sync + fmt::Debug {
    /// Returns the value of `key` if it is known and fresh.
    fn get<'a>(
        &'a self,
        key: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Bytes>, ResourceError>>;

    /// Keeps a value; without `time_to_live` as long as the cache is configured to.
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        time_to_live: Option<Duration>,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>>;

    /// Forgets the value of `key`.
    fn evict<'a>(
        &'a self,
        key: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>>;
}

/// An OAuth2 authorisation server.
pub trait OAuth2Provider: Send + Sync + fmt::Debug {
    /// Asks whether a token is good (RFC 7662). The answer's payload is the server's JSON.
    fn introspect<'a>(
        &'a self,
        token: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Introspection, ResourceError>>;

    /// Asks for the claims of the token's user (OpenID Connect Core §5.3).
    fn user_info<'a>(
        &'a self,
        token: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<serde_json::Value, ResourceError>>;

    /// What separates scopes in the payload's `scope`.
    fn scope_separator(&self) -> &str {
        " "
    }

    /// Claim of the payload that names the user.
    fn user_claim(&self) -> &str {
        "sub"
    }
}

/// What an authorisation server says of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Introspection {
    /// Whether the token is good now.
    pub is_active: bool,
    /// The server's answer.
    pub payload: serde_json::Value,
}

/// A directory of users.
pub trait AuthenticationProvider: Send + Sync + fmt::Debug {
    /// Returns the user if name and password fit.
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>>;
}

/// A user who is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name of the user.
    pub user: String,
    /// What else the directory says, such as roles.
    pub attributes: BTreeMap<String, Value>,
}

/// A document behind a name.
pub trait ContentProvider: Send + Sync + fmt::Debug {
    /// Returns the document that `reference` names in this resource; empty for its only one.
    fn fetch<'a>(
        &'a self,
        reference: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Bytes, ResourceError>>;
}

/// Why a resource did not help.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResourceError {
    /// The API has no such resource.
    #[error("no {kind} resource is named '{name}'")]
    Unknown {
        /// Kind that was looked for.
        kind: &'static str,
        /// Name that was looked for.
        name: String,
    },
    /// The system behind it could not be reached in time.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The system behind it answered something that means nothing here.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl Resources {
    /// Adds a resource; the first of a name stays.
    pub fn insert(&mut self, name: impl Into<String>, resource: Resource) {
        self.0.entry(name.into()).or_insert(resource);
    }

    /// Returns the cache of that name.
    ///
    /// # Errors
    /// There is no resource of the name, or it is another kind; so for the other lookups.
    pub fn cache(&self, name: &str) -> Result<&Arc<dyn Cache>, ResourceError> {
        match self.0.get(name) {
            Some(Resource::Cache(cache)) => Ok(cache),
            _ => Err(unknown("cache", name)),
        }
    }

    /// Returns the OAuth2 provider of that name.
    ///
    /// # Errors
    /// See [`Resources::cache`].
    pub fn oauth2(&self, name: &str) -> Result<&Arc<dyn OAuth2Provider>, ResourceError> {
        match self.0.get(name) {
            Some(Resource::OAuth2(provider)) => Ok(provider),
            _ => Err(unknown("oauth2", name)),
        }
    }

    /// Returns the authentication provider of that name.
    ///
    /// # Errors
    /// See [`Resources::cache`].
    pub fn authentication(
        &self,
        name: &str,
    ) -> Result<&Arc<dyn AuthenticationProvider>, ResourceError> {
        match self.0.get(name) {
            Some(Resource::Authentication(provider)) => Ok(provider),
            _ => Err(unknown("authentication provider", name)),
        }
    }

    /// Returns the content provider of that name.
    ///
    /// # Errors
    /// See [`Resources::cache`].
    pub fn content(&self, name: &str) -> Result<&Arc<dyn ContentProvider>, ResourceError> {
        match self.0.get(name) {
            Some(Resource::Content(provider)) => Ok(provider),
            _ => Err(unknown("content provider", name)),
        }
    }
}

fn unknown(kind: &'static str, name: &str) -> ResourceError {
    ResourceError::Unknown {
        kind,
        name: name.to_owned(),
    }
}
