//! The chain of trust: pinned roots → keyset → manifest.

use bytes::Bytes;

use crate::{
    Keyset, KeysetError, MANIFEST_CONTEXT, Manifest, Position, RootPin, SignedKeyset,
    SignedManifest, VerifiedManifest, VerifyError, manifest::FORMAT, signature::is_valid,
};

/// A keyset that follows from the pinned roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKeyset {
    keyset: Keyset,
    bytes: Bytes,
}

impl TrustedKeyset {
    /// Begins with pinned roots: the first keyset has exactly them and is signed by enough of them; each later one
    /// follows as in [`TrustedKeyset::advance`].
    ///
    /// # Errors
    /// When the chain is empty or does not follow.
    pub fn establish(pin: &RootPin, chain: &[SignedKeyset]) -> Result<TrustedKeyset, KeysetError> {
        let (first, rest) = chain.split_first().ok_or(KeysetError::Empty)?;
        let keyset = Keyset::decode(&first.keyset)?;
        if keyset.pin() != *pin {
            return Err(KeysetError::NotPinned);
        }
        keyset.check_signed(first, keyset.version, "new")?;
        TrustedKeyset {
            keyset,
            bytes: first.keyset.clone(),
        }
        .advance(rest)
    }

    /// Follows a chain to its end. Versions that are trusted already are skipped; of the others none may be missing,
    /// and each is signed by enough roots of the version before and by enough of its own.
    ///
    /// # Errors
    /// When the chain does not follow; this keyset stays as it is.
    pub fn advance(&self, chain: &[SignedKeyset]) -> Result<TrustedKeyset, KeysetError> {
        let mut trusted = self.clone();
        for signed in chain {
            let next = Keyset::decode(&signed.keyset)?;
            if next.version < trusted.keyset.version {
                continue;
            }
            if next.version == trusted.keyset.version {
                if signed.keyset != trusted.bytes {
                    return Err(KeysetError::Fork {
                        version: next.version,
                    });
                }
                continue;
            }
            trusted.check_successor(&next, signed)?;
            trusted = TrustedKeyset {
                keyset: next,
                bytes: signed.keyset.clone(),
            };
        }
        Ok(trusted)
    }

    /// Gives the version.
    pub fn version(&self) -> u64 {
        self.keyset.version
    }

    /// Gives the keyset.
    pub fn keyset(&self) -> &Keyset {
        &self.keyset
    }

    /// Accepts a manifest, or says why not.
    ///
    /// `floor` is the position below which nothing may go: the highest one ever active. An equal position is fine with
    /// the same root. `level` is the feature level of the edge.
    ///
    /// # Errors
    /// One variant per broken rule; signatures are checked before anything the manifest says is believed.
    pub fn verify(
        &self,
        signed: &SignedManifest,
        view_id: &str,
        floor: Option<&Position>,
        level: u32,
    ) -> Result<VerifiedManifest, VerifyError> {
        let manifest = self.authentic(signed)?;
        if manifest.trust_domain != self.keyset.trust_domain {
            return Err(VerifyError::WrongTrustDomain {
                found: manifest.trust_domain,
            });
        }
        if manifest.view_id != view_id {
            return Err(VerifyError::WrongView {
                found: manifest.view_id,
            });
        }
        if manifest.format != FORMAT || manifest.min_edge_level > level {
            let (format, level) = (manifest.format, manifest.min_edge_level);
            return Err(VerifyError::Incompatible { format, level });
        }
        let (epoch, revision) = (manifest.epoch, manifest.revision);
        if epoch > self.keyset.epoch {
            // An online key alone must not be able to outbid every later manifest.
            let announced = self.keyset.epoch;
            return Err(VerifyError::UnknownEpoch {
                found: epoch,
                announced,
            });
        }
        if let Some(floor) = floor {
            let position = manifest.position();
            if position.is_before(floor) {
                return Err(VerifyError::Rollback { epoch, revision });
            }
            if !floor.is_before(&position) && position.root != floor.root {
                return Err(VerifyError::Equivocation { epoch, revision });
            }
        }
        Ok(VerifiedManifest::new(manifest))
    }

    /// Checks that an online key in force signed these bytes.
    fn authentic(&self, signed: &SignedManifest) -> Result<Manifest, VerifyError> {
        let key_id = &signed.key_id;
        if self.keyset.revoked.contains(key_id) {
            return Err(VerifyError::Revoked {
                key_id: key_id.clone(),
            });
        }
        let key = self.keyset.online_keys.iter().find(|key| key.id == *key_id);
        let key = key.ok_or_else(|| VerifyError::UnknownKey {
            key_id: key_id.clone(),
        })?;
        if !is_valid(
            &key.public_key,
            MANIFEST_CONTEXT,
            &signed.manifest,
            &signed.signature,
        ) {
            return Err(VerifyError::Signature);
        }
        let manifest = Manifest::decode(&signed.manifest)
            .map_err(|error| VerifyError::Malformed(error.to_string()))?;
        if manifest.key_id != *key_id {
            let detail = "the manifest names another key than signed it".to_owned();
            return Err(VerifyError::Malformed(detail));
        }
        if key.not_after_ms != 0 && manifest.issued_ms > key.not_after_ms {
            return Err(VerifyError::KeyExpired {
                key_id: key_id.clone(),
            });
        }
        Ok(manifest)
    }

    fn check_successor(&self, next: &Keyset, signed: &SignedKeyset) -> Result<(), KeysetError> {
        let trusted = &self.keyset;
        if trusted.version.checked_add(1) != Some(next.version) {
            let (trusted, found) = (trusted.version, next.version);
            return Err(KeysetError::OutOfSequence { trusted, found });
        }
        if next.trust_domain != trusted.trust_domain {
            return Err(KeysetError::WrongTrustDomain {
                found: next.trust_domain.clone(),
            });
        }
        if next.epoch < trusted.epoch {
            let (trusted, found) = (trusted.epoch, next.epoch);
            return Err(KeysetError::EpochFell { trusted, found });
        }
        trusted.check_signed(signed, next.version, "previous")?;
        next.check_signed(signed, next.version, "new")
    }
}
