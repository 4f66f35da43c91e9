//! Takes a delta chunk by chunk into a staged view.

use bytes::Bytes;
use prost::Message as _;
use tidegate_proto::sync::v1::{Change, Changes};
use tidegate_view::{Hash, SignedManifest, StagedView, VerifiedManifest, VerifiedView};

use super::{Alarm, AlarmCode};
use crate::{limits::OBJECT_BYTES_MAX, node::ObjectChange};

/// A delta on its way.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) target: Target,
    from: Hash,
    staged: StagedView,
    changes: Vec<ObjectChange>,
    budget: Budget,
}

/// The version a transfer leads to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) signed: SignedManifest,
    pub(super) manifest: VerifiedManifest,
}

/// A complete view and how it came to be.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) view: VerifiedView,
    pub(super) signed: SignedManifest,
    pub(super) from: Hash,
    pub(super) changes: Vec<ObjectChange>,
}

/// What a chunk led to.
pub(super) enum Received {
    /// The delta goes on.
    More(Box<Receiving>),
    /// The root matches.
    Complete(Box<Complete>),
}

/// What a transfer may still carry, by its signed manifest: an endless stream ends here.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    objects: u64,
    removals: u64,
}

impl Budget {
    pub(super) fn new(manifest: &VerifiedManifest, base_objects: u64) -> Self {
        Self {
            bytes: manifest.bytes,
            objects: manifest.objects,
            removals: base_objects,
        }
    }

    pub(super) fn spend(&mut self, object: Option<&Bytes>) -> Result<(), Alarm> {
        let within = match object {
            Some(object) if object.len() > OBJECT_BYTES_MAX => None,
            Some(object) => self
                .bytes
                .checked_sub(object.len() as u64)
                .and_then(|bytes| {
                    self.bytes = bytes;
                    self.objects
                        .checked_sub(1)
                        .map(|objects| self.objects = objects)
                }),
            None => self
                .removals
                .checked_sub(1)
                .map(|removals| self.removals = removals),
        };
        within
            .ok_or_else(|| Alarm::new(AlarmCode::Malformed, "more than the signed manifest names"))
    }
}

impl Receiving {
    pub(super) fn new(target: Target, from: Hash, base: Option<&VerifiedView>) -> Self {
        let staged = match base {
            Some(base) => StagedView::from(base),
            None => StagedView::empty(),
        };
        let base_objects = base.map_or(0, |base| base.tree().len());
        let budget = Budget::new(&target.manifest, base_objects);
        Self {
            target,
            from,
            staged,
            changes: Vec::new(),
            budget,
        }
    }

    /// Takes one encoded `Changes`.
    pub(super) fn take(mut self: Box<Self>, chunk: &Bytes) -> Result<Received, Alarm> {
        let changes = Changes::decode(chunk.clone())
            .map_err(|error| Alarm::new(AlarmCode::Malformed, error.to_string()))?;
        for change in changes.changes {
            let change = self.check(change)?;
            self.staged
                .apply(&change.kind, &change.id, change.object.clone())?;
            self.changes.push(change);
        }
        if !changes.last {
            return Ok(Received::More(self));
        }
        let view = self.staged.finish(self.target.manifest)?;
        Ok(Received::Complete(Box::new(Complete {
            view,
            signed: self.target.signed,
            from: self.from,
            changes: self.changes,
        })))
    }

    fn check(&mut self, change: Change) -> Result<ObjectChange, Alarm> {
        self.budget.spend(change.object.as_ref())?;
        Ok(ObjectChange {
            kind: change.kind,
            id: change.id,
            object: change.object,
        })
    }
}
