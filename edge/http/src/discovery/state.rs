//! The endpoints of one discovered group, swapped whole when others are found.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ahash::RandomState;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tidegate_expression::Scope;
use tidegate_model::api::{DiscoveryConfiguration, Service};

use super::{Blueprint, DiscoveryError, INSTANCES_MAX, Instance, Source, source};
use crate::{
    balance::Algorithm,
    endpoint::{BuildError, CompiledEndpoint, Member, Tiers},
};

/// Longest name of an endpoint in bytes: names become labels of metrics.
const NAME_BYTES_MAX: usize = 256;

/// How well a group is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryStatus {
    /// Its source has not answered yet.
    Waiting,
    /// Its source answered last time.
    Current,
    /// Its source failed last time; what was known before stays.
    Stale,
}

impl DiscoveryStatus {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Current => "CURRENT",
            Self::Stale => "STALE",
        }
    }
}

/// The endpoints of a group that are in its definition, and how those that are found join them.
#[derive(Debug)]
pub(crate) struct GroupPlan {
    pub(crate) algorithm: Algorithm,
    pub(crate) seed: u64,
    pub(crate) tenant: Option<String>,
    pub(crate) primaries: Vec<Member>,
    pub(crate) secondaries: Vec<Member>,
}

/// A group whose endpoints are found. One task publishes, all workers read.
#[derive(Debug)]
pub struct Discovery {
    configuration: DiscoveryConfiguration,
    source: Source,
    blueprint: Blueprint,
    plan: GroupPlan,
    active: ArcSwap<Active>,
    progress: Mutex<Progress>,
    answers: AtomicU64,
    failures: AtomicU64,
}

/// What requests see.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) tiers: Tiers,
    found: Box<[Found]>,
}

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) instance: Instance,
    pub(super) endpoint: Arc<CompiledEndpoint>,
}

#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) status: DiscoveryStatus,
    /// Why the source failed last; empty while it does not.
    pub(super) cause: String,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) added: usize,
    pub(super) removed: usize,
    /// Whether anything else is different, such as a weight.
    pub(super) is_changed: bool,
    /// Instances that cannot be called or are too many.
    pub(super) left_out: usize,
}

impl Discovery {
    /// Compiles the discovery `service` at `place`. What `previous` knew of the same source is known from
    /// the start, so that a new definition does not wait for an answer.
    ///
    /// # Errors
    /// What of the configuration cannot be used on this edge.
    pub(crate) fn compile(
        service: &Service,
        place: &str,
        scope: &dyn Scope,
        blueprint: impl FnOnce(&DiscoveryConfiguration) -> Result<Blueprint, BuildError>,
        plan: GroupPlan,
        previous: Option<&Discovery>,
    ) -> Result<Self, BuildError> {
        let configuration = source::evaluate(service, place, scope)?;
        let source = source::compile(&configuration.source, place)?;
        let blueprint = blueprint(&configuration)?;
        let previous =
            previous.filter(|previous| previous.configuration.source == configuration.source);
        let count = |counter: fn(&Discovery) -> &AtomicU64| {
            let count = previous.map(|previous| counter(previous).load(Ordering::Relaxed));
            AtomicU64::new(count.unwrap_or(0))
        };
        let discovery = Self {
            active: ArcSwap::from_pointee(Active {
                tiers: plan.tiers(&[]),
                found: Box::default(),
            }),
            progress: Mutex::new(Progress {
                status: DiscoveryStatus::Waiting,
                cause: String::new(),
            }),
            answers: count(|discovery| &discovery.answers),
            failures: count(|discovery| &discovery.failures),
            configuration,
            source,
            blueprint,
            plan,
        };
        if let Some(previous) = previous {
            let known = previous.active.load();
            let known = known.found.iter().map(|found| found.instance.clone());
            discovery.replace(known.collect());
        }
        Ok(discovery)
    }

    /// What requests see now.
    pub(crate) fn active(&self) -> arc_swap::Guard<Arc<Active>> {
        self.active.load()
    }

