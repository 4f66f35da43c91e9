//! What the APIs of a configuration share: groups, dictionaries, fetched properties and the organisation's flows.
//!
//! Values reach requests through the facts of each API, which are made anew when a value changes; an API is compiled
//! again only for a group it runs, or for values that its endpoints and resources read when they are made.

use std::{
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use ahash::RandomState;
use serde_json::Value as Json;
use tidegate_expression::{Text, Value, ValueMap};
use tidegate_model::{
    ApiObject, Asset, AssetKind, ConfigSnapshot, DictionaryObject, ObjectKind, OrganizationObject,
    PropertiesObject, SharedPolicyGroupObject,
    asset::{GroupPhase, SharedPolicyGroup},
};
use tidegate_policies::{
    compile_steps,
    shared_policy_group::{NoGroups, PolicyGroups},
};
use tidegate_policy::{ApiFacts, CompileContext, Phase};

use super::{
    NodeFacts, ObjectRefusal,
    api::{RefusedApi, flow_mode},
    files::NodeFiles,
    flows::{FlowContext, compile_flows},
};
use crate::flow::Flows;

/// What APIs share, ready for compiling.
#[derive(Debug, Default)]
pub(super) struct Shared {
    groups: HashMap<String, Arc<ReadGroup>, RandomState>,
    dictionaries: Dictionaries,
    properties: HashMap<String, Arc<PropertiesObject>, RandomState>,
    platform: Arc<Platform>,
}

#[derive(Debug)]
struct ReadGroup {
    object: Arc<SharedPolicyGroupObject>,
    group: SharedPolicyGroup,
}

#[derive(Debug, Default)]
struct Dictionaries {
    objects: Vec<(Arc<DictionaryObject>, Value)>,
    values: Arc<ValueMap>,
}

/// The organisation's flows.
#[derive(Debug, Default)]
struct Platform {
    object: Option<Arc<OrganizationObject>>,
    flows: Flows,
}

/// What of all that is shared made a compiled API what it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs {
    groups: Vec<(String, Option<Arc<ReadGroup>>)>,
    dictionaries: Option<Arc<ValueMap>>,
    properties: Option<Option<Arc<PropertiesObject>>>,
}

/// What the facts of an API were made of.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    dictionaries: Arc<ValueMap>,
    properties: Option<Arc<PropertiesObject>>,
}

impl Shared {
    /// Reads what `snapshot` shares, taking over what did not change.
    pub(super) fn read(
        snapshot: &ConfigSnapshot,
        previous: Option<&Self>,
        node: &NodeFacts,
        refused: &mut Vec<ObjectRefusal>,
    ) -> Self {
        let mut groups = HashMap::default();
        for object in &snapshot.shared.groups {
            let known = previous.and_then(|previous| previous.groups.get(&object.id));
            if let Some(group) = read_group(object, known, &snapshot.environment, refused) {
                groups.insert(object.id.clone(), group);
            }
        }
        let dictionaries = previous.map(|previous| &previous.dictionaries);
        let properties = snapshot.shared.properties.iter();
        Self {
            groups,
            dictionaries: Dictionaries::read(&snapshot.shared.dictionaries, dictionaries),
            properties: properties
                .map(|object| (object.api.as_str().to_owned(), Arc::clone(object)))
                .collect(),
            platform: read_platform(snapshot, previous, node, refused),
        }
    }

    /// The organisation's flows for this edge.
    pub(super) fn platform(&self) -> &Flows {
        &self.platform.flows
    }

    /// What of it the compiled form of an API depends on.
    pub(super) fn inputs_of(&self, object: &ApiObject) -> Inputs {
        let groups = object.groups.values();
        let made_at_once = ["endpointGroups", "resources"];
        let reads = |word: &str| {
            let parts = made_at_once.iter();
            parts
                .filter_map(|part| object.definition.get(*part))
                .any(|part| mentions(part, word))
        };
        Inputs {
            groups: groups
                .map(|id| (id.clone(), self.groups.get(id).cloned()))
                .collect(),
            dictionaries: reads("dictionaries").then(|| Arc::clone(&self.dictionaries.values)),
            properties: reads("properties")
                .then(|| self.properties.get(object.id.as_str()).cloned()),
        }
    }

