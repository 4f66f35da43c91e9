//! Which keys may sign, vouched for by offline roots.

use std::{collections::BTreeSet, fmt, str::FromStr};

use bytes::Bytes;
use prost::Message as _;

use crate::{
    Hash, KEYSET_CONTEXT, Malformed, SignError, Signer,
    signature::{is_acceptable_key, is_valid},
};

/// Largest keyset, in bytes.
const KEYSET_BYTES_MAX: usize = 64 * 1024;
/// Most roots, and most online keys.
const KEYS_MAX: usize = 64;
/// Most revoked keys.
const REVOKED_MAX: usize = 1024;
/// Most signatures beside a keyset: the roots of two versions.
const SIGNATURES_MAX: usize = 2 * KEYS_MAX;

/// The keys of one trust domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset {
    /// 1 for the first; grows by one.
    pub version: u64,
    /// Highest epoch that manifests may have; raised by disaster recovery.
    pub epoch: u64,
    /// Cluster the keys belong to.
    pub trust_domain: String,
    /// Offline keys that sign keysets.
    pub roots: Vec<PublicKey>,
    /// How many of the roots must sign.
    pub root_threshold: u32,
    /// Keys that sign manifests.
    pub online_keys: Vec<OnlineKey>,
    /// Ids of online keys that are not to be trusted any more.
    pub revoked: Vec<String>,
}

/// A root key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PublicKey {
    /// Names the key within the keyset.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Ed25519 public key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
}

/// A key that signs manifests.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OnlineKey {
    /// Names the key within the keyset.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Ed25519 public key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// Manifests issued later are refused, milliseconds since the Unix epoch; 0 for no end.
    ///
    /// Compared with the manifest's own time: an edge with a wrong clock goes on serving.
    #[prost(uint64, tag = "3")]
    pub not_after_ms: u64,
}

/// One root's signature over a keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysetSignature {
    /// Root that signed.
    pub key_id: String,
    /// Ed25519 signature, 64 bytes.
    pub signature: Vec<u8>,
}

/// A keyset as it travels: exact bytes, and signatures over [`KEYSET_CONTEXT`] followed by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedKeyset {
    /// Encoded [`Keyset`].
    pub keyset: Bytes,
    /// Signatures of roots of this version and of the one before.
    pub signatures: Vec<KeysetSignature>,
}

/// Why a keyset is not accepted. The one trusted before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysetError {
    /// There is no keyset to begin with.
    #[error("no keyset given")]
    Empty,
    /// Bytes that do not decode, or keys that cannot be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The roots are not the pinned ones.
    #[error("roots of the first keyset are not the pinned ones")]
    NotPinned,
    /// Too few valid signatures.
    #[error("version {version} has {found} of {needed} signatures of the {which} roots")]
    Threshold {
        /// Version of the keyset.
        version: u64,
        /// "previous" or "new".
        which: &'static str,
        /// Valid signatures of different roots.
        found: u32,
        /// Signatures needed.
        needed: u32,
    },
    /// A version is missing.
    #[error("version {found} does not follow {trusted}")]
    OutOfSequence {
        /// Version that is trusted.
        trusted: u64,
        /// Version that was given.
        found: u64,
    },
    /// Two keysets with one version.
    #[error("another keyset of version {version} is trusted")]
    Fork {
        /// The version.
        version: u64,
    },
    /// Keys of another cluster.
    #[error("keyset of trust domain {found}")]
    WrongTrustDomain {
        /// Trust domain found.
        found: String,
    },
    /// The epoch would fall.
    #[error("epoch {found} is lower than the trusted {trusted}")]
    EpochFell {
        /// Epoch that is trusted.
        trusted: u64,
        /// Epoch that was given.
        found: u64,
    },
}

impl Keyset {
    /// Encodes the keyset: protobuf, fields in order, defaults left out.
    pub fn encode(&self) -> Vec<u8> {
        KeysetWire {
            version: self.version,
            epoch: self.epoch,
            trust_domain: self.trust_domain.clone(),
            roots: self.roots.clone(),
            root_threshold: self.root_threshold,
            online_keys: self.online_keys.clone(),
            revoked: self.revoked.clone(),
        }
        .encode_to_vec()
    }

    /// Decodes a keyset and checks that its keys can be. Unknown fields are ignored.
    ///
    /// # Errors
    /// When the bytes are no such message, a limit is exceeded, a key is weak or there twice, or the threshold cannot
    /// be met.
    pub fn decode(bytes: &[u8]) -> Result<Keyset, Malformed> {
        if bytes.len() > KEYSET_BYTES_MAX {
            return Err(Malformed::new("keyset", "longer than 64 KiB"));
        }
        let wire = KeysetWire::decode(bytes)
            .map_err(|error| Malformed::new("keyset", error.to_string()))?;
        let keyset = Keyset {
            version: wire.version,
            epoch: wire.epoch,
            trust_domain: wire.trust_domain,
            roots: wire.roots,
            root_threshold: wire.root_threshold,
            online_keys: wire.online_keys,
            revoked: wire.revoked,
        };
        keyset
            .check()
            .map_err(|detail| Malformed::new("keyset", detail))?;
        Ok(keyset)
    }

