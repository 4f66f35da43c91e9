//! Storing asset documents as drafts, and deploying them in the same transaction.

use serde_json::{Value, json};
use tidegate_model::{
    ApiId, Asset, AssetKind, Notice, Violation, asset::ORGANIZATION_ID, document::AssetDocument,
};
use tidegate_proto::admin::v1::{ApplyResult, apply_result::Outcome};
use tidegate_state::{AssetRecord, Op, Resource, ResourceKind, StateReader, op::PutAsset, query};

use super::{NewGroup, deploy, document_of, parse_definition, render, stored_kind};
use crate::admin::{
    Decision, EditConflict, Fault,
    apis::{Deploys, Remarks, render_notice, to_bytes, unified},
    lookup,
};

/// What an asset document becomes.
#[derive(Debug)]
pub(crate) struct AppliedAsset {
    pub result: ApplyResult,
    pub deploys: Deploys,
    /// Present for a shared policy group: APIs of the same request may name it.
    pub group: Option<NewGroup>,
    /// Bytes of the draft and the published object.
    pub bytes: usize,
}

/// What all documents of a request have in common.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub state: &'a dyn StateReader,
    pub environment: &'a str,
    pub remarks: &'a Remarks,
    pub deploys: bool,
    pub is_dry_run: bool,
}

/// Decides what an asset document becomes: an update of the asset with its id or name, or a new one, with `new_id`
/// unless it brings an id.
pub(crate) fn apply(
    request: Request<'_>,
    decision: &mut Decision,
    document: &AssetDocument,
    new_id: &str,
) -> Result<Result<AppliedAsset, Vec<Violation>>, Fault> {
    let Request {
        state, environment, ..
    } = request;
    let kind = document.kind;
    let stored = match target(state, environment, document)? {
        Ok(stored) => stored,
        Err(violation) => return Ok(Err(vec![violation])),
    };
    let canonical = with_id(document, stored.as_ref(), new_id);
    let asset = match checked(kind, &canonical, stored.as_ref())? {
        Ok(asset) => asset,
        Err(violations) => return Ok(Err(violations)),
    };
    let record = record_of(&asset, &canonical)?;
    let before = stored.as_ref().map(|stored| document_of(&stored.value));
    let before = before.transpose()?;
    let unchanged = before.as_ref() == Some(&canonical);
    let mut notices = document.notices.clone();
    notices.extend(tidegate_policies::validate_asset(&asset).1);
    if !unchanged {
        check_etag(document, stored.as_ref(), &mut notices)?;
    }
    let written = (!unchanged).then(|| put(environment, &record));
    let new = (&asset, &canonical, &record);
    let (deploys, deployed) = match deployment(request, document, stored.as_ref(), new)? {
        Ok(decided) => decided,
        Err(violations) => return Ok(Err(violations)),
    };
    let published = match &deployed {
        Some(Op::DeployAsset(op)) => op.object.len(),
        _ => 0,
    };
    let bytes = record.document.len() + published;
    let ops: Vec<Op> = written.into_iter().chain(deployed).collect();
    if !ops.is_empty() {
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        let id = query::asset_key(stored_kind(kind), &record.id);
        decision.relies_on(ResourceKind::Asset, environment, &id, revision);
        decision.ops.extend(ops);
    }
    let outcome = match (&stored, unchanged) {
        (None, _) => Outcome::Created,
        (Some(_), true) => Outcome::Unchanged,
        (Some(_), false) => Outcome::Updated,
    };
    let diff = match request.is_dry_run {
        true => unified(
            &before.unwrap_or(Value::Null),
            &canonical,
            "stored",
            &document.name,
        ),
        false => String::new(),
    };
    Ok(Ok(AppliedAsset {
        result: ApplyResult {
            kind: kind.manifest_kind().to_owned(),
            id: record.id.clone(),
            name: record.name.clone(),
            outcome: outcome.into(),
            etag: stored.map(|stored| stored.etag()).unwrap_or_default(),
            notices: notices.iter().map(render_notice).collect(),
            diff,
            ..ApplyResult::default()
        },
        group: group_of(&asset, &record, deploys),
        deploys,
        bytes,
    }))
}

