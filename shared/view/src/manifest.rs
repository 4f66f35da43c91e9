//! The signed description of one version of a view.

use std::ops::Deref;

use bytes::Bytes;
use prost::Message as _;

use crate::{Hash, MANIFEST_CONTEXT, SignError, Signer};

/// Version of the manifest format.
pub const FORMAT: u32 = 1;

/// Largest manifest, in bytes; names make up most of it.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// One version of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// [`FORMAT`]; an edge refuses others.
    pub format: u32,
    /// Cluster the view belongs to; two of them never accept each other's manifests.
    pub trust_domain: String,
    /// `<environment>/<canonical tags>`.
    pub view_id: String,
    /// Raised by disaster recovery only.
    pub epoch: u64,
    /// Log index whose content this is; grows within an epoch.
    pub revision: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Number of objects.
    pub objects: u64,
    /// Sum of the objects' lengths.
    pub bytes: u64,
    /// Root of the version published before; zero for the first.
    pub prev_root: Hash,
    /// Feature level an edge needs to decode the objects.
    pub min_edge_level: u32,
    /// When it was signed, milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// Key that signs it.
    pub key_id: String,
}

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {detail}")]
pub struct Malformed {
    /// What was decoded.
    pub what: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl Malformed {
    pub(crate) fn new(what: &'static str, detail: impl Into<String>) -> Malformed {
        Malformed {
            what,
            detail: detail.into(),
        }
    }
}

/// A point in the life of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Epoch of the cluster.
    pub epoch: u64,
    /// Revision within the epoch.
    pub revision: u64,
    /// Root of the tree there.
    pub root: Hash,
}

impl Position {
    /// Says whether this comes before `other`: by epoch, then revision.
    pub fn is_before(&self, other: &Position) -> bool {
        (self.epoch, self.revision) < (other.epoch, other.revision)
    }
}

/// A manifest as it travels: exact bytes, and a signature over [`MANIFEST_CONTEXT`] followed by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    /// Encoded [`Manifest`].
    pub manifest: Bytes,
    /// Ed25519 signature, 64 bytes.
    pub signature: Vec<u8>,
    /// Key that signed; the manifest names the same.
    pub key_id: String,
}

/// A manifest whose signature, view, position and level were checked. Made by
/// [`TrustedKeyset::verify`](crate::TrustedKeyset::verify) only; reads like a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedManifest {
    manifest: Manifest,
}

/// Why a manifest or a view is not accepted. What is active stays active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Bytes that do not decode, or a value that cannot be.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Larger than a limit.
    #[error("{what} is larger than allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
    },
    /// No signature of the named key over these bytes.
    #[error("signature does not verify")]
    Signature,
    /// The keyset does not have the key.
    #[error("key {key_id} is unknown")]
    UnknownKey {
        /// Key the manifest names.
        key_id: String,
    },
    /// The keyset revoked the key.
    #[error("key {key_id} is revoked")]
    Revoked {
        /// Key the manifest names.
        key_id: String,
    },
    /// Issued after the key's end.
    #[error("key {key_id} had ended when the manifest was issued")]
    KeyExpired {
        /// Key the manifest names.
        key_id: String,
    },
    /// Another cluster's manifest.
    #[error("manifest of trust domain {found}")]
    WrongTrustDomain {
        /// Trust domain of the manifest.
        found: String,
    },
    /// A view the edge did not ask for.
    #[error("manifest of view {found}")]
    WrongView {
        /// View of the manifest.
        found: String,
    },
    /// An epoch that the roots have not announced in a keyset.
    #[error("epoch {found} is not announced by the keyset, which has {announced}")]
    UnknownEpoch {
        /// Epoch of the manifest.
        found: u64,
        /// Epoch of the keyset.
        announced: u64,
    },
    /// Older than what is held.
    #[error("epoch {epoch}, revision {revision} is older than what is held")]
    Rollback {
        /// Epoch of the manifest.
        epoch: u64,
        /// Revision of the manifest.
        revision: u64,
    },
    /// Two roots for one position: somebody with the key signs two histories.
    #[error("epoch {epoch}, revision {revision} has another root than the one held")]
    Equivocation {
        /// Epoch of both.
        epoch: u64,
        /// Revision of both.
        revision: u64,
    },
    /// Needs a newer edge.
    #[error("needs format {format}, feature level {level}")]
    Incompatible {
        /// Format of the manifest.
        format: u32,
        /// Level it needs.
        level: u32,
    },
    /// The objects do not lead to the signed root.
    #[error("staged objects do not have the signed root, number and size")]
    Diverged {
        /// Signed root.
        expected: Hash,
        /// Root found.
        found: Hash,
    },
}

