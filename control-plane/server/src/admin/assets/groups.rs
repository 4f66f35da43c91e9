//! The shared policy groups that the steps of an API name: which they are, and whether it can run them.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_model::{
    Asset, AssetKind, Notice, Violation,
    api::{Api, Flow, Step},
    asset::SharedPolicyGroup,
};
use tidegate_state::{AssetKind as StoredKind, StateReader, query};

use super::{deployed_definition, parse_definition};
use crate::admin::Fault;

/// Longest reference that is looked up, in bytes.
const REFERENCE_BYTES_MAX: usize = 512;

/// A group that is stored in the same transaction, before the APIs that name it.
#[derive(Debug, Clone)]
pub(crate) struct NewGroup {
    pub id: String,
    pub cross_id: String,
    pub group: SharedPolicyGroup,
    /// Whether it is deployed in the same transaction too.
    pub is_deployed: bool,
}

/// The groups of an environment, as an API sees them.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    pub state: &'a dyn StateReader,
    pub environment: &'a str,
    pub new: &'a [NewGroup],
}

/// What a reference leads to.
struct Found {
    id: String,
    /// What edges run; `None` while it is not deployed.
    deployed: Option<SharedPolicyGroup>,
}

/// The groups an API is deployed with: what its steps call each → its id.
pub(crate) type References = BTreeMap<String, String>;

impl Groups<'_> {
    /// Ids of the groups that a draft names and that exist, and a notice for every other reference.
    pub(crate) fn of_draft(&self, api: &Api) -> Result<(Vec<String>, Vec<Notice>), Fault> {
        let mut ids = BTreeSet::new();
        let mut notices = Vec::new();
        for (path, step) in steps(api) {
            let Some(reference) = step.shared_policy_group() else {
                continue;
            };
            match self.find(reference)? {
                Some(found) => {
                    ids.insert(found.id);
                }
                None => {
                    let message = format!(
                        "there is no shared policy group {reference:?}: the API cannot be deployed"
                    );
                    notices.push(Notice::new("missing-group", path, message));
                }
            }
        }
        Ok((ids.into_iter().collect(), notices))
    }

    /// The groups that a deployment runs, or why it cannot.
    pub(crate) fn of_deployment(
        &self,
        api: &Api,
    ) -> Result<Result<References, Vec<Violation>>, Fault> {
        let mut references = References::new();
        let mut violations = Vec::new();
        for (path, step) in enabled_steps(api) {
            let Some(reference) = step.shared_policy_group() else {
                continue;
            };
            let phase = path.rsplit('.').next().unwrap_or_default();
            let phase = phase.split('[').next().unwrap_or_default();
            let found = self.find(reference)?;
            match found.map(|found| judged(api, phase, found)) {
                Some(Ok(id)) => {
                    references.insert(reference.to_owned(), id);
                }
                refused => {
                    let expected = match refused {
                        Some(Err(expected)) => expected,
                        _ => "a shared policy group that exists".to_owned(),
                    };
                    let path = format!("{path}.configuration.sharedPolicyGroupId");
                    violations.push(Violation::new(path, format!("{reference:?}"), expected));
                }
            }
        }
        Ok(if violations.is_empty() {
            Ok(references)
        } else {
            Err(violations)
        })
    }

    /// The group with an id, else the one with a cross id.
    fn find(&self, reference: &str) -> Result<Option<Found>, Fault> {
        if reference.is_empty()
            || reference.len() > REFERENCE_BYTES_MAX
            || reference.chars().any(char::is_control)
        {
            return Ok(None);
        }
        let new = |test: &dyn Fn(&&NewGroup) -> bool| self.new.iter().find(test);
        if let Some(group) = new(&|group| group.id == reference) {
            return self.found(&group.id).map(Some);
        }
        let kind = StoredKind::SharedPolicyGroup;
        if let Some(stored) = query::asset(self.state, self.environment, kind, reference)? {
            return self.found(&stored.value.id).map(Some);
        }
        if let Some(group) = new(&|group| group.cross_id == reference) {
            return self.found(&group.id).map(Some);
        }
        let by_alias = query::asset_by_alias(self.state, self.environment, kind, reference)?;
        match by_alias {
            Some(stored) => self.found(&stored.value.id).map(Some),
            None => Ok(None),
        }
    }

    /// What is deployed of a group, after the transaction.
    fn found(&self, id: &str) -> Result<Found, Fault> {
        let new = self.new.iter().find(|group| group.id == id);
        let deployed = match new.filter(|new| new.is_deployed) {
            Some(new) => Some(new.group.clone()),
            None => {
                let kind = AssetKind::SharedPolicyGroup;
                deployed_definition(self.state, self.environment, kind, id)?
                    .map(|definition| parse_definition(kind, &definition))
                    .transpose()?
                    .and_then(|asset| match asset {
                        Asset::SharedPolicyGroup(group) => Some(group),
                        Asset::Dictionary(_) | Asset::Organization(_) => None,
                    })
            }
        };
        Ok(Found {
            id: id.to_owned(),
            deployed,
        })
    }
}

/// The id of a group that may run in a phase of an API, or what would be needed instead.
fn judged(api: &Api, phase: &str, found: Found) -> Result<String, String> {
    let Some(group) = found.deployed else {
        return Err("a deployed shared policy group: deploy this one first".to_owned());
    };
    if group.api_kind != api.kind {
        return Err(format!(
            "a shared policy group for APIs of type {}: {:?} is for type {}",
            api.kind.as_str(),
            group.name,
            group.api_kind.as_str()
        ));
    }
    if group.phase.as_str() != phase {
        return Err(format!(
            "a shared policy group of the phase {phase}: {:?} is of the phase {}",
            group.name,
            group.phase.as_str()
        ));
    }
    Ok(found.id)
}

/// Every step of an API with its place.
fn steps(api: &Api) -> impl Iterator<Item = (String, &Step)> {
    flows(api).flat_map(|(path, flow)| steps_of(path, flow))
}

/// The steps that would run.
fn enabled_steps(api: &Api) -> impl Iterator<Item = (String, &Step)> {
    flows(api)
        .filter(|(_, flow)| flow.enabled)
        .flat_map(|(path, flow)| steps_of(path, flow))
        .filter(|(_, step)| step.enabled)
}

fn flows(api: &Api) -> impl Iterator<Item = (String, &Flow)> {
    let own = api.flows.iter().enumerate();
    let own = own.map(|(index, flow)| (format!("flows[{index}]"), flow));
    let plans = api.plans.iter().enumerate();
    let of_plans = plans.flat_map(|(plan_index, plan)| {
        let flows = plan.flows.iter().enumerate();
        flows.map(move |(index, flow)| (format!("plans[{plan_index}].flows[{index}]"), flow))
    });
    own.chain(of_plans)
}

fn steps_of(path: String, flow: &Flow) -> impl Iterator<Item = (String, &Step)> {
    flow.phases().into_iter().flat_map(move |(phase, steps)| {
        let path = path.clone();
        let steps = steps.iter().enumerate();
        steps.map(move |(index, step)| (format!("{path}.{phase}[{index}]"), step))
    })
}