    /// True if an API compiled from `inputs` would be compiled the same now.
    pub(super) fn is_current(&self, api: &str, inputs: &Inputs) -> bool {
        let groups = inputs
            .groups
            .iter()
            .all(|(id, group)| is_same(self.groups.get(id), group.as_ref()));
        let dictionaries = inputs.dictionaries.as_ref();
        let properties = inputs.properties.as_ref();
        groups
            && dictionaries.is_none_or(|known| Arc::ptr_eq(known, &self.dictionaries.values))
            && properties.is_none_or(|known| is_same(self.properties.get(api), known.as_ref()))
    }

    /// What the facts of an API are to be made of.
    pub(super) fn overlay_of(&self, api: &str) -> Overlay {
        Overlay {
            dictionaries: Arc::clone(&self.dictionaries.values),
            properties: self.properties.get(api).cloned(),
        }
    }
}

impl Overlay {
    /// True if facts made of this would be the same as those made of `other`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dictionaries, &other.dictionaries)
            && is_same(self.properties.as_ref(), other.properties.as_ref())
    }

    /// The facts of an API with the dictionaries and its fetched properties.
    ///
    /// `stale` names properties of the definition that had been fetched when it was written.
    pub(super) fn over(&self, facts: &Arc<ApiFacts>, stale: &[Text]) -> Arc<ApiFacts> {
        if self.dictionaries.is_empty() && self.properties.is_none() {
            return Arc::clone(facts);
        }
        let mut facts = ApiFacts::clone(facts);
        facts.dictionaries = Arc::clone(&self.dictionaries);
        if let Some(fetched) = &self.properties {
            facts.properties = Arc::new(merged(&facts.properties, stale, &fetched.entries));
        }
        Arc::new(facts)
    }
}

/// The facts of an API as its endpoints read them when they are made.
pub(super) fn overlaid(facts: &Arc<ApiFacts>, stale: &[Text], shared: &Shared) -> Arc<ApiFacts> {
    shared.overlay_of(facts.id.as_str()).over(facts, stale)
}

/// Values that were given stay; fetched ones stand beside them, in place of those that were fetched before.
fn merged(given: &ValueMap, stale: &[Text], fetched: &BTreeMap<String, String>) -> ValueMap {
    let mut properties = ValueMap::new();
    for (key, value) in given.iter() {
        if !stale.contains(key) {
            properties.insert(key.clone(), value.clone());
        }
    }
    for (key, value) in fetched {
        if properties.get(key).is_none() {
            properties.insert(key.as_str(), value.as_str());
        }
    }
    properties
}

/// The groups that one API may name.
pub(super) struct ApiGroups<'a> {
    pub(super) references: &'a BTreeMap<String, String>,
    pub(super) shared: &'a Shared,
}

impl PolicyGroups for ApiGroups<'_> {
    fn find(&self, reference: &str) -> Option<&SharedPolicyGroup> {
        let id = self.references.get(reference)?;
        Some(&self.shared.groups.get(id)?.group)
    }
}

fn is_same<T>(left: Option<&Arc<T>>, right: Option<&Arc<T>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Reads a group, takes it over if it is unchanged, or falls back to its last good version.
fn read_group(
    object: &Arc<SharedPolicyGroupObject>,
    known: Option<&Arc<ReadGroup>>,
    environment: &str,
    refused: &mut Vec<ObjectRefusal>,
) -> Option<Arc<ReadGroup>> {
    if let Some(known) = known
        && (Arc::ptr_eq(&known.object, object) || known.object == *object)
    {
        return Some(Arc::clone(known));
    }
    let read = catch_unwind(AssertUnwindSafe(|| try_group(object, environment)));
    let kind = ObjectKind::SharedPolicyGroup;
    match settled(read, kind, &object.id, refused) {
        Some(group) => Some(Arc::new(ReadGroup {
            object: Arc::clone(object),
            group,
        })),
        None => known.cloned(),
    }
}

/// Reads a group and tries its steps, so that what is wrong with them is said once and not by every API.
fn try_group(
    object: &SharedPolicyGroupObject,
    environment: &str,
) -> Result<SharedPolicyGroup, RefusedApi> {
    let asset = Asset::from_canonical(AssetKind::SharedPolicyGroup, &object.definition)?;
    let Asset::SharedPolicyGroup(group) = asset else {
        return Err(RefusedApi {
            path: String::new(),
            message: "another kind of object".to_owned(),
        });
    };
    let phase = match group.phase {
        GroupPhase::Request => Phase::Request,
        GroupPhase::Response => Phase::Response,
        // Of APIs that are not served over HTTP.
        GroupPhase::Publish
        | GroupPhase::Subscribe
        | GroupPhase::Connect
        | GroupPhase::Interact => return Ok(group),
    };
    let ctx = CompileContext {
        phase,
        environment,
        api: "",
        files: Some(&NodeFiles),
    };
    compile_steps(&group.steps, "steps", &ctx, &NoGroups)?;
    Ok(group)
}

/// Compiles the organisation's flows that are for this edge.
fn read_platform(
    snapshot: &ConfigSnapshot,
    previous: Option<&Shared>,
    node: &NodeFacts,
    refused: &mut Vec<ObjectRefusal>,
) -> Arc<Platform> {
    let Some(object) = &snapshot.shared.organization else {
        return Arc::default();
    };
    let known = previous.map(|previous| &previous.platform);
    if let Some(known) = known
        && known
            .object
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, object) || known == object)
    {
        return Arc::clone(known);
    }
    let environment = snapshot.environment.as_str();
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        compile_platform(object, environment, node)
    }));
    match settled(compiled, ObjectKind::Organization, &object.id, refused) {
        Some(flows) => Arc::new(Platform {
            object: Some(Arc::clone(object)),
            flows,
        }),
        None => known.cloned().unwrap_or_default(),
    }
}

