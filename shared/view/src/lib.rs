//! Signed views: what an edge is entitled to run, and how it knows that nobody changed it on the way.
//!
//! A view is a set of objects. Its [`ViewTree`] gives it one root hash; a [`Manifest`] names root, epoch and
//! revision; an online key of the [`Keyset`] signs the manifest; the offline roots sign the keyset; the edge pins the
//! roots ([`RootPin`]). Everything else (deltas, caches, relays) is untrusted bytes: only [`StagedView::finish`] makes
//! a [`VerifiedView`], and only when the staged tree has the signed root.
//!
//! No clock, I/O or randomness, except for [`FileSigner::generate`].

#![warn(missing_docs)]
// Hostile bytes come through here: nothing may panic on them.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that panics fails, which is its purpose"
    )
)]

mod diff;
mod hash;
mod keyset;
mod manifest;
mod signature;
mod staged;
mod tree;
mod trust;
mod walk;

pub use diff::{TreeChange, diff};
pub use hash::{EMPTY_ROOT, Hash, ObjectKeyError, check_object_key, object_hash};
pub use keyset::{
    Keyset, KeysetError, KeysetSignature, OnlineKey, PublicKey, RootPin, RootPinError, SignedKeyset,
};
pub use manifest::{
    FORMAT, Malformed, Manifest, Position, SignedManifest, VerifiedManifest, VerifyError,
};
pub use signature::{FileSigner, KEYSET_CONTEXT, MANIFEST_CONTEXT, SignError, Signer, key_id_of};
pub use staged::{OBJECT_BYTES_MAX, StagedView, VIEW_BYTES_MAX, VIEW_OBJECTS_MAX, VerifiedView};
pub use tree::{Child, Leaf, LeafRef, ViewTree};
pub use trust::TrustedKeyset;
pub use walk::{DiffWalk, Difference, WALK_WANTS_MAX, WalkError};

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
