//! The cluster itself: its name, epoch, feature level and keysets.

use bytes::Bytes;

use crate::{
    ApplyError, ClusterRecord, KeysetRecord, ResourceKind, code,
    draft::Draft,
    key, level, query,
    rejection::{OpError, check_id, reject},
};

/// Largest signed keyset, in bytes.
const KEYSET_BYTES_MAX: usize = 64 * 1024;

/// Names the cluster at bootstrap, or raises its epoch. The feature level is kept.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutCluster {
    /// Id; never changes.
    #[prost(string, tag = "1")]
    pub cluster_id: String,
    /// Trust domain of manifests; never changes.
    #[prost(string, tag = "2")]
    pub trust_domain: String,
    /// At least 1; never falls.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
}

/// Adds the next keyset version. Its signatures are checked by edges and by the proposer, not here.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutKeyset {
    /// Must be the last version plus one.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The signed keyset as edges receive it.
    #[prost(bytes = "bytes", tag = "2")]
    pub bytes: Bytes,
}

/// Raises the feature level, once all members are upgraded.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetFeatureLevel {
    /// The new level; a member whose release lacks it stops.
    #[prost(uint32, tag = "1")]
    pub level: u32,
}

pub(super) fn put(draft: &mut Draft<'_>, op: &PutCluster) -> Result<(), OpError> {
    let PutCluster {
        cluster_id,
        trust_domain,
        epoch,
    } = op;
    check_id("cluster_id", cluster_id)?;
    check_id("trust_domain", trust_domain)?;
    if *epoch == 0 {
        return Err(reject(code::INVALID, "epoch", "expected at least 1"));
    }
    let before = query::cluster(draft.state())?.map(|before| before.value);
    if let Some(before) = &before {
        let fixed = [
            ("cluster_id", &before.cluster_id, cluster_id),
            ("trust_domain", &before.trust_domain, trust_domain),
        ];
        for (field, was, is) in fixed {
            if was != is {
                return Err(reject(
                    code::IMMUTABLE,
                    field,
                    format!("expected \"{was}\""),
                ));
            }
        }
        if *epoch < before.epoch {
            let message = format!("expected at least {}", before.epoch);
            return Err(reject(code::OUT_OF_SEQUENCE, "epoch", message));
        }
    }
    let record = ClusterRecord {
        cluster_id: cluster_id.clone(),
        trust_domain: trust_domain.clone(),
        epoch: *epoch,
        feature_level: before.map_or(1, |before| before.feature_level),
    };
    draft.put_record("", "", &record)?;
    draft.changed(ResourceKind::Cluster, "", "", cluster_id, false);
    Ok(())
}

pub(super) fn put_keyset(draft: &mut Draft<'_>, op: &PutKeyset) -> Result<(), OpError> {
    let PutKeyset { version, bytes } = op;
    if bytes.is_empty() || bytes.len() > KEYSET_BYTES_MAX {
        let message = format!("expected 1 to {KEYSET_BYTES_MAX} bytes");
        return Err(reject(code::INVALID, "bytes", message));
    }
    // Versions are dense: the predecessor is there and the version itself is not.
    let previous = version.checked_sub(1);
    let follows = match previous {
        None => false,
        Some(0) => true,
        Some(previous) => query::keyset(draft.state(), previous)?.is_some(),
    };
    if !follows || query::keyset(draft.state(), *version)?.is_some() {
        let message = "expected the version after the newest one";
        return Err(reject(code::OUT_OF_SEQUENCE, "version", message));
    }
    let id = key::keyset_id(*version);
    let record = KeysetRecord {
        version: *version,
        bytes: bytes.clone(),
    };
    draft.put_record("", &id, &record)?;
    draft.changed(ResourceKind::Keyset, "", &id, "", false);
    Ok(())
}

pub(super) fn set_feature_level(
    draft: &mut Draft<'_>,
    op: &SetFeatureLevel,
) -> Result<(), OpError> {
    if op.level > level::SUPPORTED {
        let (needed, supported) = (op.level, level::SUPPORTED);
        return Err(OpError::Fatal(ApplyError::LevelTooNew {
            needed,
            supported,
        }));
    }
    let Some(before) = query::cluster(draft.state())? else {
        return Err(reject(code::NOT_FOUND, "", "the cluster has no name yet"));
    };
    if op.level < before.value.feature_level.max(1) {
        return Err(reject(
            code::OUT_OF_SEQUENCE,
            "level",
            "the level never falls",
        ));
    }
    let record = ClusterRecord {
        feature_level: op.level,
        ..before.value
    };
    draft.put_record("", "", &record)?;
    draft.changed(ResourceKind::Cluster, "", "", &record.cluster_id, false);
    Ok(())
}