    /// Gives the pin of the roots.
    pub fn pin(&self) -> RootPin {
        let mut hasher = blake3::Hasher::new_derive_key("tidegate root pin v1");
        let mut roots: Vec<_> = self.roots.iter().map(|root| &root.public_key).collect();
        roots.sort();
        // The threshold is pinned too: lowering it would make one stolen root enough.
        hasher.update(&self.root_threshold.to_be_bytes());
        for root in roots {
            hasher.update(root);
        }
        RootPin(*hasher.finalize().as_bytes())
    }

    /// Demands signatures of enough different roots.
    pub(crate) fn check_signed(
        &self,
        signed: &SignedKeyset,
        version: u64,
        which: &'static str,
    ) -> Result<(), KeysetError> {
        let signers = self.roots.iter().filter(|root| {
            signed.signatures.iter().take(SIGNATURES_MAX).any(|given| {
                given.key_id == root.id
                    && is_valid(
                        &root.public_key,
                        KEYSET_CONTEXT,
                        &signed.keyset,
                        &given.signature,
                    )
            })
        });
        let found = u32::try_from(signers.count()).unwrap_or(u32::MAX);
        let needed = self.root_threshold;
        if found < needed {
            return Err(KeysetError::Threshold {
                version,
                which,
                found,
                needed,
            });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.version == 0 || self.epoch == 0 || self.trust_domain.is_empty() {
            return Err("version, epoch and trust domain must be set");
        }
        if self.roots.len() > KEYS_MAX
            || self.online_keys.len() > KEYS_MAX
            || self.revoked.len() > REVOKED_MAX
        {
            return Err("too many keys");
        }
        let roots = u32::try_from(self.roots.len()).unwrap_or(u32::MAX);
        if self.root_threshold == 0 || self.root_threshold > roots {
            return Err("the threshold must be 1 to the number of roots");
        }
        let roots = self.roots.iter().map(|key| (&key.id, &key.public_key));
        let online = self
            .online_keys
            .iter()
            .map(|key| (&key.id, &key.public_key));
        let mut ids = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (id, key) in roots.chain(online) {
            if id.is_empty() || !is_acceptable_key(key) {
                return Err("a key has no id or is weak");
            }
            if !ids.insert(id) || !keys.insert(key) {
                return Err("a key is there twice");
            }
        }
        Ok(())
    }
}

impl SignedKeyset {
    /// Signs a keyset with roots: those of this version and, after the first, those of the one before.
    ///
    /// # Errors
    /// When a signer fails.
    pub fn sign(keyset: &Keyset, roots: &[&dyn Signer]) -> Result<SignedKeyset, SignError> {
        let bytes = keyset.encode();
        let sign = |root: &&dyn Signer| {
            let signature = root.sign(KEYSET_CONTEXT, &bytes)?;
            Ok(KeysetSignature {
                key_id: root.key_id().to_owned(),
                signature,
            })
        };
        let signatures = roots.iter().map(sign).collect::<Result<_, SignError>>()?;
        Ok(SignedKeyset {
            keyset: bytes.into(),
            signatures,
        })
    }

    /// Encodes keyset and signatures, for a store.
    pub fn encode(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|given| SignatureWire {
            key_id: given.key_id.clone(),
            signature: given.signature.clone(),
        });
        SignedKeysetWire {
            keyset: self.keyset.clone(),
            signatures: signatures.collect(),
        }
        .encode_to_vec()
    }

    /// Decodes what [`SignedKeyset::encode`] wrote. Nothing is verified.
    ///
    /// # Errors
    /// When the bytes are no such message or exceed a limit.
    pub fn decode(bytes: &[u8]) -> Result<SignedKeyset, Malformed> {
        let wire = SignedKeysetWire::decode(bytes)
            .map_err(|error| Malformed::new("signed keyset", error.to_string()))?;
        if wire.keyset.len() > KEYSET_BYTES_MAX || wire.signatures.len() > SIGNATURES_MAX {
            return Err(Malformed::new("signed keyset", "larger than allowed"));
        }
        let signatures = wire.signatures.into_iter().map(|given| KeysetSignature {
            key_id: given.key_id,
            signature: given.signature,
        });
        Ok(SignedKeyset {
            keyset: wire.keyset,
            signatures: signatures.collect(),
        })
    }
}

/// What an edge is given to trust: a hash of the first keyset's roots and their threshold. 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootPin(pub Hash);

/// Text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct RootPinError;

impl fmt::Display for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from(self.0).to_hex())
    }
}

impl FromStr for RootPin {
    type Err = RootPinError;

    fn from_str(text: &str) -> Result<RootPin, RootPinError> {
        let hash = blake3::Hash::from_hex(text.trim()).map_err(|_not_hex| RootPinError)?;
        Ok(RootPin(*hash.as_bytes()))
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct KeysetWire {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(string, tag = "3")]
    trust_domain: String,
    #[prost(message, repeated, tag = "4")]
    roots: Vec<PublicKey>,
    #[prost(uint32, tag = "5")]
    root_threshold: u32,
    #[prost(message, repeated, tag = "6")]
    online_keys: Vec<OnlineKey>,
    #[prost(string, repeated, tag = "7")]
    revoked: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct SignedKeysetWire {
    #[prost(bytes = "bytes", tag = "1")]
    keyset: Bytes,
    #[prost(message, repeated, tag = "2")]
    signatures: Vec<SignatureWire>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct SignatureWire {
    #[prost(string, tag = "1")]
    key_id: String,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}
