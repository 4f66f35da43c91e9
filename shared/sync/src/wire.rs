//! Sync messages ⇄ the values they carry.

use bytes::Bytes;
use tidegate_proto::sync::v1 as proto;
use tidegate_view::{Hash, KeysetSignature, SignedKeyset, SignedManifest};

use crate::edge::Position;

/// Puts a manifest into a message.
#[must_use]
pub fn manifest_to_wire(signed: &SignedManifest) -> proto::SignedManifest {
    proto::SignedManifest {
        manifest: signed.manifest.clone(),
        signature: Bytes::copy_from_slice(&signed.signature),
        key_id: signed.key_id.clone(),
    }
}

/// Takes a manifest out of a message; nothing is verified yet.
#[must_use]
pub fn manifest_from_wire(message: proto::SignedManifest) -> SignedManifest {
    SignedManifest {
        manifest: message.manifest,
        signature: message.signature.to_vec(),
        key_id: message.key_id,
    }
}

/// Puts a keyset into a message.
#[must_use]
pub fn keyset_to_wire(signed: &SignedKeyset) -> proto::SignedKeyset {
    let signatures = signed
        .signatures
        .iter()
        .map(|signature| proto::KeysetSignature {
            key_id: signature.key_id.clone(),
            signature: Bytes::copy_from_slice(&signature.signature),
        });
    proto::SignedKeyset {
        keyset: signed.keyset.clone(),
        signatures: signatures.collect(),
    }
}

/// Takes a keyset out of a message; nothing is verified yet.
#[must_use]
pub fn keyset_from_wire(message: proto::SignedKeyset) -> SignedKeyset {
    let signatures = message
        .signatures
        .into_iter()
        .map(|signature| KeysetSignature {
            key_id: signature.key_id,
            signature: signature.signature.to_vec(),
        });
    SignedKeyset {
        keyset: message.keyset,
        signatures: signatures.collect(),
    }
}

pub(crate) fn position_to_wire(position: &Position) -> proto::Position {
    proto::Position {
        epoch: position.epoch,
        revision: position.revision,
        root: Bytes::copy_from_slice(&position.root),
    }
}

/// `None` when the root is not a hash.
pub(crate) fn position_from_wire(message: &proto::Position) -> Option<Position> {
    let root = Hash::try_from(message.root.as_ref()).ok()?;
    Some(Position {
        epoch: message.epoch,
        revision: message.revision,
        root,
    })
}