fn compile_platform(
    object: &OrganizationObject,
    environment: &str,
    node: &NodeFacts,
) -> Result<Flows, RefusedApi> {
    let asset = Asset::from_canonical(AssetKind::Organization, &object.definition)?;
    let Asset::Organization(mut organization) = asset else {
        return Err(RefusedApi {
            path: String::new(),
            message: "another kind of object".to_owned(),
        });
    };
    for flow in &mut organization.flows {
        // Kept but switched off, so that places in refusals stay right.
        flow.enabled &= node.tags.accepts_plan(&flow.tags);
    }
    let ctx = FlowContext {
        environment,
        api: "",
        groups: &NoGroups,
    };
    compile_flows(
        &organization.flows,
        "flows",
        flow_mode(organization.mode),
        &ctx,
    )
}

/// What was read, or `None` after its refusal was noted.
fn settled<T>(
    read: std::thread::Result<Result<T, RefusedApi>>,
    kind: ObjectKind,
    id: &str,
    refused: &mut Vec<ObjectRefusal>,
) -> Option<T> {
    let (code, RefusedApi { path, message }) = match read {
        Ok(Ok(read)) => return Some(read),
        Ok(Err(refusal)) => ("invalid-definition", refusal),
        Err(_panic) => {
            let refusal = RefusedApi {
                path: String::new(),
                message: "the compiler failed on this definition".to_owned(),
            };
            ("compile-panic", refusal)
        }
    };
    refused.push(ObjectRefusal {
        kind,
        id: id.to_owned(),
        code,
        path,
        message,
    });
    None
}

impl Dictionaries {
    fn read(objects: &[Arc<DictionaryObject>], previous: Option<&Self>) -> Self {
        let known = previous.map_or(&[][..], |previous| &previous.objects);
        let is_unchanged = known.len() == objects.len()
            && known
                .iter()
                .zip(objects)
                .all(|((known, _), object)| Arc::ptr_eq(known, object));
        if let Some(previous) = previous.filter(|_| is_unchanged) {
            return Self {
                objects: previous.objects.clone(),
                values: Arc::clone(&previous.values),
            };
        }
        let by_id: HashMap<&str, &(Arc<DictionaryObject>, Value), RandomState> = known
            .iter()
            .map(|known| (known.0.id.as_str(), known))
            .collect();
        let mut values = ValueMap::new();
        let mut read = Vec::with_capacity(objects.len());
        for object in objects {
            let entries = match by_id.get(object.id.as_str()) {
                Some((known, entries)) if Arc::ptr_eq(known, object) => entries.clone(),
                Some(_) | None => entries_of(object),
            };
            values.insert(object.key.as_str(), entries.clone());
            read.push((Arc::clone(object), entries));
        }
        Self {
            objects: read,
            values: Arc::new(values),
        }
    }
}

fn entries_of(dictionary: &DictionaryObject) -> Value {
    let entries = dictionary.entries.iter();
    let entries: ValueMap = entries
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Value::from(entries)
}

/// True if a text inside of a document says a word, as an expression that reads a variable must.
fn mentions(document: &Json, word: &str) -> bool {
    match document {
        Json::String(text) => text.contains(word),
        Json::Array(items) => items.iter().any(|item| mentions(item, word)),
        Json::Object(members) => members.values().any(|member| mentions(member, word)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
