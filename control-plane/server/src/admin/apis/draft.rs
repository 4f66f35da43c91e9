//! From a canonical document to a draft that may be stored: every check that needs no edge.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;
use tidegate_check::Checked;
use tidegate_model::{
    Notice, Violation,
    validate::{ListenerClaim, check_api, listener_claims},
};
use tidegate_state::{ApiRecord, ResourceKind, StateReader, op::PutApi, query};

use super::claims;
use crate::admin::{Decision, Fault, assets::Groups};

/// A document that passed all checks.
#[derive(Debug)]
pub(super) struct CheckedDraft {
    pub record: ApiRecord,
    pub document: Value,
    pub claims: Vec<ListenerClaim>,
    /// Remarks on policy configurations.
    pub notices: Vec<Notice>,
}

/// Checks `document` against the model, the policies, the environment of `groups` and `also`, the claims of
/// documents that are stored together with it. All violations are reported, not the first.
pub(super) fn check(
    groups: Groups<'_>,
    document: Value,
    started: bool,
    also: &[ListenerClaim],
) -> Result<Result<CheckedDraft, Vec<Violation>>, Fault> {
    let Groups {
        state, environment, ..
    } = groups;
    let own = check_api(&document, &[]).api;
    let own = own.as_ref().map(listener_claims).unwrap_or_default();
    let api_id = document
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut others = claims::rivals(state, environment, api_id, &own)?;
    others.extend(also.iter().cloned());
    let Checked {
        api,
        violations,
        mut notices,
    } = tidegate_check::check(&document, &others);
    let Some(api) = api else {
        return Ok(Err(violations));
    };
    if !violations.is_empty() {
        return Ok(Err(violations));
    }
    let (group_ids, missing) = groups.of_draft(&api)?;
    notices.extend(missing);
    let claims = listener_claims(&api);
    let record = ApiRecord {
        id: api.id.as_str().to_owned(),
        name: api.name.clone(),
        document: to_bytes(&document)?,
        started,
        claims: claims
            .iter()
            .map(claims::text)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        plan_ids: api
            .plans
            .iter()
            .map(|plan| plan.id.as_str().to_owned())
            .collect(),
        tags: api.tags.iter().cloned().collect(),
        groups: group_ids,
        ..ApiRecord::default()
    };
    Ok(Ok(CheckedDraft {
        record,
        document,
        claims,
        notices,
    }))
}

/// Adds the writing of a checked draft to a decision. `stored` is what the check relied on.
pub(super) fn put(
    state: &dyn StateReader,
    decision: &mut Decision,
    environment: &str,
    draft: &CheckedDraft,
    stored: Option<(&ApiRecord, u64)>,
) -> Result<(), Fault> {
    let revision = stored.map_or(0, |(_, revision)| revision);
    decision.relies_on(ResourceKind::Api, environment, &draft.record.id, revision);
    let same_claims = stored.is_some_and(|(record, _)| record.claims == draft.record.claims);
    let relied = decision
        .preconditions
        .iter()
        .any(|p| p.kind == ResourceKind::Claims);
    if !same_claims && !relied {
        let revision = query::claims_revision(state, environment)?;
        decision.relies_on(ResourceKind::Claims, environment, "", revision);
    }
    let record = draft.record.clone();
    decision.ops.push(
        PutApi {
            environment: environment.to_owned(),
            record,
        }
        .into(),
    );
    Ok(())
}

/// The stored form of a document.
pub(in crate::admin) fn to_bytes(document: &Value) -> Result<Bytes, Fault> {
    serde_json::to_vec(document)
        .map(Bytes::from)
        .map_err(|error| Fault::Internal(format!("a document does not serialise: {error}")))
}
