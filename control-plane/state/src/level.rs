//! Feature levels: which operations all members of a cluster understand.
//!
//! A release applies everything up to [`SUPPORTED`]. The cluster's level is the lowest of its members and is raised
//! by [`SetFeatureLevel`](crate::op::SetFeatureLevel) once all are upgraded; until then newer operations are rejected
//! everywhere alike. A transaction that demands more than the release has is fatal: skipping it would diverge.

use crate::{
    ApplyError, Op, StateReader, code,
    query::{self},
    rejection::{OpError, reject},
};

/// The highest feature level of this release.
pub const SUPPORTED: u32 = 1;

/// Level at which an operation was introduced.
pub const fn required(op: &Op) -> u32 {
    match op {
        Op::PutApi(_)
        | Op::DeleteApi(_)
        | Op::Deploy(_)
        | Op::SetApiState(_)
        | Op::PutApplication(_)
        | Op::DeleteApplication(_)
        | Op::PutSubscription(_)
        | Op::PutToken(_)
        | Op::DeleteToken(_)
        | Op::PutEnvironment(_)
        | Op::PutKeyset(_)
        | Op::PutCluster(_)
        | Op::RegisterView(_)
        | Op::UnregisterView(_)
        | Op::PublishView(_)
        | Op::RecordRefusal(_)
        | Op::SetFeatureLevel(_)
        | Op::PutAsset(_)
        | Op::DeleteAsset(_)
        | Op::DeployAsset(_)
        | Op::WithdrawAsset(_)
        | Op::PutFeed(_) => 1,
    }
}

/// Stops the replica when the transaction is of a newer release.
pub(crate) fn check_release(min_level: u32) -> Result<(), ApplyError> {
    if min_level > SUPPORTED {
        return Err(ApplyError::LevelTooNew {
            needed: min_level,
            supported: SUPPORTED,
        });
    }
    Ok(())
}

/// Rejects an operation that not all members understand yet.
pub(crate) fn check_cluster(reader: &dyn StateReader, op: &Op) -> Result<(), OpError> {
    let needed = required(op);
    // Every cluster has level 1: no need to read it for the operations that are as old as the format.
    if needed <= 1 {
        return Ok(());
    }
    let level = query::feature_level(reader)?;
    if needed > level {
        let message = format!("needs feature level {needed}, the cluster has {level}");
        return Err(reject(code::FEATURE_LEVEL, "", message));
    }
    Ok(())
}
