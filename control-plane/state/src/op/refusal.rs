//! What edges could not use of a deployment.

use bytes::Bytes;

use crate::{
    AssetKind, DeploymentRecord, Refusal, ResourceKind,
    bounds::REFUSALS_PER_DEPLOYMENT_MAX,
    code,
    draft::Draft,
    op::api,
    rejection::{OpError, check_hash, check_id, reject},
};

/// Longest code, path and message kept; edges are not trusted with the size of the state.
const CODE_BYTES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 512;
const MESSAGE_BYTES_MAX: usize = 1024;

/// Records that an edge could not use a deployment. The newest refusal of an edge replaces its older one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RecordRefusal {
    /// Environment of the API.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Id of the API.
    #[prost(string, tag = "2")]
    pub api_id: String,
    /// Deployment number; 0 for the newest.
    #[prost(uint64, tag = "3")]
    pub number: u64,
    /// Id of the edge.
    #[prost(string, tag = "4")]
    pub edge_id: String,
    /// Hash of the refused object, 32 bytes.
    #[prost(bytes = "bytes", tag = "5")]
    pub object_hash: Bytes,
    /// Stable code, upper snake case.
    #[prost(string, tag = "6")]
    pub code: String,
    /// Field path inside the object.
    #[prost(string, tag = "7")]
    pub path: String,
    /// Text for people.
    #[prost(string, tag = "8")]
    pub message: String,
}

pub(super) fn record(draft: &mut Draft<'_>, op: &RecordRefusal) -> Result<(), OpError> {
    check_id("edge_id", &op.edge_id)?;
    check_hash("object_hash", &op.object_hash)?;
    let asset = AssetKind::owned(&op.api_id);
    let (name, number) = match (&asset, op.number) {
        (Some(_), number) => (String::new(), number),
        (None, number) => {
            let api = api::require(draft, &op.environment, &op.api_id, "api_id")?;
            let newest = api.deployed_number;
            (api.name, if number == 0 { newest } else { number })
        }
    };
    let id = format!("{}/{number}", op.api_id);
    let Some(deployment) = draft.record::<DeploymentRecord>(&op.environment, &id)? else {
        let message = format!("deployment {number} is not in the history");
        return Err(reject(code::NOT_FOUND, "number", message));
    };
    let mut deployment = deployment.value;
    deployment
        .refusals
        .retain(|refusal| refusal.edge_id != op.edge_id);
    deployment.refusals.push(Refusal {
        edge_id: op.edge_id.clone(),
        object_hash: op.object_hash.clone(),
        code: shortened(&op.code, CODE_BYTES_MAX),
        path: shortened(&op.path, PATH_BYTES_MAX),
        message: shortened(&op.message, MESSAGE_BYTES_MAX),
        time_ms: draft.time_ms,
    });
    let excess = deployment
        .refusals
        .len()
        .saturating_sub(REFUSALS_PER_DEPLOYMENT_MAX);
    deployment.refusals.drain(..excess);
    draft.put_record(&op.environment, &id, &deployment)?;
    let (kind, id) = match asset {
        Some(asset) => (ResourceKind::Asset, asset),
        None => (ResourceKind::Deployment, id.as_str()),
    };
    draft.changed(kind, &op.environment, id, &name, false);
    Ok(())
}

/// Cuts at a character boundary.
fn shortened(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}
