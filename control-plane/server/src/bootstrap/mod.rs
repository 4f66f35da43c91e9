//! The birth of a cluster: its trust root, its first tokens and its first environment.
//!
//! The node started with `--bootstrap` makes the files, then proposes one transaction that demands
//! that no cluster exists. Files that are there already are used again, so a crash at any point is
//! followed by the same proposal; a cluster that exists leaves the files alone.
//!
//! `root.key` signs keysets and nothing else. No program needs it before keys are rotated: take it
//! offline.

mod files;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use tidegate_consensus::{Consensus, Member, ProposeError};
use tidegate_state::{
    ClusterRecord, Precondition, ReadError, Reply, ResourceKind, TokenRecord, Txn,
    op::{PutCluster, PutEnvironment, PutKeyset, PutToken},
    query,
};
use tidegate_view::{
    FileSigner, Keyset, Malformed, OnlineKey, PublicKey, SignError, SignedKeyset, Signer,
};

pub(crate) use self::files::cluster_id;
use crate::{
    admin::ENVIRONMENT_DEFAULT,
    auth::{RandomError, Role, Token, now_ms, random_bytes},
    config::KeyFiles,
    private_file::FileError,
};

/// Epoch of a new cluster.
const EPOCH: u64 = 1;
/// Time one attempt to propose gets; attempts go on until a quorum is there.
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between attempts, and between looks at a file that another node makes.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a node waits for the signing key that the bootstrapping node makes.
const KEY_WAIT: Duration = Duration::from_secs(120);
/// Looks between two log lines while waiting.
const LOOKS_PER_LINE: u32 = 50;

