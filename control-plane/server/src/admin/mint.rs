//! Secrets made on request: random to everybody but this cluster, the same when a call is retried.
//!
//! A client that lost the answer repeats its call with the same idempotency key, perhaps on another
//! node. It must get the secret that was stored then, and only a hash of it is stored. So secrets
//! are derived from the scoped idempotency key with the online signing key, which edges and
//! operators never see: Ed25519 signatures are deterministic and unforgeable, so their hash is a
//! pseudo-random function of the key.

use std::{fmt, sync::Arc};

use tidegate_view::{SignError, Signer};

const CONTEXT: &[u8] = b"tidegate/minted-secret/v1";

/// Derives secrets and ids for new resources.
#[derive(Clone)]
pub(crate) struct Mint {
    signer: Arc<dyn Signer>,
}

impl Mint {
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
        Self { signer }
    }

    /// 64 hexadecimal digits for `purpose`, a function of the scoped idempotency key.
    pub(crate) fn secret(&self, purpose: &str, idempotency_key: &str) -> Result<String, SignError> {
        let mut message = purpose.as_bytes().to_vec();
        message.push(0);
        message.extend_from_slice(idempotency_key.as_bytes());
        let signature = self.signer.sign(CONTEXT, &message)?;
        Ok(blake3::hash(&signature).to_hex().to_string())
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").finish_non_exhaustive()
    }
}

/// An id for the resource that a call creates: a UUID that is the same when the call is retried.
pub(crate) fn resource_id(purpose: &str, idempotency_key: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("tidegate resource id v1");
    hasher
        .update(purpose.as_bytes())
        .update(&[0])
        .update(idempotency_key.as_bytes());
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_that_depend_on_purpose_and_key() {
        let id = resource_id("application", "k");
        assert_eq!(id, resource_id("application", "k"));
        assert_ne!(id, resource_id("application", "l"));
        assert_ne!(id, resource_id("subscription", "k"));
        assert!(uuid::Uuid::parse_str(&id).is_ok());
    }
}
