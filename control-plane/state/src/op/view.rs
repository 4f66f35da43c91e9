//! Views and their published manifests.

use bytes::Bytes;

use crate::{
    ManifestRecord, PublishedView, ReadError, ResourceKind, StateReader, Table, ViewRecord,
    bounds::VIEWS_PER_ENVIRONMENT_MAX,
    code,
    draft::{Draft, stored_hash},
    key, query,
    rejection::{OpError, check_hash, check_text, reject},
};

/// Longest view id, in bytes: 64 tags of 64 characters and the environment.
const VIEW_ID_BYTES_MAX: usize = 8192;
/// Largest manifest, in bytes. View ids and names make up most of it.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// Makes a view, so that manifests of it are published. Registering it again is allowed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterView {
    /// Environment of the view.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// `<environment>/<canonical tags>`.
    #[prost(string, tag = "2")]
    pub view_id: String,
    /// Tags it includes.
    #[prost(string, repeated, tag = "3")]
    pub inclusions: Vec<String>,
    /// Tags it excludes.
    #[prost(string, repeated, tag = "4")]
    pub exclusions: Vec<String>,
}

/// Removes a view that no edge follows any more, with its manifest.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UnregisterView {
    /// Id of the view.
    #[prost(string, tag = "1")]
    pub view_id: String,
}

/// Publishes a signed manifest. Its position must be above the last one of the view.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PublishView {
    /// Id of the view.
    #[prost(string, tag = "1")]
    pub view_id: String,
    /// Log index whose content the manifest describes; below that of this transaction.
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    /// Root of the view tree, 32 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub root: Bytes,
    /// Exact manifest bytes.
    #[prost(bytes = "bytes", tag = "4")]
    pub manifest: Bytes,
    /// Signature over them.
    #[prost(bytes = "bytes", tag = "5")]
    pub signature: Bytes,
    /// Key that signed.
    #[prost(string, tag = "6")]
    pub key_id: String,
}

pub(super) fn register(draft: &mut Draft<'_>, op: &RegisterView) -> Result<(), OpError> {
    let RegisterView {
        environment,
        view_id,
        inclusions,
        exclusions,
    } = op;
    draft.require_environment(environment)?;
    check_text("view_id", view_id, VIEW_ID_BYTES_MAX)?;
    if !view_id.starts_with(&format!("{environment}/")) {
        let message = format!("expected to start with \"{environment}/\"");
        return Err(reject(code::INVALID, "view_id", message));
    }
    let record = ViewRecord {
        view_id: view_id.clone(),
        environment: environment.clone(),
        inclusions: inclusions.clone(),
        exclusions: exclusions.clone(),
    };
    if let Some(before) = query::view(draft.state(), view_id)? {
        if before.value != record {
            return Err(reject(
                code::IMMUTABLE,
                "view_id",
                "the view has other tags",
            ));
        }
        return Ok(());
    }
    if is_full(draft.state(), environment)? {
        let message = format!("the environment has {VIEWS_PER_ENVIRONMENT_MAX} views");
        return Err(reject(code::LIMIT, "view_id", message));
    }
    draft.put_record("", view_id, &record)?;
    draft.changed(ResourceKind::View, environment, view_id, "", false);
    Ok(())
}

pub(super) fn unregister(draft: &mut Draft<'_>, op: &UnregisterView) -> Result<(), OpError> {
    let view = require(draft, &op.view_id)?;
    draft.delete_record(ResourceKind::View, "", &op.view_id);
    draft.delete_record(ResourceKind::Manifest, "", &op.view_id);
    draft.changed(ResourceKind::View, &view.environment, &op.view_id, "", true);
    Ok(())
}

pub(super) fn publish(draft: &mut Draft<'_>, op: &PublishView) -> Result<(), OpError> {
    let view = require(draft, &op.view_id)?;
    check_hash("root", &op.root)?;
    if op.manifest.is_empty() || op.manifest.len() > MANIFEST_BYTES_MAX {
        let message = format!("expected 1 to {MANIFEST_BYTES_MAX} bytes");
        return Err(reject(code::INVALID, "manifest", message));
    }
    if op.revision >= draft.index {
        let message = "expected a revision before this transaction";
        return Err(reject(code::INVALID, "revision", message));
    }
    let epoch = query::cluster(draft.state())?.map_or(1, |cluster| cluster.value.epoch);
    if let Some(before) = query::manifest(draft.state(), &op.view_id)? {
        // A higher epoch may start lower: disaster recovery rewinds revisions.
        let floor = (before.value.epoch, before.value.revision);
        if (epoch, op.revision) <= floor {
            let message = format!(
                "expected a position above epoch {}, revision {}",
                floor.0, floor.1
            );
            return Err(reject(code::OUT_OF_SEQUENCE, "revision", message));
        }
    }
    let record = ManifestRecord {
        view_id: op.view_id.clone(),
        epoch,
        revision: op.revision,
        root: op.root.clone(),
        manifest: op.manifest.clone(),
        signature: op.signature.clone(),
        key_id: op.key_id.clone(),
    };
    draft.put_record("", &op.view_id, &record)?;
    let kind = ResourceKind::Manifest;
    let mut event = draft.event(kind, &view.environment, &op.view_id, "", false);
    event.published = Some(PublishedView {
        view_id: record.view_id,
        epoch,
        revision: record.revision,
        root: stored_hash(Table::Resource, &op.root)?,
        manifest: record.manifest,
        signature: record.signature,
        key_id: record.key_id,
    });
    draft.events.push(event);
    Ok(())
}

fn require(draft: &Draft<'_>, view_id: &str) -> Result<ViewRecord, OpError> {
    match query::view(draft.state(), view_id)? {
        Some(view) => Ok(view.value),
        None => {
            let message = format!("view \"{view_id}\" does not exist");
            Err(reject(code::NOT_FOUND, "view_id", message))
        }
    }
}

fn is_full(reader: &dyn StateReader, environment: &str) -> Result<bool, ReadError> {
    let prefix = key::resource(ResourceKind::View, "", &format!("{environment}/"));
    let found = reader.scan(Table::Resource, &prefix, None, VIEWS_PER_ENVIRONMENT_MAX)?;
    Ok(found.len() >= VIEWS_PER_ENVIRONMENT_MAX)
}
