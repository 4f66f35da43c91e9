//! How far a deployment is on the edges: watched until all entitled ones have it or refused it.

use std::{collections::BTreeSet, time::Duration};

use tidegate_model::{AssetKind, tags::TagSelector};
use tidegate_proto::{
    admin::v1::{
        DeploymentProgress, EdgeProgress, EdgeRefusal, WatchDeploymentRequest, edge_progress::Phase,
    },
    raft::v1::PeerEdge,
};
use tidegate_state::{DeploymentRecord, LiveRecord, StateReader, query};
use tokio::{sync::mpsc, time::timeout_at};
use tonic::Status;

use super::render;
use crate::{
    admin::{Call, Fault, Store, assets::stored_kind, lookup},
    auth::now_ms,
    edges::EdgeDirectory,
};

/// Longest pause between two looks; edges of other nodes report to those, not here.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// An edge silent for longer than this is gone; one that only changes nodes is waited for.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// A deployment and who should have it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    environment: String,
    /// Object kind and id.
    object: (&'static str, String),
    record: DeploymentRecord,
    tags: BTreeSet<String>,
    plan_tags: Vec<BTreeSet<String>>,
    /// True for what every edge of the environment gets.
    is_everywhere: bool,
}

/// Reads what is watched; `number` must be in the history.
pub(super) fn target(
    state: &dyn StateReader,
    environment: &str,
    request: &WatchDeploymentRequest,
) -> Result<Target, Fault> {
    let (kind, id, record) = match request.asset_kind.as_str() {
        "" => {
            let stored = lookup::api(state, environment, &request.api)?;
            let record = lookup::deployment(state, environment, &stored.value, request.number)?;
            ("api", stored.value.id, record)
        }
        kind => {
            let kind: AssetKind = kind
                .parse()
                .map_err(|_unknown| Fault::field("asset_kind", "a kind of asset"))?;
            let stored = lookup::asset(state, environment, kind, &request.api)?;
            let owner = stored_kind(kind).owner(&stored.value.id);
            let record = query::deployment(state, environment, &owner, request.number)?;
            let missing = || format!("{}/{}", stored.value.name, request.number);
            let record = record.ok_or_else(|| Fault::not_found("deployment", &missing()))?;
            (kind.as_str(), stored.value.id, record)
        }
    };
    let live = query::live(state, environment, kind, &id)?;
    let LiveRecord {
        tags,
        plan_tags,
        is_everywhere,
        ..
    } = live.map(|live| live.value).unwrap_or_default();
    Ok(Target {
        environment: environment.to_owned(),
        object: (kind, id),
        record,
        tags: tags.into_iter().collect(),
        plan_tags: plan_tags
            .into_iter()
            .map(|set| set.tags.into_iter().collect())
            .collect(),
        is_everywhere,
    })
}

/// Sends the progress whenever it changes, until it is settled, the deadline passes or nobody listens.
pub(super) async fn follow(
    store: Store,
    edges: std::sync::Arc<EdgeDirectory>,
    call: Call,
    target: Target,
    out: mpsc::Sender<Result<DeploymentProgress, Status>>,
) {
    let mut last = None;
    let mut changed = edges.changed();
    loop {
        changed.mark_unchanged();
        match look(&store, &edges, &call, &target).await {
            Err(fault) => {
                let _ = out.send(Err(fault.into())).await;
                return;
            }
            Ok(progress) => {
                let settled = progress.settled;
                if last.as_ref() != Some(&progress) {
                    last = Some(progress.clone());
                    if out.send(Ok(progress)).await.is_err() {
                        return;
                    }
                }
                if settled {
                    return;
                }
            }
        }
        let pause = tokio::time::timeout(LOOK_INTERVAL, changed.changed());
        tokio::select! {
            _ = out.closed() => return,
            waited = timeout_at(call.deadline.at(), pause) => {
                if waited.is_err() {
                    let _ = out.send(Err(Fault::Deadline.into())).await;
                    return;
                }
            }
        }
    }
}

async fn look(
    store: &Store,
    edges: &EdgeDirectory,
    call: &Call,
    target: &Target,
) -> Result<DeploymentProgress, Fault> {
    let list = timeout_at(call.deadline.at(), edges.list());
    let list = list.await.map_err(|_elapsed| Fault::Deadline)?;
    let Target {
        environment,
        record,
        ..
    } = target.clone();
    let number = record.number;
    let recorded = store
        .read_local(call, move |state| {
            Ok(query::deployment(
                state,
                &environment,
                &record.api_id,
                number,
            )?)
        })
        .await?;
    let recorded = recorded.map(|record| record.refusals).unwrap_or_default();
    let refusals: Vec<EdgeRefusal> = recorded.iter().map(render::refusal).collect();
    let edges = list.iter().map(|(_, edge)| edge);
    Ok(progress(target, edges, &refusals, now_ms()))
}