fn put(environment: &str, record: &AssetRecord) -> Op {
    let (environment, record) = (environment.to_owned(), record.clone());
    PutAsset {
        environment,
        record,
    }
    .into()
}

/// Completes what was decided by what was stored.
pub(crate) fn outcome(
    state: &dyn StateReader,
    environment: &str,
    kind: AssetKind,
    result: &mut ApplyResult,
    number: Option<u64>,
) -> Result<(), Fault> {
    let stored = lookup::asset(state, environment, kind, &result.id)?;
    result.etag = stored.etag();
    if let Some(number) = number {
        let deployment = render::deployment(state, environment, kind, &stored.value, number)?;
        result.deployment = Some(deployment);
    }
    Ok(())
}

/// The stored asset a document is about: the one with its id, else the one with its name.
fn target(
    state: &dyn StateReader,
    environment: &str,
    document: &AssetDocument,
) -> Result<Result<Option<Resource<AssetRecord>>, Violation>, Fault> {
    let kind = stored_kind(document.kind);
    if document.kind == AssetKind::Organization {
        let stored = query::asset(state, environment, kind, ORGANIZATION_ID)?;
        return Ok(Ok(stored));
    }
    let is_name = !document.name.is_empty() && !document.name.chars().any(char::is_control);
    let by_name = match is_name {
        true => query::asset_by_name(state, environment, kind, &document.name)?,
        false => None,
    };
    let Some(id) = &document.id else {
        return Ok(Ok(by_name));
    };
    if let Err(error) = ApiId::parse(id.as_str()) {
        return Ok(Err(Violation::new("id", id, error.to_string())));
    }
    if let Some(other) = by_name.filter(|other| other.value.id != *id) {
        let expected = format!(
            "a name of its own: the {} {:?} has this one already",
            document.kind, other.value.id
        );
        return Ok(Err(Violation::new("name", &document.name, expected)));
    }
    Ok(Ok(query::asset(state, environment, kind, id)?))
}

/// The document with its id and a name.
fn with_id(
    document: &AssetDocument,
    stored: Option<&Resource<AssetRecord>>,
    new_id: &str,
) -> Value {
    let id = match (stored, &document.id, document.kind) {
        (_, _, AssetKind::Organization) => ORGANIZATION_ID.to_owned(),
        (Some(stored), _, _) => stored.value.id.clone(),
        (None, Some(id), _) => id.clone(),
        // Expressions call a dictionary by its id: it follows from the name, as in the reference.
        (None, None, AssetKind::Dictionary) => tidegate_model::slug(&document.name),
        (None, None, AssetKind::SharedPolicyGroup) => new_id.to_owned(),
    };
    let mut canonical = document.canonical.clone();
    if let Value::Object(members) = &mut canonical {
        // A wrong id of an organisation stays, to be refused.
        let keeps = document.kind == AssetKind::Organization && document.id.is_some();
        if !keeps {
            members.insert("id".to_owned(), json!(id));
        }
        if document.kind == AssetKind::Organization {
            members.entry("name").or_insert_with(|| json!(id));
        }
    }
    canonical
}

