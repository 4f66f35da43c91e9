//! Storing documents as drafts, all or none: what each becomes, every violation, and the operations.

mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate_model::{
    ApiId, AssetKind, Notice, Violation,
    deployment::differences,
    document::{ApiDocument, SourceDocument, parse_source},
    validate::ListenerClaim,
};
use tidegate_proto::admin::v1::{ApplyRequest, ApplyResult, apply_result::Outcome};
use tidegate_state::{ApiRecord, Op, Resource, ResourceKind, StateReader, query};

use super::{
    definition::{assign_ids, deployed_part, plan_id, text},
    deploy::{self, Remarks},
    draft::{self, CheckedDraft},
    history::unified,
    render,
};
use crate::admin::{Decision, EditConflict, Fault, applications, assets::NewGroup, lookup, mint};

/// Files of one request.
const FILES_MAX: usize = 1000;
/// Documents of one request, all files together.
const DOCUMENTS_MAX: usize = 500;
/// Bytes of all drafts and published objects of one request: it must fit one log entry.
const BYTES_MAX: usize = tidegate_state::TXN_BYTES_MAX - (1 << 20);
/// Changed places named in a conflict.
const CHANGES_MAX: usize = 20;

/// A request whose files were parsed.
#[derive(Debug)]
pub(super) struct Parsed {
    pub environment: String,
    /// Source name and document.
    documents: Vec<(String, SourceDocument)>,
    deploy: bool,
    if_match: String,
    remarks: Remarks,
    dry_run: bool,
    /// Seed of the ids that are made.
    seed: String,
}

/// What became of one document.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub result: ApplyResult,
    pub deploys: Deploys,
    /// Present for an asset.
    pub asset: Option<AssetKind>,
    /// Position of its document: what is shared is decided first, and answered in its place.
    pub index: usize,
}

/// Whether a document is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Deploys {
    /// Not asked for, or nothing that is deployed.
    No,
    /// Under the next number.
    Now,
    /// The live deployment already holds exactly this.
    Already(u64),
}

impl Deploys {
    /// The number of the deployment, the next of `new` for one that was made now.
    pub(in crate::admin) fn number(self, new: &mut impl Iterator<Item = u64>) -> Option<u64> {
        match self {
            Self::No => None,
            Self::Already(number) => Some(number),
            Self::Now => new.next(),
        }
    }
}

/// Parses all files; violations of all files are reported together.
pub(super) fn parse(
    environment: String,
    request: &ApplyRequest,
    seed: String,
) -> Result<Parsed, Fault> {
    if request.documents.len() > FILES_MAX {
        return Err(Fault::field(
            "documents",
            &format!("at most {FILES_MAX} files"),
        ));
    }
    let remarks = Remarks::parse(&request.label, &request.message)?;
    let mut documents = Vec::new();
    let mut violations = Vec::new();
    for (index, file) in request.documents.iter().enumerate() {
        let name = if file.name.is_empty() {
            format!("documents[{index}]")
        } else {
            file.name.chars().take(256).collect()
        };
        match parse_source(&name, &file.content) {
            Ok(found) => documents.extend(found.into_iter().map(|one| (name.clone(), one))),
            Err(found) => violations.extend(found),
        }
    }
    if !violations.is_empty() {
        return Err(Fault::Invalid(violations));
    }
    if documents.is_empty() || documents.len() > DOCUMENTS_MAX {
        return Err(Fault::field(
            "documents",
            &format!("1 to {DOCUMENTS_MAX} documents, not {}", documents.len()),
        ));
    }
    let apis = documents
        .iter()
        .filter(|(_, one)| matches!(one, SourceDocument::Api(_)))
        .count();
    if !request.if_match.is_empty() && apis != 1 {
        return Err(Fault::field(
            "if_match",
            "an etag only when exactly one API is applied",
        ));
    }
    Ok(Parsed {
        environment,
        documents,
        deploy: request.deploy,
        if_match: request.if_match.clone(),
        remarks,
        dry_run: request.dry_run,
        seed,
    })
}

