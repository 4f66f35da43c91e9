//! Reads of what people manage: environments, APIs, applications, subscriptions, tokens.

use super::{Page, Resource, by_index, members, page_of, resource, resources, text};
use crate::{
    ApiRecord, ApplicationRecord, EnvironmentRecord, Hash, ReadError, StateReader,
    SubscriptionRecord, Table, TokenRecord,
    key::{self, Index},
};

/// Reads an environment.
///
/// # Errors
/// When the state cannot be read.
pub fn environment(
    reader: &dyn StateReader,
    id: &str,
) -> Result<Option<Resource<EnvironmentRecord>>, ReadError> {
    resource(reader, "", id)
}

/// Lists environments by id.
///
/// # Errors
/// When the state cannot be read.
pub fn environments(
    reader: &dyn StateReader,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<EnvironmentRecord>>, ReadError> {
    resources(reader, "", after, limit)
}

/// Reads the draft of an API.
///
/// # Errors
/// When the state cannot be read.
pub fn api(
    reader: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Option<Resource<ApiRecord>>, ReadError> {
    resource(reader, environment, id)
}

/// Reads the draft of an API by name.
///
/// # Errors
/// When the state cannot be read.
pub fn api_by_name(
    reader: &dyn StateReader,
    environment: &str,
    name: &str,
) -> Result<Option<Resource<ApiRecord>>, ReadError> {
    by_index(reader, Index::ApiName, environment, name)
}

/// Reads the draft of the API that has a plan.
///
/// # Errors
/// When the state cannot be read.
pub fn api_of_plan(
    reader: &dyn StateReader,
    environment: &str,
    plan_id: &str,
) -> Result<Option<Resource<ApiRecord>>, ReadError> {
    by_index(reader, Index::PlanId, environment, plan_id)
}

/// Lists drafts by API id.
///
/// # Errors
/// When the state cannot be read.
pub fn apis(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<ApiRecord>>, ReadError> {
    resources(reader, environment, after, limit)
}

/// Revision of the environment's listener claims; 0 before the first.
///
/// # Errors
/// When the state cannot be read.
pub fn claims_revision(reader: &dyn StateReader, environment: &str) -> Result<u64, ReadError> {
    Ok(resource::<()>(reader, environment, "")?.map_or(0, |claims| claims.revision))
}

/// Lists listener claims with the id of the API that has each.
///
/// # Errors
/// When the state cannot be read.
pub fn claims(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<(String, String)>, ReadError> {
    let prefix = key::index_prefix(Index::Claim, environment);
    page_of(reader, Table::Index, &prefix, after, limit)?
        .map(|claim, api_id| Ok((claim.to_owned(), text(Table::Index, api_id)?)))
}

/// Reads an application.
///
/// # Errors
/// When the state cannot be read.
pub fn application(
    reader: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Option<Resource<ApplicationRecord>>, ReadError> {
    resource(reader, environment, id)
}

/// Reads an application by name.
///
/// # Errors
/// When the state cannot be read.
pub fn application_by_name(
    reader: &dyn StateReader,
    environment: &str,
    name: &str,
) -> Result<Option<Resource<ApplicationRecord>>, ReadError> {
    by_index(reader, Index::ApplicationName, environment, name)
}

/// Reads an application by OAuth client id.
///
/// # Errors
/// When the state cannot be read.
pub fn application_by_client_id(
    reader: &dyn StateReader,
    environment: &str,
    client_id: &str,
) -> Result<Option<Resource<ApplicationRecord>>, ReadError> {
    by_index(reader, Index::ClientId, environment, client_id)
}

/// Lists applications by id.
///
/// # Errors
/// When the state cannot be read.
pub fn applications(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<ApplicationRecord>>, ReadError> {
    resources(reader, environment, after, limit)
}

/// Reads a subscription.
///
/// # Errors
/// When the state cannot be read.
pub fn subscription(
    reader: &dyn StateReader,
    environment: &str,
    id: &str,
) -> Result<Option<Resource<SubscriptionRecord>>, ReadError> {
    resource(reader, environment, id)
}

/// Reads the subscription that has an API key, by the id of the key.
///
/// # Errors
/// When the state cannot be read.
pub fn subscription_by_key_id(
    reader: &dyn StateReader,
    environment: &str,
    key_id: &str,
) -> Result<Option<Resource<SubscriptionRecord>>, ReadError> {
    by_index(reader, Index::KeyId, environment, key_id)
}

/// Reads the subscription that has an API key, by the hash of the key.
///
/// # Errors
/// When the state cannot be read.
pub fn subscription_by_key_hash(
    reader: &dyn StateReader,
    environment: &str,
    key_hash: &str,
) -> Result<Option<Resource<SubscriptionRecord>>, ReadError> {
    by_index(reader, Index::KeyHash, environment, key_hash)
}

/// Lists subscriptions by id.
///
/// # Errors
/// When the state cannot be read.
pub fn subscriptions(
    reader: &dyn StateReader,
    environment: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<SubscriptionRecord>>, ReadError> {
    resources(reader, environment, after, limit)
}

/// Lists the subscriptions of an API by id.
///
/// # Errors
/// When the state cannot be read.
pub fn subscriptions_of_api(
    reader: &dyn StateReader,
    environment: &str,
    api_id: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<SubscriptionRecord>>, ReadError> {
    members(
        reader,
        Index::SubscriptionByApi,
        environment,
        api_id,
        (after, limit),
    )
}

/// Lists the subscriptions of an application by id.
///
/// # Errors
/// When the state cannot be read.
pub fn subscriptions_of_application(
    reader: &dyn StateReader,
    environment: &str,
    application_id: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<SubscriptionRecord>>, ReadError> {
    let index = Index::SubscriptionByApplication;
    members(reader, index, environment, application_id, (after, limit))
}

/// Reads a token.
///
/// # Errors
/// When the state cannot be read.
pub fn token(
    reader: &dyn StateReader,
    id: &str,
) -> Result<Option<Resource<TokenRecord>>, ReadError> {
    resource(reader, "", id)
}

/// Reads a token by the BLAKE3 hash of its secret.
///
/// # Errors
/// When the state cannot be read.
pub fn token_by_secret_hash(
    reader: &dyn StateReader,
    secret_hash: &Hash,
) -> Result<Option<Resource<TokenRecord>>, ReadError> {
    let value = blake3::Hash::from(*secret_hash).to_hex();
    by_index(reader, Index::TokenSecret, "", &value)
}

/// Lists tokens by id.
///
/// # Errors
/// When the state cannot be read.
pub fn tokens(
    reader: &dyn StateReader,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Resource<TokenRecord>>, ReadError> {
    resources(reader, "", after, limit)
}
