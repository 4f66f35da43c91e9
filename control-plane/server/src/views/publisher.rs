//! Signs what changed and publishes it through the log. Only the leader does; a new leader
//! publishes what the old one did not.

use std::{sync::Arc, time::Duration};

use tidegate_consensus::Consensus;
use tidegate_state::{
    ReadError, Reply, Txn,
    op::{Op, PublishView},
    query,
};
use tidegate_view::{FORMAT, Manifest, SignedManifest, Signer};
use tokio::time::{Instant, sleep_until};

use super::{Views, coalesce::Coalescer, forest::Unpublished};
use crate::auth::now_ms;

/// Time one proposal may take before its outcome counts as unknown; the retry is idempotent.
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed proposal.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Level an edge needs to read the objects of today.
const EDGE_LEVEL_MIN: u32 = 1;

/// Why a view was not published; it is tried again.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("the cluster is not bootstrapped yet")]
    NoCluster,
    #[error(transparent)]
    State(#[from] ReadError),
    #[error(transparent)]
    Sign(#[from] tidegate_view::SignError),
    #[error(transparent)]
    Propose(#[from] tidegate_consensus::ProposeError),
}

/// Publishes until it is dropped.
pub(super) async fn run(views: Arc<Views>, consensus: Consensus, signer: Arc<dyn Signer>) {
    let mut grown = views.grown();
    let mut status = consensus.watch_status();
    let mut coalescer = Coalescer::default();
    coalescer.changed(Instant::now());
    loop {
        let due = coalescer.due();
        tokio::select! {
            changed = grown.changed() => {
                if changed.is_err() {
                    return;
                }
                coalescer.changed(Instant::now());
            }
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
                if status.borrow_and_update().is_leader {
                    coalescer.changed(Instant::now());
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                coalescer.clear();
                if consensus.status().is_leader
                    && !publish_all(&views, &consensus, signer.as_ref()).await
                {
                    tokio::time::sleep(RETRY_AFTER).await;
                    coalescer.changed(Instant::now());
                }
            }
        }
    }
}

/// False if some view must be tried again.
async fn publish_all(views: &Views, consensus: &Consensus, signer: &dyn Signer) -> bool {
    let (index, unpublished) = views.unpublished();
    let mut all = true;
    for view in unpublished {
        let view_id = view.view_id.clone();
        match publish(view, index, consensus, signer).await {
            Ok(Reply::Done { .. }) => {}
            // Another leader was faster, or the view is gone: the log says so soon.
            Ok(reply @ (Reply::Rejected { .. } | Reply::Conflict { .. })) => {
                tracing::debug!(view_id, ?reply, "manifest was not taken");
            }
            Err(error) => {
                tracing::warn!(
                    view_id,
                    error = &error as &dyn std::error::Error,
                    "view not published"
                );
                all = false;
            }
        }
    }
    all
}

/// `index` is the log index up to which the tree holds everything: the revision of the manifest.
async fn publish(
    view: Unpublished,
    index: u64,
    consensus: &Consensus,
    signer: &dyn Signer,
) -> Result<Reply, PublishError> {
    let time_ms = now_ms();
    let cluster = query::cluster(&consensus.state())?
        .ok_or(PublishError::NoCluster)?
        .value;
    let manifest = Manifest {
        format: FORMAT,
        trust_domain: cluster.trust_domain,
        view_id: view.view_id.clone(),
        epoch: cluster.epoch,
        revision: index,
        root: view.tree.root(),
        objects: view.tree.len(),
        bytes: view.tree.bytes(),
        prev_root: view.previous_root,
        min_edge_level: EDGE_LEVEL_MIN,
        issued_ms: time_ms,
        key_id: signer.key_id().to_owned(),
    };
    let signed = SignedManifest::sign(&manifest, signer)?;
    let root = blake3::Hash::from(view.tree.root());
    let txn = Txn {
        idempotency_key: format!("publish/{}/{}/{index}/{root}", view.view_id, cluster.epoch),
        // The signature differs from try to try; the key already names the content.
        request_digest: bytes::Bytes::copy_from_slice(root.as_bytes()),
        actor: "publisher".to_owned(),
        time_ms,
        min_level: 0,
        preconditions: Vec::new(),
        ops: vec![Op::from(PublishView {
            view_id: view.view_id,
            revision: index,
            root: bytes::Bytes::copy_from_slice(root.as_bytes()),
            manifest: signed.manifest,
            signature: signed.signature.into(),
            key_id: signed.key_id,
        })],
    };
    Ok(consensus.propose(txn, PROPOSE_TIMEOUT).await?)
}
