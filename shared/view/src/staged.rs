//! From untrusted objects to a view that may run.

use bytes::Bytes;

use crate::{Hash, VerifiedManifest, VerifyError, ViewTree, check_object_key};

/// Largest object, in bytes: a definition of 4 MiB with room for its canonical form.
pub const OBJECT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most objects of a view.
pub const VIEW_OBJECTS_MAX: u64 = 4 * 1024 * 1024;
/// Most bytes of a view.
pub const VIEW_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// A view under construction. Nothing in it is trusted, and nothing can be read from it.
#[derive(Clone, Debug)]
pub struct StagedView {
    tree: ViewTree,
}

impl StagedView {
    /// Starts from nothing.
    pub fn empty() -> StagedView {
        StagedView {
            tree: ViewTree::new(),
        }
    }

    /// Puts (`Some`) or removes (`None`) one object. The bytes are copied, so that a message buffer is not kept alive.
    ///
    /// # Errors
    /// `Malformed` for a key that cannot be part of a view, `TooLarge` beyond the limits of an object or a view.
    pub fn apply(
        &mut self,
        kind: &str,
        id: &str,
        object: Option<Bytes>,
    ) -> Result<(), VerifyError> {
        check_object_key(kind, id).map_err(|error| VerifyError::Malformed(error.to_string()))?;
        let Some(object) = object else {
            // An object that is not there was removed already; the root says whether that is right.
            self.tree.remove(kind, id);
            return Ok(());
        };
        if object.len() > OBJECT_BYTES_MAX {
            return Err(VerifyError::TooLarge { what: "object" });
        }
        self.tree
            .insert_object(kind, id, Bytes::copy_from_slice(&object));
        if self.tree.len() > VIEW_OBJECTS_MAX || self.tree.bytes() > VIEW_BYTES_MAX {
            return Err(VerifyError::TooLarge { what: "view" });
        }
        Ok(())
    }

    /// Compares the staged tree with the signed root. This is the only way to a [`VerifiedView`].
    ///
    /// # Errors
    /// `Diverged` when root, number of objects or number of bytes is not the signed one.
    pub fn finish(self, manifest: VerifiedManifest) -> Result<VerifiedView, VerifyError> {
        let found = (self.tree.root(), self.tree.len(), self.tree.bytes());
        if found != (manifest.root, manifest.objects, manifest.bytes) {
            let (expected, found) = (manifest.root, found.0);
            return Err(VerifyError::Diverged { expected, found });
        }
        Ok(VerifiedView {
            tree: self.tree,
            manifest,
        })
    }
}

impl From<&VerifiedView> for StagedView {
    /// Starts from a view that runs; unchanged parts are shared with it.
    fn from(base: &VerifiedView) -> StagedView {
        StagedView {
            tree: base.tree.clone(),
        }
    }
}

/// Objects that together have a signed root: the only thing an edge may compile.
#[derive(Clone, Debug)]
pub struct VerifiedView {
    tree: ViewTree,
    manifest: VerifiedManifest,
}

impl VerifiedView {
    /// Gives the manifest the view was verified against.
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// Gives the tree, for comparing with other versions.
    pub fn tree(&self) -> &ViewTree {
        &self.tree
    }

    /// Gives the root.
    pub fn root(&self) -> Hash {
        self.manifest.root
    }

    /// Gives the bytes of one object.
    pub fn get(&self, kind: &str, id: &str) -> Option<&Bytes> {
        self.tree.object(kind, id)
    }

    /// Visits all objects as kind, id and bytes, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Bytes)> + '_ {
        self.tree.objects()
    }
}
