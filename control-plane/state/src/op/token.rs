//! Bearer tokens.

use crate::{
    ResourceKind, Role, TokenRecord, code,
    draft::{Draft, stored_hash},
    key::Index,
    op::api::NAME_BYTES_MAX,
    rejection::{OpError, check_hash, check_id, check_text, reject},
};

/// Writes a token. Its secret is unique.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutToken {
    /// The token.
    #[prost(message, required, tag = "1")]
    pub record: TokenRecord,
}

/// Removes a token.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteToken {
    /// Id of the token.
    #[prost(string, tag = "1")]
    pub id: String,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutToken) -> Result<(), OpError> {
    let record = &op.record;
    check_id("record.id", &record.id)?;
    check_text("record.name", &record.name, NAME_BYTES_MAX)?;
    check_hash("record.secret_hash", &record.secret_hash)?;
    if record.role() == Role::Unspecified {
        return Err(reject(
            code::INVALID,
            "record.role",
            "expected a known role",
        ));
    }
    let secret = secret_index(record)?;
    draft.require_free(Index::TokenSecret, "", &secret, &record.id, |_| {
        reject(
            code::TOKEN_TAKEN,
            "record.secret_hash",
            "another token has the secret",
        )
    })?;
    let before = draft.record::<TokenRecord>("", &record.id)?;
    let before = before
        .map(|before| secret_index(&before.value))
        .transpose()?;
    draft.reindex(Index::TokenSecret, "", &record.id, &before, [&secret]);
    draft.put_record("", &record.id, record)?;
    draft.changed(ResourceKind::Token, "", &record.id, &record.name, false);
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, op: &DeleteToken) -> Result<(), OpError> {
    let Some(before) = draft.record::<TokenRecord>("", &op.id)? else {
        let message = format!("token \"{}\" does not exist", op.id);
        return Err(reject(code::NOT_FOUND, "id", message));
    };
    draft.reindex(
        Index::TokenSecret,
        "",
        &op.id,
        [&secret_index(&before.value)?],
        [],
    );
    draft.delete_record(ResourceKind::Token, "", &op.id);
    draft.changed(ResourceKind::Token, "", &op.id, &before.value.name, true);
    Ok(())
}

fn secret_index(record: &TokenRecord) -> Result<String, OpError> {
    let hash = stored_hash(crate::Table::Resource, &record.secret_hash)?;
    Ok(blake3::Hash::from(hash).to_hex().to_string())
}
