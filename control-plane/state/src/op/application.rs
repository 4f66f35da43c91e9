//! Applications: the consumers of APIs.

use crate::{
    ApplicationRecord, ResourceKind, code,
    draft::Draft,
    key::Index,
    op::{api::NAME_BYTES_MAX, subscription},
    rejection::{OpError, check_id, check_text, reject},
};

/// Writes an application. Name and client id are unique in the environment.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutApplication {
    /// Environment of the application.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// The application.
    #[prost(message, required, tag = "2")]
    pub record: ApplicationRecord,
}

/// Removes an application with its subscriptions and their keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteApplication {
    /// Environment of the application.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Id of the application.
    #[prost(string, tag = "2")]
    pub id: String,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutApplication) -> Result<(), OpError> {
    let PutApplication {
        environment,
        record,
    } = op;
    draft.require_environment(environment)?;
    let ApplicationRecord {
        id,
        name,
        client_id,
        ..
    } = record;
    check_id("record.id", id)?;
    check_text("record.name", name, NAME_BYTES_MAX)?;
    draft.require_free(Index::ApplicationName, environment, name, id, |holder| {
        let message = format!("application \"{holder}\" has the name \"{name}\"");
        reject(code::NAME_TAKEN, "record.name", message)
    })?;
    if !client_id.is_empty() {
        check_text("record.client_id", client_id, NAME_BYTES_MAX)?;
        draft.require_free(Index::ClientId, environment, client_id, id, |holder| {
            let message = format!("application \"{holder}\" has the client id \"{client_id}\"");
            reject(code::CLIENT_ID_TAKEN, "record.client_id", message)
        })?;
    }
    let before = draft.record::<ApplicationRecord>(environment, id)?;
    let before = before.map(|before| before.value).unwrap_or_default();
    index(draft, environment, &before, record);
    draft.put_record(environment, id, record)?;
    draft.changed(ResourceKind::Application, environment, id, name, false);
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, op: &DeleteApplication) -> Result<(), OpError> {
    let DeleteApplication { environment, id } = op;
    let Some(record) = draft.record::<ApplicationRecord>(environment, id)? else {
        let message = format!("application \"{id}\" does not exist");
        return Err(reject(code::NOT_FOUND, "id", message));
    };
    let record = record.value;
    subscription::remove_all(draft, Index::SubscriptionByApplication, environment, id)?;
    let gone = ApplicationRecord {
        id: id.clone(),
        ..ApplicationRecord::default()
    };
    index(draft, environment, &record, &gone);
    draft.delete_record(ResourceKind::Application, environment, id);
    draft.changed(
        ResourceKind::Application,
        environment,
        id,
        &record.name,
        true,
    );
    Ok(())
}

fn index(
    draft: &mut Draft<'_>,
    environment: &str,
    before: &ApplicationRecord,
    after: &ApplicationRecord,
) {
    let id = &after.id;
    draft.reindex(
        Index::ApplicationName,
        environment,
        id,
        [&before.name],
        [&after.name],
    );
    let (was, is) = ([&before.client_id], [&after.client_id]);
    draft.reindex(Index::ClientId, environment, id, was, is);
}