/// Decides what a parsed request does. A dry run decides the same, and describes the changes.
pub(super) fn decide(
    state: &dyn StateReader,
    parsed: &Parsed,
) -> Result<(Decision, Vec<Applied>), Fault> {
    lookup::environment(state, &parsed.environment)?;
    let mut batch = Batch::new(state, parsed);
    let documents = || parsed.documents.iter().enumerate();
    // What APIs share comes first, whatever the order of the files: APIs may name it.
    let (shared, others): (Vec<_>, Vec<_>) =
        documents().partition(|(_, (_, one))| matches!(one, SourceDocument::Asset(_)));
    for (index, (source, document)) in shared.into_iter().chain(others) {
        let before = batch.violations.len();
        batch.add(index, source, document)?;
        for violation in batch.violations.iter_mut().skip(before) {
            if violation.source.is_empty() {
                violation.source.clone_from(source);
            }
        }
    }
    batch.finish()
}

struct Batch<'a> {
    state: &'a dyn StateReader,
    parsed: &'a Parsed,
    decision: Decision,
    applied: Vec<Applied>,
    violations: Vec<Violation>,
    /// What the documents before this one take.
    claims: Vec<ListenerClaim>,
    groups: Vec<NewGroup>,
    assets: BTreeSet<(AssetKind, String)>,
    names: BTreeSet<String>,
    ids: BTreeSet<String>,
    plans: BTreeMap<String, String>,
    bytes: usize,
}

/// An API document with the API it is about.
struct Wanted {
    stored: Option<Resource<ApiRecord>>,
    before: Option<Value>,
    /// With all ids.
    document: Value,
    started: bool,
    notices: Vec<Notice>,
}

impl<'a> Batch<'a> {
    fn new(state: &'a dyn StateReader, parsed: &'a Parsed) -> Self {
        Self {
            state,
            parsed,
            decision: Decision::default(),
            applied: Vec::new(),
            violations: Vec::new(),
            claims: Vec::new(),
            groups: Vec::new(),
            assets: BTreeSet::new(),
            names: BTreeSet::new(),
            ids: BTreeSet::new(),
            plans: BTreeMap::new(),
            bytes: 0,
        }
    }

    fn finish(self) -> Result<(Decision, Vec<Applied>), Fault> {
        if !self.violations.is_empty() {
            return Err(Fault::Invalid(self.violations));
        }
        if self.bytes > BYTES_MAX {
            let expected = format!(
                "at most {BYTES_MAX} bytes in one request, not {}",
                self.bytes
            );
            return Err(Fault::field("documents", &expected));
        }
        // Numbers of deployments come in the order of the operations.
        Ok((self.decision, self.applied))
    }

    fn push(&mut self, (index, source): (usize, &str), result: ApplyResult, deploys: Deploys) {
        let result = ApplyResult {
            source: source.to_owned(),
            ..result
        };
        self.applied.push(Applied {
            result,
            deploys,
            asset: None,
            index,
        });
    }

    fn add(&mut self, index: usize, source: &str, document: &SourceDocument) -> Result<(), Fault> {
        let seed = format!("{}/{index}", self.parsed.seed);
        match document {
            SourceDocument::Api(api) => self.add_api(index, source, api)?,
            SourceDocument::Asset(asset) => self.add_asset(index, source, asset, &seed)?,
            SourceDocument::Application(application) => {
                let applied = applications::apply(
                    self.state,
                    &mut self.decision,
                    &self.parsed.environment,
                    application,
                    &mint::resource_id("application", &seed),
                )?;
                match applied {
                    Ok(result) => self.push((index, source), result, Deploys::No),
                    Err(violations) => self.violations.extend(violations),
                }
            }
            SourceDocument::Unsupported { kind, name } => self.violations.push(Violation::new(
                "kind",
                format!("{kind} {name:?}"),
                "Api, Application, SharedPolicyGroup, Dictionary or Organization: other kinds are not \
                 supported yet",
            )),
        }
        Ok(())
    }

    fn add_api(&mut self, index: usize, source: &str, api: &ApiDocument) -> Result<(), Fault> {
        let Some(wanted) = self.identify(index, api)? else {
            return Ok(());
        };
        let (document, started) = (wanted.document.clone(), wanted.started);
        match draft::check(self.groups(), document, started, &self.claims)? {
            Ok(checked) => self.add_draft((index, source), &wanted, &checked),
            Err(violations) => {
                self.violations.extend(violations);
                Ok(())
            }
        }
    }

