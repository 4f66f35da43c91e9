//! Environments.

use bytes::Bytes;

use crate::{
    EnvironmentRecord, ResourceKind, code,
    draft::Draft,
    rejection::{OpError, check_id, reject},
};

/// Shortest pepper, in bytes: as strong as the hash it keys.
const PEPPER_BYTES_MIN: usize = 32;
/// Longest pepper, in bytes.
const PEPPER_BYTES_MAX: usize = 1024;

/// Makes an environment. Writing it again with the same pepper is allowed and keeps it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutEnvironment {
    /// Id of the environment.
    #[prost(string, tag = "1")]
    pub id: String,
    /// HMAC key under which API keys are hashed; at least 32 bytes, never changes.
    #[prost(bytes = "bytes", tag = "2")]
    pub api_key_pepper: Bytes,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutEnvironment) -> Result<(), OpError> {
    let PutEnvironment { id, api_key_pepper } = op;
    check_id("id", id)?;
    if id.contains('/') {
        // View ids are "<environment>/<tags>".
        return Err(reject(code::INVALID, "id", "expected no \"/\""));
    }
    if !(PEPPER_BYTES_MIN..=PEPPER_BYTES_MAX).contains(&api_key_pepper.len()) {
        let message = format!("expected {PEPPER_BYTES_MIN} to {PEPPER_BYTES_MAX} bytes");
        return Err(reject(code::INVALID, "api_key_pepper", message));
    }
    if let Some(before) = draft.record::<EnvironmentRecord>("", id)? {
        if before.value.api_key_pepper != *api_key_pepper {
            // Every key hash of the environment would become useless.
            return Err(reject(
                code::IMMUTABLE,
                "api_key_pepper",
                "the pepper never changes",
            ));
        }
        return Ok(());
    }
    let record = EnvironmentRecord {
        id: id.clone(),
        api_key_pepper: api_key_pepper.clone(),
    };
    draft.put_record("", id, &record)?;
    draft.changed(ResourceKind::Environment, "", id, id, false);
    Ok(())
}