impl VerifyError {
    /// Gives the stable code for alarms and refusals.
    pub const fn code(&self) -> &'static str {
        match self {
            VerifyError::Malformed(_) | VerifyError::TooLarge { .. } => "MALFORMED",
            VerifyError::Signature
            | VerifyError::UnknownKey { .. }
            | VerifyError::Revoked { .. }
            | VerifyError::KeyExpired { .. }
            | VerifyError::WrongTrustDomain { .. }
            | VerifyError::WrongView { .. } => "SIGNATURE",
            VerifyError::UnknownEpoch { .. } => "KEYSET",
            VerifyError::Rollback { .. } => "ROLLBACK",
            VerifyError::Equivocation { .. } => "EQUIVOCATION",
            VerifyError::Incompatible { .. } => "INCOMPATIBLE",
            VerifyError::Diverged { .. } => "DIVERGED",
        }
    }
}

impl Manifest {
    /// Encodes the manifest: protobuf, fields in order, defaults left out.
    pub fn encode(&self) -> Vec<u8> {
        ManifestWire {
            format: self.format,
            trust_domain: self.trust_domain.clone(),
            view_id: self.view_id.clone(),
            epoch: self.epoch,
            revision: self.revision,
            root: self.root.to_vec(),
            objects: self.objects,
            bytes: self.bytes,
            prev_root: self.prev_root.to_vec(),
            min_edge_level: self.min_edge_level,
            issued_ms: self.issued_ms,
            key_id: self.key_id.clone(),
        }
        .encode_to_vec()
    }

    /// Decodes a manifest. Unknown fields are ignored: what an edge must understand is said by `min_edge_level`.
    ///
    /// # Errors
    /// When the bytes are longer than 64 KiB, no such message, or a root is not 32 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, Malformed> {
        let malformed = |detail: &dyn ToString| Malformed::new("manifest", detail.to_string());
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(malformed(&"longer than 64 KiB"));
        }
        let wire = ManifestWire::decode(bytes).map_err(|error| malformed(&error))?;
        let hash = |bytes: &[u8]| {
            Hash::try_from(bytes).map_err(|_wrong_length| malformed(&"a root is not 32 bytes"))
        };
        Ok(Manifest {
            root: hash(&wire.root)?,
            prev_root: hash(&wire.prev_root)?,
            format: wire.format,
            trust_domain: wire.trust_domain,
            view_id: wire.view_id,
            epoch: wire.epoch,
            revision: wire.revision,
            objects: wire.objects,
            bytes: wire.bytes,
            min_edge_level: wire.min_edge_level,
            issued_ms: wire.issued_ms,
            key_id: wire.key_id,
        })
    }

    /// Gives where in the life of the view this is.
    pub fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
            root: self.root,
        }
    }
}

impl SignedManifest {
    /// Signs a manifest; it must name the signer's key.
    ///
    /// # Errors
    /// When it names another key, or the signer fails.
    pub fn sign(manifest: &Manifest, signer: &dyn Signer) -> Result<SignedManifest, SignError> {
        if manifest.key_id != signer.key_id() {
            let (wanted, held) = (manifest.key_id.clone(), signer.key_id().to_owned());
            return Err(SignError::OtherKey { wanted, held });
        }
        let bytes = manifest.encode();
        let signature = signer.sign(MANIFEST_CONTEXT, &bytes)?;
        let key_id = manifest.key_id.clone();
        Ok(SignedManifest {
            manifest: bytes.into(),
            signature,
            key_id,
        })
    }
}

impl VerifiedManifest {
    pub(crate) fn new(manifest: Manifest) -> VerifiedManifest {
        VerifiedManifest { manifest }
    }
}

impl Deref for VerifiedManifest {
    type Target = Manifest;

    fn deref(&self) -> &Manifest {
        &self.manifest
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ManifestWire {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(string, tag = "2")]
    trust_domain: String,
    #[prost(string, tag = "3")]
    view_id: String,
    #[prost(uint64, tag = "4")]
    epoch: u64,
    #[prost(uint64, tag = "5")]
    revision: u64,
    #[prost(bytes = "vec", tag = "6")]
    root: Vec<u8>,
    #[prost(uint64, tag = "7")]
    objects: u64,
    #[prost(uint64, tag = "8")]
    bytes: u64,
    #[prost(bytes = "vec", tag = "9")]
    prev_root: Vec<u8>,
    #[prost(uint32, tag = "10")]
    min_edge_level: u32,
    #[prost(uint64, tag = "11")]
    issued_ms: u64,
    #[prost(string, tag = "12")]
    key_id: String,
}
