//! Rules that an operation can break.

use crate::{ApplyError, ReadError};

/// Codes of [`Reply::Rejected`](crate::Reply::Rejected). Stable: clients and logs match on them.
pub mod code {
    /// A resource that an operation names does not exist.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// Another resource of the kind has the name.
    pub const NAME_TAKEN: &str = "NAME_TAKEN";
    /// Another API has a plan with the id.
    pub const PLAN_ID_TAKEN: &str = "PLAN_ID_TAKEN";
    /// Another API has the listener claim.
    pub const CLAIM_TAKEN: &str = "CLAIM_TAKEN";
    /// Another application has the client id.
    pub const CLIENT_ID_TAKEN: &str = "CLIENT_ID_TAKEN";
    /// Another subscription has the key.
    pub const KEY_TAKEN: &str = "KEY_TAKEN";
    /// Another token has the secret.
    pub const TOKEN_TAKEN: &str = "TOKEN_TAKEN";
    /// Open subscriptions still use a plan that would disappear.
    pub const PLAN_IN_USE: &str = "PLAN_IN_USE";
    /// APIs still use an asset that would disappear.
    pub const ASSET_IN_USE: &str = "ASSET_IN_USE";
    /// A value has the wrong form.
    pub const INVALID: &str = "INVALID";
    /// A value that never changes would change.
    pub const IMMUTABLE: &str = "IMMUTABLE";
    /// A number is not the next one.
    pub const OUT_OF_SEQUENCE: &str = "OUT_OF_SEQUENCE";
    /// A limit is reached.
    pub const LIMIT: &str = "LIMIT";
    /// The cluster does not allow the operation before all members are upgraded.
    pub const FEATURE_LEVEL: &str = "FEATURE_LEVEL";
    /// The idempotency key stands for another request.
    pub const IDEMPOTENCY_KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
}

/// One broken rule. The whole transaction is dropped.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Field inside the operation, such as "record.name"; empty for the operation itself.
    pub(crate) field: String,
}

/// Why an operation did not happen.
#[derive(Debug)]
pub(crate) enum OpError {
    Rejected(Rejection),
    Fatal(ApplyError),
}

impl From<ReadError> for OpError {
    fn from(error: ReadError) -> OpError {
        OpError::Fatal(ApplyError::Read(error))
    }
}

pub(crate) fn reject(
    code: &'static str,
    field: impl Into<String>,
    message: impl Into<String>,
) -> OpError {
    OpError::Rejected(Rejection {
        code,
        message: message.into(),
        field: field.into(),
    })
}

/// Ids stand inside keys between zero bytes.
const ID_BYTES_MAX: usize = 256;

/// Demands 1 to 256 bytes without control characters.
pub(crate) fn check_id(field: &str, id: &str) -> Result<(), OpError> {
    check_text(field, id, ID_BYTES_MAX)
}

/// Demands 1 to `bytes_max` bytes without control characters.
pub(crate) fn check_text(field: &str, text: &str, bytes_max: usize) -> Result<(), OpError> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        let message = format!("expected 1 to {bytes_max} bytes without control characters");
        return Err(reject(code::INVALID, field, message));
    }
    Ok(())
}

/// Demands exactly 32 bytes.
pub(crate) fn check_hash(field: &str, hash: &[u8]) -> Result<(), OpError> {
    if hash.len() != 32 {
        return Err(reject(code::INVALID, field, "expected 32 bytes"));
    }
    Ok(())
}