/// Why a cluster cannot be born or joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{what} in {path} is not valid")]
    Content { what: &'static str, path: String },
    #[error(
        "signing key {0} does not exist; give the cluster's key, or start one node with --bootstrap"
    )]
    KeyMissing(String),
    #[error(
        "signing key {0} is not in the keyset of the cluster; edges would refuse its manifests"
    )]
    KeyUnknown(String),
    #[error("the data directory holds no cluster: start once with --bootstrap, or name --peers")]
    NoCluster,
    #[error("cannot form the cluster")]
    Form(#[source] tidegate_consensus::Error),
    #[error("the first transaction was refused: {0}")]
    Refused(String),
    #[error("the node was shut down")]
    Shutdown,
    #[error("cannot propose the first transaction")]
    Propose(#[source] ProposeError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("cannot sign")]
    Sign(#[from] SignError),
    #[error("the keyset of the cluster does not decode")]
    Keyset(#[from] Malformed),
}

/// Loads the online signing key.
///
/// Made when `make` is set and the file is missing; otherwise waited for, since the node that
/// bootstraps may share it.
pub(crate) async fn signer(path: &Path, make: bool) -> Result<Arc<dyn Signer>, BootstrapError> {
    if make {
        return Ok(Arc::new(files::signing_key(path)?));
    }
    let waiting = async {
        let mut looks: u32 = 0;
        loop {
            if let Some(signer) = files::existing_key(path)? {
                return Ok::<FileSigner, BootstrapError>(signer);
            }
            if looks.is_multiple_of(LOOKS_PER_LINE) {
                tracing::info!(path = %path.display(), "waiting for the signing key");
            }
            looks += 1;
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(KEY_WAIT, waiting).await {
        Ok(signer) => Ok(Arc::new(signer?)),
        Err(_elapsed) => Err(BootstrapError::KeyMissing(path.display().to_string())),
    }
}

/// Forms the cluster of `members` and writes its first records, unless they exist.
pub(crate) async fn create(
    consensus: &Consensus,
    cluster_id: &str,
    members: Vec<Member>,
    keys: &KeyFiles,
    signer: &dyn Signer,
) -> Result<(), BootstrapError> {
    // After a crash the state may be behind the log, and a new root must never replace a real one.
    while consensus.is_initialized() && consensus.read_index(PROPOSE_TIMEOUT).await.is_err() {
        tracing::info!("waiting for a quorum to see whether the cluster exists");
        tokio::time::sleep(PAUSE).await;
    }
    if query::cluster(&consensus.state())?.is_some() {
        return Ok(());
    }
    let txn = first_transaction(cluster_id, keys, signer)?;
    consensus
        .bootstrap(members)
        .await
        .map_err(BootstrapError::Form)?;
    loop {
        match consensus.propose(txn.clone(), PROPOSE_TIMEOUT).await {
            Ok(Reply::Done { .. }) => {
                let root_key = keys.root_key.display();
                tracing::info!(cluster_id, %root_key, "cluster created; take the root key offline");
                return Ok(());
            }
            // Somebody else, or this node before a crash, was first.
            Ok(Reply::Conflict { .. }) => return Ok(()),
            Ok(Reply::Rejected {
                code,
                message,
                path,
            }) => {
                return Err(BootstrapError::Refused(format!(
                    "{code} at {path}: {message}"
                )));
            }
            Err(ProposeError::NoLeader | ProposeError::Timeout) => {
                tracing::info!("waiting for a quorum to create the cluster");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(BootstrapError::Propose(error)),
        }
    }
}

/// Waits until this node has applied the first transaction, and checks that its signing key belongs
/// to the cluster.
pub(crate) async fn await_cluster(
    consensus: &Consensus,
    signer: &dyn Signer,
) -> Result<ClusterRecord, BootstrapError> {
    let mut status = consensus.watch_status();
    let mut told = false;
    let cluster = loop {
        status.mark_unchanged();
        if let Some(cluster) = query::cluster(&consensus.state())? {
            break cluster.value;
        }
        if !told {
            tracing::info!("waiting to be joined to a cluster");
            told = true;
        }
        status
            .changed()
            .await
            .map_err(|_closed| BootstrapError::Shutdown)?;
    };
    let newest = query::keysets(&consensus.state(), 0, query::PAGE_MAX)?.pop();
    let newest = newest.ok_or_else(|| BootstrapError::KeyUnknown(signer.key_id().to_owned()))?;
    let keyset = Keyset::decode(&SignedKeyset::decode(&newest.bytes)?.keyset)?;
    let id = signer.key_id();
    let known = keyset.online_keys.iter().any(|key| key.id == id);
    if !known || keyset.revoked.iter().any(|revoked| revoked == id) {
        return Err(BootstrapError::KeyUnknown(id.to_owned()));
    }
    Ok(cluster)
}

/// Everything a new cluster begins with, as one transaction.
fn first_transaction(
    cluster_id: &str,
    keys: &KeyFiles,
    signer: &dyn Signer,
) -> Result<Txn, BootstrapError> {
    let root = files::signing_key(&keys.root_key)?;
    let keyset = Keyset {
        version: 1,
        epoch: EPOCH,
        trust_domain: cluster_id.to_owned(),
        roots: vec![PublicKey {
            id: root.key_id().to_owned(),
            public_key: root.public_key(),
        }],
        root_threshold: 1,
        online_keys: vec![OnlineKey {
            id: signer.key_id().to_owned(),
            public_key: signer.public_key(),
            not_after_ms: 0,
        }],
        revoked: Vec::new(),
    };
    files::trust_pin(&keys.trust_pin, &keyset.pin())?;
    let signed = SignedKeyset::sign(&keyset, &[&root])?;
    let admin = files::token(&keys.admin_token)?;
    let edge = files::token(&keys.edge_token)?;
    let pepper = random_bytes::<32>()?;
    let now_ms = now_ms();
    let ops = vec![
        PutCluster {
            cluster_id: cluster_id.to_owned(),
            trust_domain: cluster_id.to_owned(),
            epoch: EPOCH,
        }
        .into(),
        PutKeyset {
            version: 1,
            bytes: Bytes::from(signed.encode()),
        }
        .into(),
        PutEnvironment {
            id: ENVIRONMENT_DEFAULT.to_owned(),
            api_key_pepper: Bytes::copy_from_slice(&pepper),
        }
        .into(),
        PutToken {
            record: token_record(&admin, "admin", Role::Admin, now_ms),
        }
        .into(),
        PutToken {
            record: token_record(&edge, "edge", Role::Edge, now_ms),
        }
        .into(),
    ];
    Ok(Txn {
        // The pepper differs from attempt to attempt; the precondition is what makes it once.
        idempotency_key: String::new(),
        actor: "bootstrap".to_owned(),
        time_ms: now_ms,
        preconditions: vec![Precondition {
            kind: ResourceKind::Cluster,
            environment: String::new(),
            id: String::new(),
            revision: 0,
        }],
        ops,
        ..Txn::default()
    })
}

fn token_record(token: &Token, name: &str, role: Role, now_ms: u64) -> TokenRecord {
    TokenRecord {
        id: token.id().to_owned(),
        name: name.to_owned(),
        role: role.stored().into(),
        secret_hash: Bytes::copy_from_slice(token.secret_hash().as_bytes()),
        created_ms: now_ms,
        expires_ms: None,
        tags: Vec::new(),
    }
}