/// The asset, or every violation of its document.
fn checked(
    kind: AssetKind,
    canonical: &Value,
    stored: Option<&Resource<AssetRecord>>,
) -> Result<Result<Asset, Vec<Violation>>, Fault> {
    let asset = match Asset::from_canonical(kind, canonical) {
        Ok(asset) => asset,
        Err(violations) => return Ok(Err(violations)),
    };
    let (mut violations, _) = tidegate_policies::validate_asset(&asset);
    if let Some(feed) = deploy::feed_of(&asset) {
        let path = "provider.configuration.specification";
        violations.extend(deploy::check_transformation(feed, path));
    }
    if let (Asset::SharedPolicyGroup(group), Some(stored)) = (&asset, stored) {
        let before = parse_definition(kind, &document_of(&stored.value)?)?;
        if let Asset::SharedPolicyGroup(before) = before {
            // APIs that use it are deployed for what it was.
            for (path, is, was) in [
                ("phase", group.phase.as_str(), before.phase.as_str()),
                ("apiType", group.api_kind.as_str(), before.api_kind.as_str()),
            ] {
                if is != was {
                    let expected = format!("{was}: a shared policy group keeps its {path}");
                    violations.push(Violation::new(path, is, expected));
                }
            }
        }
    }
    Ok(if violations.is_empty() {
        Ok(asset)
    } else {
        Err(violations)
    })
}

fn record_of(asset: &Asset, canonical: &Value) -> Result<AssetRecord, Fault> {
    let text = |name: &str| {
        let text = canonical.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let alias = match asset {
        Asset::SharedPolicyGroup(group) => group.cross_id.clone(),
        Asset::Dictionary(dictionary) => dictionary.key().to_owned(),
        Asset::Organization(_) => String::new(),
    };
    Ok(AssetRecord {
        kind: stored_kind(asset.kind()).into(),
        id: text("id"),
        name: text("name"),
        alias,
        document: to_bytes(canonical)?,
        ..AssetRecord::default()
    })
}

/// Whether an asset is deployed, and the operation if it is now.
type Decided = (Deploys, Option<Op>);

/// The deployment, if one is asked for and there is something new to deploy.
fn deployment(
    request: Request<'_>,
    document: &AssetDocument,
    stored: Option<&Resource<AssetRecord>>,
    (asset, canonical, record): (&Asset, &Value, &AssetRecord),
) -> Result<Result<Decided, Vec<Violation>>, Fault> {
    if !request.deploys || document.desired_deployed == Some(false) {
        return Ok(Ok((Deploys::No, None)));
    }
    let Request {
        state, environment, ..
    } = request;
    if let Some(stored) = stored
        && deploy::is_live(state, environment, &stored.value, (asset, canonical))?
    {
        return Ok(Ok((Deploys::Already(stored.value.deployed_number), None)));
    }
    let violations = deploy::reasons_against(asset);
    if !violations.is_empty() {
        return Ok(Err(violations));
    }
    let number = stored.map_or(0, |stored| stored.value.deployed_number) + 1;
    let remarks = request.remarks;
    let op = deploy::deployment(
        state,
        environment,
        record,
        (asset, canonical),
        number,
        remarks,
    )?;
    Ok(Ok((Deploys::Now, Some(op.into()))))
}

fn group_of(asset: &Asset, record: &AssetRecord, deploys: Deploys) -> Option<NewGroup> {
    match asset {
        Asset::SharedPolicyGroup(group) => Some(NewGroup {
            id: record.id.clone(),
            cross_id: record.alias.clone(),
            group: group.clone(),
            is_deployed: deploys == Deploys::Now,
        }),
        Asset::Dictionary(_) | Asset::Organization(_) => None,
    }
}

/// Refuses to overwrite what the author of the document has not seen.
fn check_etag(
    document: &AssetDocument,
    stored: Option<&Resource<AssetRecord>>,
    notices: &mut Vec<Notice>,
) -> Result<(), Fault> {
    let Some(yours) = &document.etag else {
        return Ok(());
    };
    let Some(stored) = stored else {
        let message = "the document carries an etag, but the asset does not exist here";
        notices.push(Notice::new("stale-etag", "metadata.etag", message));
        return Ok(());
    };
    let current = stored.etag();
    if *yours == current {
        return Ok(());
    }
    Err(Fault::Conflict(Box::new(EditConflict {
        resource: format!("{} {:?}", document.kind, document.name),
        current,
        yours: yours.clone(),
        changes: Vec::new(),
    })))
}
