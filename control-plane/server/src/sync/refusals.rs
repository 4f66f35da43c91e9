//! Records what edges could not use on the deployment: once per edge and object content.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tidegate_consensus::Consensus;
use tidegate_model::ObjectKind;
use tidegate_state::{
    AssetKind, DeploymentRecord, ReadError, Txn,
    op::{Op, RecordRefusal},
    query,
};
use tidegate_sync::node::{RefusedObject, Report};
use tidegate_telemetry::tasks::Tasks;
use tidegate_view::Hash;
use tokio::sync::mpsc;

use crate::auth::now_ms;

/// Refusals waiting to be recorded; more are dropped, the directory still shows them.
const QUEUE_MAX: usize = 1024;
/// Recorded pairs of edge and content remembered by this node; the state knows the rest.
const REMEMBERED_MAX: usize = 16_384;
/// Deployments looked through for the refused content.
const DEPLOYMENTS_SEARCHED: usize = 32;
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Refusal {
    edge_id: Arc<str>,
    environment: Arc<str>,
    /// What has the deployment: the id of an API, or what stands for an asset.
    owner: String,
    object: RefusedObject,
}

/// Takes refusals from all streams of this node.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    queue: mpsc::Sender<Refusal>,
}

/// The refusals of one stream.
#[derive(Debug)]
pub(super) struct EdgeRefusals {
    edge_id: Arc<str>,
    environment: Arc<str>,
    queue: mpsc::Sender<Refusal>,
}

impl Recorder {
    pub(super) fn start(consensus: Consensus, tasks: &Tasks) -> Self {
        let (queue, refusals) = mpsc::channel(QUEUE_MAX);
        tasks.spawn("sync refusals", record_all(consensus, refusals));
        Self { queue }
    }

    pub(super) fn for_edge(&self, edge_id: &Arc<str>, environment: &str) -> EdgeRefusals {
        EdgeRefusals {
            edge_id: Arc::clone(edge_id),
            environment: Arc::from(environment),
            queue: self.queue.clone(),
        }
    }
}

impl EdgeRefusals {
    pub(super) fn note(&self, report: &Report) {
        let Report::Nacked { objects, .. } = report else {
            return;
        };
        for object in objects {
            let Some(owner) = owner_of(object) else {
                continue;
            };
            let refusal = Refusal {
                owner,
                edge_id: Arc::clone(&self.edge_id),
                environment: Arc::clone(&self.environment),
                object: object.clone(),
            };
            if self.queue.try_send(refusal).is_err() {
                tracing::warn!(edge_id = %self.edge_id, "refusal not recorded, the queue is full");
            }
        }
    }
}

/// Whose history the refusal of an object belongs to.
fn owner_of(object: &RefusedObject) -> Option<String> {
    match object.kind.parse().ok()? {
        ObjectKind::Api => Some(object.id.clone()),
        ObjectKind::SharedPolicyGroup => Some(AssetKind::SharedPolicyGroup.owner(&object.id)),
        ObjectKind::Organization => Some(AssetKind::Organization.owner(&object.id)),
        ObjectKind::Dictionary => Some(AssetKind::Dictionary.owner(&object.id)),
        ObjectKind::Subscription | ObjectKind::Properties => None,
    }
}

/// Remembers pairs in order of arrival; the oldest make room.
#[derive(Debug, Default)]
struct Recorded {
    known: HashSet<(Arc<str>, Hash)>,
    order: VecDeque<(Arc<str>, Hash)>,
}

impl Recorded {
    fn has(&self, edge_id: &Arc<str>, hash: Hash) -> bool {
        self.known.contains(&(Arc::clone(edge_id), hash))
    }

    fn add(&mut self, edge_id: Arc<str>, hash: Hash) {
        if self.known.insert((Arc::clone(&edge_id), hash)) {
            self.order.push_back((edge_id, hash));
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

async fn record_all(consensus: Consensus, mut refusals: mpsc::Receiver<Refusal>) {
    let mut recorded = Recorded::default();
    while let Some(refusal) = refusals.recv().await {
        let hash = refusal.object.object_hash;
        if recorded.has(&refusal.edge_id, hash) {
            continue;
        }
        let edge_id = Arc::clone(&refusal.edge_id);
        match record(&consensus, &refusal).await {
            Ok(()) => recorded.add(edge_id, hash),
            Err(error) => {
                let error = error.as_ref();
                tracing::warn!(%edge_id, error, "refusal not recorded; the edge repeats it");
            }
        }
    }
}

async fn record(
    consensus: &Consensus,
    refusal: &Refusal,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let object = &refusal.object;
    let Some(number) = unrecorded_deployment(consensus, refusal)? else {
        return Ok(());
    };
    let hash = blake3::Hash::from(object.object_hash);
    let txn = Txn {
        idempotency_key: format!(
            "refusal/{}/{}/{number}/{hash}",
            refusal.edge_id, refusal.owner
        ),
        request_digest: bytes::Bytes::copy_from_slice(hash.as_bytes()),
        actor: format!("edge:{}", refusal.edge_id),
        time_ms: now_ms(),
        min_level: 0,
        preconditions: Vec::new(),
        ops: vec![Op::from(RecordRefusal {
            environment: refusal.environment.to_string(),
            api_id: refusal.owner.clone(),
            number,
            edge_id: refusal.edge_id.to_string(),
            object_hash: bytes::Bytes::copy_from_slice(hash.as_bytes()),
            code: object.code.clone(),
            path: object.path.clone(),
            message: object.message.clone(),
        })],
    };
    // A rejection means that the API or deployment is gone: nothing is left to record it on.
    consensus.propose(txn, PROPOSE_TIMEOUT).await?;
    Ok(())
}

/// The deployment that has the refused content, else the newest one; `None` when the refusal is
/// recorded already or the API is gone.
fn unrecorded_deployment(
    consensus: &Consensus,
    refusal: &Refusal,
) -> Result<Option<u64>, ReadError> {
    let state = consensus.state();
    let page = query::deployments(
        &state,
        &refusal.environment,
        &refusal.owner,
        None,
        DEPLOYMENTS_SEARCHED,
    )?;
    let has_content =
        |record: &DeploymentRecord| record.object_hash.as_ref() == refusal.object.object_hash;
    let deployments: Vec<DeploymentRecord> = page.items;
    let deployment = deployments
        .iter()
        .find(|record| has_content(record))
        .or(deployments.first());
    let Some(deployment) = deployment else {
        return Ok(None);
    };
    let is_recorded = deployment.refusals.iter().any(|known| {
        known.edge_id == *refusal.edge_id
            && known.object_hash.as_ref() == refusal.object.object_hash
    });
    Ok(if is_recorded {
        None
    } else {
        Some(deployment.number)
    })
}