    /// Finds out which API a document is about and gives it ids; `None` after a violation.
    fn identify(&mut self, index: usize, api: &ApiDocument) -> Result<Option<Wanted>, Fault> {
        let stored = match self.target(api)? {
            Ok(stored) => stored,
            Err(violation) => {
                self.violations.push(violation);
                return Ok(None);
            }
        };
        let seed = format!("{}/{index}", self.parsed.seed);
        let id = match (&stored, &api.id) {
            (Some(stored), _) => stored.value.id.clone(),
            (None, Some(id)) => id.clone(),
            (None, None) => mint::resource_id("api", &seed),
        };
        for (set, member, value) in [
            (&mut self.ids, "id", &id),
            (&mut self.names, "name", &api.name),
        ] {
            if !set.insert(value.clone()) {
                let expected = "an API that no other document of the request describes";
                self.violations
                    .push(Violation::new(member, value, expected));
                return Ok(None);
            }
        }
        let before = stored
            .as_ref()
            .map(|stored| lookup::document(&stored.value))
            .transpose()?;
        let (document, mut notices) = self.with_ids(&id, &seed, api, before.as_ref())?;
        let started = match (api.desired_started, &stored) {
            (Some(started), _) => started,
            (None, Some(stored)) => stored.value.started,
            (None, None) => true,
        };
        if before.as_ref() != Some(&document) {
            self.check_etag(
                api,
                stored.as_ref(),
                before.as_ref(),
                &document,
                &mut notices,
            )?;
        }
        Ok(Some(Wanted {
            stored,
            before,
            document,
            started,
            notices,
        }))
    }

    fn add_draft(
        &mut self,
        (index, source): (usize, &str),
        wanted: &Wanted,
        checked: &CheckedDraft,
    ) -> Result<(), Fault> {
        let stored = wanted.stored.as_ref();
        let unchanged = wanted.before.as_ref() == Some(&checked.document);
        let id = &checked.record.id;
        self.claims.extend(checked.claims.iter().cloned());
        let plan_ids = checked.record.plan_ids.iter();
        self.plans
            .extend(plan_ids.map(|plan| (plan.clone(), id.clone())));
        self.bytes += checked.record.document.len();
        if !unchanged {
            let relied = stored.map(|stored| (&stored.value, stored.revision));
            let environment = &self.parsed.environment;
            draft::put(self.state, &mut self.decision, environment, checked, relied)?;
        }
        let deploys = self.add_deployment(checked, stored, unchanged)?;
        let outcome = match (stored, unchanged) {
            (None, _) => Outcome::Created,
            (Some(_), true) => Outcome::Unchanged,
            (Some(_), false) => Outcome::Updated,
        };
        let diff = if self.parsed.dry_run {
            let before = wanted.before.as_ref().unwrap_or(&Value::Null);
            unified(before, &checked.document, "stored", source)
        } else {
            String::new()
        };
        let notices = wanted.notices.iter().chain(&checked.notices);
        let result = ApplyResult {
            kind: "Api".to_owned(),
            name: checked.record.name.clone(),
            id: id.clone(),
            outcome: outcome.into(),
            etag: stored.map(Resource::etag).unwrap_or_default(),
            notices: notices.map(render::notice).collect(),
            diff,
            ..ApplyResult::default()
        };
        self.push((index, source), result, deploys);
        Ok(())
    }

    /// The stored API a document is about: the one with its id; for a document without id the one with its cross
    /// id, else the one with its name.
    fn target(
        &self,
        api: &ApiDocument,
    ) -> Result<Result<Option<Resource<ApiRecord>>, Violation>, Fault> {
        let environment = &self.parsed.environment;
        let by_name = match api.name.is_empty() {
            true => None,
            false => query::api_by_name(self.state, environment, &api.name)?,
        };
        let Some(id) = &api.id else {
            let by_cross_id = match text(&api.canonical, "crossId") {
                Some(cross_id) => lookup::api_by_cross_id(self.state, environment, cross_id)?,
                None => None,
            };
            return Ok(match (by_cross_id, by_name) {
                (Some(known), Some(other)) if known.value.id != other.value.id => {
                    Err(taken_name(api, &other))
                }
                (Some(known), _) => Ok(Some(known)),
                (None, by_name) => Ok(by_name),
            });
        };
        if let Err(error) = ApiId::parse(id.as_str()) {
            return Ok(Err(Violation::new("id", id, error.to_string())));
        }
        if let Some(other) = by_name.filter(|other| other.value.id != *id) {
            return Ok(Err(taken_name(api, &other)));
        }
        Ok(Ok(query::api(self.state, environment, id)?))
    }

