//! From `Hello` to an open session: entitlement, registration of a new view, and waiting until
//! this node is at least as far as the edge.

use std::{sync::Arc, time::Duration};

use tidegate_consensus::Consensus;
use tidegate_model::TagSelector;
use tidegate_proto::sync::v1::{Hello, SignedKeyset};
use tidegate_state::{
    ReadError, Reply, Txn,
    op::{Op, RegisterView},
    query,
};
use tidegate_sync::{
    granted,
    limits::KEYSET_CHAIN_MAX,
    node::{HelloRefused, Opening, ValidHello, check_hello},
    view_id,
};
use tokio::time::{Instant, timeout_at};

use super::SyncParts;
use crate::{
    auth::{EdgeIdentity, now_ms},
    views::Newest,
};

/// Why an edge is not taken; `code` and text go into `Reject`.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Hello(#[from] HelloRefused),
    #[error("there is no environment {0:?}")]
    UnknownEnvironment(String),
    #[error(transparent)]
    Tags(#[from] tidegate_sync::TagsRefused),
    #[error("the edge holds revision {edge} of epoch {epoch}, this node has not reached it yet")]
    EdgeAhead { epoch: u64, edge: u64 },
    #[error("the view of this edge cannot be registered: {0}")]
    NotRegistered(String),
    #[error("the view of this edge is not grown in time")]
    NotGrown,
    #[error("the state of this node cannot be read")]
    State(#[from] ReadError),
    #[error("a stored keyset is malformed")]
    Keyset(#[from] tidegate_view::Malformed),
}

impl Refused {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Hello(refused) => refused.code(),
            Self::UnknownEnvironment(_) => "UNKNOWN_ENVIRONMENT",
            Self::Tags(_) => "BAD_TAGS",
            Self::EdgeAhead { .. } => "EDGE_AHEAD",
            Self::NotRegistered(_) | Self::NotGrown | Self::State(_) | Self::Keyset(_) => {
                "UNAVAILABLE"
            }
        }
    }
}

/// An edge that may be served.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) hello: ValidHello,
    pub(super) view_id: String,
    pub(super) newest: Newest,
    pub(super) opening: Opening,
    pub(super) keyset_version: u64,
}

/// Admits an edge, or says why not. Takes at most the admission time of the settings.
pub(super) async fn admit(
    parts: &SyncParts,
    identity: &EdgeIdentity,
    hello: Hello,
) -> Result<Admitted, Refused> {
    let deadline = Instant::now() + parts.settings.admission;
    let hello = check_hello(hello)?;
    let selector = granted(&hello.tags, &identity.allowed_tags)?;
    let view_id = view_id(&hello.environment, &selector);
    let state = parts.consensus.state();
    let environment = query::environment(&state, &hello.environment)?
        .ok_or_else(|| Refused::UnknownEnvironment(hello.environment.clone()))?;
    if !parts.views.has(&view_id) {
        register(
            &parts.consensus,
            &hello.environment,
            &view_id,
            &selector,
            deadline,
        )
        .await?;
    }
    wait_until_grown(parts, &view_id, deadline).await?;
    wait_for_edge(parts, &hello, deadline).await?;
    let mut newest = parts.views.watch(&view_id);
    let (keysets, keyset_version) = keysets_after(&parts.consensus, hello.keyset_version)?;
    let stream_id = uuid::Uuid::new_v4();
    let opening = Opening {
        stream_id: stream_id.to_string(),
        view_id: view_id.clone(),
        held: hello.held_of(&view_id),
        newest: newest.borrow_and_update().clone(),
        keysets,
        api_key_pepper: environment.value.api_key_pepper,
        beat_ms: parts.settings.beat_ms,
        seed: stream_id.as_u64_pair().0,
    };
    Ok(Admitted {
        hello,
        view_id,
        newest,
        opening,
        keyset_version,
    })
}

async fn register(
    consensus: &Consensus,
    environment: &str,
    view_id: &str,
    selector: &TagSelector,
    deadline: Instant,
) -> Result<(), Refused> {
    let op = RegisterView {
        environment: environment.to_owned(),
        view_id: view_id.to_owned(),
        inclusions: selector.inclusions().iter().cloned().collect(),
        exclusions: selector.exclusions().iter().cloned().collect(),
    };
    let txn = Txn {
        // Registering twice is allowed, and a removed view may come back: never the same key.
        idempotency_key: uuid::Uuid::new_v4().to_string(),
        request_digest: bytes::Bytes::new(),
        actor: "sync".to_owned(),
        time_ms: now_ms(),
        min_level: 0,
        preconditions: Vec::new(),
        ops: vec![Op::from(op)],
    };
    let timeout = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1));
    match consensus.propose(txn, timeout).await {
        Ok(Reply::Done { .. }) => Ok(()),
        Ok(Reply::Rejected { message, .. }) => Err(Refused::NotRegistered(message)),
        Ok(Reply::Conflict { .. }) => Err(Refused::NotRegistered("conflict".to_owned())),
        Err(error) => Err(Refused::NotRegistered(error.to_string())),
    }
}

async fn wait_until_grown(
    parts: &SyncParts,
    view_id: &str,
    deadline: Instant,
) -> Result<(), Refused> {
    let mut grown = parts.views.grown();
    let waited = timeout_at(deadline, grown.wait_for(|_index| parts.views.has(view_id))).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Refused::NotGrown),
    }
}

/// An edge may come from a node that is further. What it holds was committed, so this node gets
/// there unless it is cut off; then the edge is better served elsewhere.
async fn wait_for_edge(
    parts: &SyncParts,
    hello: &ValidHello,
    deadline: Instant,
) -> Result<(), Refused> {
    let Some(held) = hello.held else {
        return Ok(());
    };
    let ahead = || Refused::EdgeAhead {
        epoch: held.epoch,
        edge: held.revision,
    };
    let epoch = query::cluster(&parts.consensus.state())?.map_or(0, |cluster| cluster.value.epoch);
    if held.epoch < epoch {
        // Disaster recovery restarted the revisions.
        return Ok(());
    }
    if held.epoch > epoch {
        return Err(ahead());
    }
    let mut grown = parts.views.grown();
    match timeout_at(deadline, grown.wait_for(|index| *index >= held.revision)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(ahead()),
    }
}

/// Keysets newer than `version`, oldest first, and the version they lead to.
pub(super) fn keysets_after(
    consensus: &Consensus,
    version: u64,
) -> Result<(Vec<SignedKeyset>, u64), Refused> {
    let records = query::keysets(&consensus.state(), version, KEYSET_CHAIN_MAX)?;
    let newest = records.last().map_or(version, |record| record.version);
    let mut keysets = Vec::with_capacity(records.len());
    for record in records {
        let signed = tidegate_view::SignedKeyset::decode(&record.bytes)?;
        keysets.push(tidegate_sync::keyset_to_wire(&signed));
    }
    Ok((keysets, newest))
}

/// Other nodes an edge may use, as URLs.
pub(super) fn other_nodes(consensus: &Consensus) -> Vec<String> {
    let status = consensus.status();
    let own = status.node_id;
    let others = status.members.into_iter().filter(|member| member.id != own);
    others
        .map(|member| format!("https://{}", member.grpc_address))
        .collect()
}

/// Shared by tests and logs: names an admitted edge.
impl Admitted {
    pub(super) fn edge_id(&self) -> Arc<str> {
        Arc::from(self.hello.edge_id.as_str())
    }
}