    /// Where to ask.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Answers and failures of the source so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.answers), read(&self.failures))
    }

    /// Puts the endpoints that were found in the place of those before. Call it from one task only.
    pub(super) fn publish(&self, instances: Vec<Instance>) -> Change {
        let change = self.replace(instances);
        self.answers.fetch_add(1, Ordering::Relaxed);
        *self.progress.lock() = Progress {
            status: DiscoveryStatus::Current,
            cause: String::new(),
        };
        change
    }

    /// Notes that the source failed; the endpoints stay.
    pub(super) fn failed(&self, cause: String) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut progress = self.progress.lock();
        if progress.status == DiscoveryStatus::Current {
            progress.status = DiscoveryStatus::Stale;
        }
        progress.cause = cause;
    }

    fn replace(&self, mut instances: Vec<Instance>) -> Change {
        let plan = &self.plan;
        instances.retain(|instance| plan.serves(instance.tenant.as_deref()));
        instances.sort();
        instances.dedup_by(|one, other| one.id == other.id);
        let before = self.active.load();
        let mut change = Change {
            left_out: instances.len().saturating_sub(INSTANCES_MAX),
            ..Change::default()
        };
        instances.truncate(INSTANCES_MAX);
        let mut names: HashSet<Box<str>, RandomState> = plan.names().map(Into::into).collect();
        let mut found = Vec::with_capacity(instances.len());
        for instance in instances {
            let known = before.found.iter();
            let known = known
                .clone()
                .find(|known| known.instance.is_same_endpoint(&instance));
            let endpoint = match known {
                Some(known) if !names.contains(&known.endpoint.name) => Arc::clone(&known.endpoint),
                Some(_) | None => {
                    let name = free_name(&instance, &names);
                    match self.blueprint.endpoint(&instance, name) {
                        Ok(endpoint) => {
                            change.added += 1;
                            Arc::new(endpoint)
                        }
                        Err(_unusable) => {
                            change.left_out += 1;
                            continue;
                        }
                    }
                }
            };
            names.insert(endpoint.name.clone());
            found.push(Found { instance, endpoint });
        }
        let kept = found.len() - change.added;
        change.removed = before.found.len() - kept;
        let instances = |found: &[Found]| -> Vec<Instance> {
            found.iter().map(|found| found.instance.clone()).collect()
        };
        change.is_changed = instances(&before.found) != instances(&found);
        if change.is_changed {
            self.active.store(Arc::new(Active {
                tiers: plan.tiers(&found),
                found: found.into(),
            }));
        }
        change
    }
}

impl Active {
    /// The found endpoint called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<CompiledEndpoint>> {
        let mut endpoints = self.found.iter().map(|found| &found.endpoint);
        endpoints.find(|endpoint| &*endpoint.name == name)
    }

    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }
}

impl GroupPlan {
    fn serves(&self, tenant: Option<&str>) -> bool {
        match (&self.tenant, tenant) {
            (Some(own), Some(tenant)) => own == tenant,
            (None, _) | (_, None) => true,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.primaries.iter().chain(&self.secondaries);
        members.map(|(endpoint, _)| &*endpoint.name)
    }

    fn tiers(&self, found: &[Found]) -> Tiers {
        let (mut primaries, mut secondaries) = (self.primaries.clone(), self.secondaries.clone());
        for Found { instance, endpoint } in found {
            let list = if instance.priority == 0 {
                &mut primaries
            } else {
                &mut secondaries
            };
            list.push((Arc::clone(endpoint), instance.weight.max(1)));
        }
        Tiers::new(self.algorithm, &primaries, &secondaries, self.seed)
    }
}

/// The instance's id as a name: without colons, which end names, and like no other.
fn free_name(instance: &Instance, taken: &HashSet<Box<str>, RandomState>) -> Box<str> {
    let fits = |c: char| !c.is_control() && c != ':' && c != '/';
    let id = instance.id.chars();
    let mut name: String = id.map(|c| if fits(c) { c } else { '-' }).collect();
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    if !name.is_empty() && !taken.contains(name.as_str()) {
        return name.into();
    }
    let mut number = 2_u32;
    loop {
        let numbered = format!("{name}-{number}");
        if !taken.contains(numbered.as_str()) {
            return numbered.into();
        }
        number += 1;
    }
}

/// An error with what caused it.
pub(super) fn described(error: &DiscoveryError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