    fn with_ids(
        &self,
        id: &str,
        seed: &str,
        api: &ApiDocument,
        before: Option<&Value>,
    ) -> Result<(Value, Vec<Notice>), Fault> {
        let mut document = api.canonical.clone();
        let mut taken = BTreeSet::new();
        let plans = document.get("plans").and_then(Value::as_array);
        for plan in plans.into_iter().flatten().filter_map(plan_id) {
            if plan.chars().any(char::is_control) {
                continue;
            }
            let holder = query::api_of_plan(self.state, &self.parsed.environment, plan)?;
            let earlier = self.plans.get(plan).is_some_and(|holder| holder != id);
            if earlier || holder.is_some_and(|holder| holder.value.id != id) {
                taken.insert(plan.to_owned());
            }
        }
        let mut made = 0;
        let mut new_id = || {
            made += 1;
            mint::resource_id("plan", &format!("{seed}/{made}"))
        };
        let mut notices = api.notices.clone();
        notices.extend(assign_ids(
            &mut document,
            id,
            before,
            &|plan| taken.contains(plan),
            &mut new_id,
        ));
        Ok((document, notices))
    }

    /// Refuses to overwrite what the author of the document has not seen.
    fn check_etag(
        &self,
        api: &ApiDocument,
        stored: Option<&Resource<ApiRecord>>,
        before: Option<&Value>,
        after: &Value,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Fault> {
        let given = &self.parsed.if_match;
        let yours = if given.is_empty() {
            api.etag.as_ref()
        } else {
            Some(given)
        };
        let Some(yours) = yours else { return Ok(()) };
        let current = stored.map(Resource::etag).unwrap_or_default();
        if *yours == current {
            return Ok(());
        }
        if stored.is_none() && given.is_empty() {
            let message = "the document carries an etag, but the API does not exist here";
            notices.push(Notice::new("stale-etag", "metadata.etag", message));
            return Ok(());
        }
        let changes = differences(before.unwrap_or(&Value::Null), after);
        Err(Fault::Conflict(Box::new(EditConflict {
            resource: format!("API {:?}", api.name),
            current,
            yours: yours.clone(),
            changes: changes.iter().take(CHANGES_MAX).map(describe).collect(),
        })))
    }

    /// Adds what changes on edges: a deployment if one is asked for and there is something new to
    /// deploy, and the state if the document wants another one.
    fn add_deployment(
        &mut self,
        draft: &CheckedDraft,
        stored: Option<&Resource<ApiRecord>>,
        unchanged: bool,
    ) -> Result<Deploys, Fault> {
        let environment = &self.parsed.environment;
        let record = &draft.record;
        let live = lookup::live_object(self.state, environment, &record.id)?;
        let number = stored.map_or(0, |stored| stored.value.deployed_number);
        let definition = deployed_part(&draft.document);
        let same = live
            .as_ref()
            .is_some_and(|live| live.definition == definition)
            && self.runs_same_groups(&definition, live.as_ref())?;
        let deploys = match (self.parsed.deploy, same) {
            (false, _) => Deploys::No,
            (true, true) => Deploys::Already(number),
            (true, false) => Deploys::Now,
        };
        let stored_differs =
            unchanged && stored.is_some_and(|stored| stored.value.started != record.started);
        let live_differs = live
            .as_ref()
            .is_some_and(|live| live.started != record.started);
        let mut ops: Vec<Op> = Vec::new();
        if stored_differs || (live_differs && deploys != Deploys::Now) {
            ops.push(deploy::state_change(environment, &record.id, live, record.started)?.into());
        }
        if deploys == Deploys::Now {
            let remarks = &self.parsed.remarks;
            match deploy::deployment(self.groups(), record, &draft.document, number + 1, remarks)? {
                Err(violations) => self.violations.extend(violations),
                Ok(deployed) => {
                    self.bytes += deployed.object.len();
                    ops.push(deployed.into());
                }
            }
        }
        if let Some(stored) = stored.filter(|_| unchanged && !ops.is_empty()) {
            let kind = ResourceKind::Api;
            self.decision
                .relies_on(kind, environment, &record.id, stored.revision);
        }
        self.decision.ops.extend(ops);
        Ok(deploys)
    }
}

fn taken_name(api: &ApiDocument, other: &Resource<ApiRecord>) -> Violation {
    let expected = format!(
        "a name of its own: API {:?} has this one already",
        other.value.id
    );
    Violation::new("name", &api.name, expected)
}

fn describe(change: &tidegate_model::deployment::Difference) -> String {
    let side = |value: &Option<Value>| {
        let text = value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), Value::to_string);
        match text.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    format!(
        "{}: stored {}, yours {}",
        change.path,
        side(&change.from),
        side(&change.to)
    )
}