fn progress<'a>(
    target: &Target,
    edges: impl Iterator<Item = &'a PeerEdge>,
    refusals: &[EdgeRefusal],
    now_ms: u64,
) -> DeploymentProgress {
    let entitled = edges.filter(|edge| {
        edge.environment == target.environment
            && TagSelector::parse(&edge.tags).is_ok_and(|selector| {
                target.is_everywhere || selector.entitles(&target.tags, &target.plan_tags)
            })
    });
    let mut settled = true;
    let mut steps: Vec<EdgeProgress> = Vec::new();
    for edge in entitled {
        let step = step(target, edge, refusals);
        settled &= is_gone(edge, now_ms) || step.phase() != Phase::Pending;
        steps.push(step);
    }
    steps.sort_by(|a, b| a.edge_id.cmp(&b.edge_id));
    DeploymentProgress {
        edges: steps,
        settled,
    }
}

fn is_gone(edge: &PeerEdge, now_ms: u64) -> bool {
    let silent = Duration::from_millis(now_ms.saturating_sub(edge.last_seen_ms));
    !edge.connected && silent > GONE_AFTER
}

fn step(target: &Target, edge: &PeerEdge, refusals: &[EdgeRefusal]) -> EdgeProgress {
    let nack = edge.nacks.iter().find(|nack| {
        nack.kind == target.object.0
            && nack.id == target.object.1
            && nack.object_hash == target.record.object_hash
    });
    let refusal = match nack {
        Some(nack) => Some(EdgeRefusal {
            edge_id: edge.edge_id.clone(),
            code: nack.code.clone(),
            path: nack.path.clone(),
            message: nack.message.clone(),
            time_ms: edge.last_seen_ms,
        }),
        None => refusals
            .iter()
            .find(|refusal| refusal.edge_id == edge.edge_id)
            .cloned(),
    };
    let phase = if refusal.is_some() {
        Phase::Refused
    } else if edge.active_revision >= target.record.revision {
        Phase::Active
    } else {
        Phase::Pending
    };
    EdgeProgress {
        edge_id: edge.edge_id.clone(),
        phase: phase.into(),
        refusal,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_proto::raft::v1::PeerNack;

    use super::*;

    fn target() -> Target {
        Target {
            environment: "DEFAULT".to_owned(),
            object: ("api", "a".to_owned()),
            record: DeploymentRecord {
                api_id: "a".to_owned(),
                revision: 10,
                object_hash: vec![1; 32].into(),
                ..DeploymentRecord::default()
            },
            tags: BTreeSet::from(["eu".to_owned()]),
            plan_tags: vec![BTreeSet::new()],
            is_everywhere: false,
        }
    }

    fn edge(id: &str, tag: &str, active_revision: u64) -> PeerEdge {
        PeerEdge {
            edge_id: id.to_owned(),
            environment: "DEFAULT".to_owned(),
            tags: vec![tag.to_owned()],
            connected: true,
            active_revision,
            ..PeerEdge::default()
        }
    }

    #[test]
    fn a_deployment_is_settled_when_every_entitled_edge_has_spoken() {
        let check = |edges: &[PeerEdge], phases: &[Phase], settled: bool| {
            let progress = progress(&target(), edges.iter(), &[], u64::MAX);
            let found: Vec<Phase> = progress.edges.iter().map(EdgeProgress::phase).collect();
            assert_eq!((found.as_slice(), progress.settled), (phases, settled));
        };
        check(&[], &[], true);
        check(&[edge("1", "us", 0)], &[], true);
        check(&[edge("1", "eu", 9)], &[Phase::Pending], false);
        check(
            &[edge("1", "eu", 10), edge("2", "eu", 12)],
            &[Phase::Active, Phase::Active],
            true,
        );
        let away = PeerEdge {
            connected: false,
            ..edge("1", "eu", 3)
        };
        check(&[away], &[Phase::Pending], true);
        let moving = PeerEdge {
            connected: false,
            last_seen_ms: u64::MAX,
            ..edge("1", "eu", 3)
        };
        check(&[moving], &[Phase::Pending], false);
        let nack = |hash: u8| PeerNack {
            kind: "api".to_owned(),
            id: "a".to_owned(),
            object_hash: vec![hash; 32].into(),
            ..PeerNack::default()
        };
        let refused = PeerEdge {
            nacks: vec![nack(1)],
            ..edge("1", "eu", 10)
        };
        check(&[refused], &[Phase::Refused], true);
        let older = PeerEdge {
            nacks: vec![nack(2)],
            ..edge("1", "eu", 10)
        };
        check(&[older], &[Phase::Active], true);
    }
}
