//! From a verified configuration to what the request path runs: everything is parsed, compiled and
//! checked here, once, so that no request can fail for a reason of configuration.
//!
//! Objects that did not change are taken over from the configuration before. One that cannot be used
//! is refused alone, and its last good version goes on serving.

mod api;
mod files;
mod flows;
mod scope;
mod shared;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use ahash::RandomState;
use aws_lc_rs::digest;
use tidegate_model::{
    ApiObject, ConfigSnapshot, Epoch, ObjectKind, Revision, SubscriptionObject, TagSelector,
};

pub use api::{CompiledApi, RefusedApi};
use tidegate_policy::ApiFacts;

use self::shared::{Inputs, Overlay, Shared};
use crate::{
    flow::Flows,
    plan::{ApiKeyHasher, ApiSubscriptions},
    routing::{self, Bound, Routers, SERVER_IDS},
    upstream::ProxyOptions,
};

/// What of the edge itself decides what it serves.
#[derive(Debug, Clone)]
pub struct NodeFacts {
    /// Id of the edge.
    pub id: String,
    /// Sharding tags, exclusions included.
    pub tags: TagSelector,
    /// Tenant, if the edge belongs to one.
    pub tenant: Option<String>,
    /// Region, the `zone` of expressions.
    pub region: Option<String>,
    /// Version of the program.
    pub version: String,
    /// The proxy of endpoints that ask for the system's.
    pub system_proxy: Option<ProxyOptions>,
    /// What `servers` of HTTP listeners call its servers.
    pub servers: ServerIds,
}

/// Ids of the servers of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIds {
    /// The one in clear text.
    pub http: String,
    /// The one with TLS.
    pub https: String,
}

impl Default for ServerIds {
    fn default() -> Self {
        let [http, https] = SERVER_IDS.map(str::to_owned);
        Self { http, https }
    }
}

impl ServerIds {
    /// The id a connection has for the one a definition has. An id that is renamed is none any more; no server
    /// has an empty one.
    fn of_connections(&self, id: &str) -> &'static str {
        let [http, https] = SERVER_IDS;
        if id == self.http {
            http
        } else if id == self.https {
            https
        } else {
            ""
        }
    }
}

/// An object that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRefusal {
    /// Kind of the object.
    pub kind: ObjectKind,
    /// Id of the object.
    pub id: String,
    /// Stable code: `invalid-definition`, `invalid-subscription`, `path-conflict`, `compile-panic`.
    pub code: &'static str,
    /// Place in the object; empty for the whole.
    pub path: String,
    /// What is wrong, for the person who deployed it.
    pub message: String,
}

/// A configuration ready to serve, and what of it could not be used.
#[derive(Debug)]
pub struct Compilation {
    /// What to make active.
    pub snapshot: CompiledSnapshot,
    /// Objects left out or kept at their version before.
    pub refused: Vec<ObjectRefusal>,
}

/// One configuration, ready to serve. Immutable; shared by all workers.
#[derive(Debug)]
pub struct CompiledSnapshot {
    /// Epoch of the view.
    pub epoch: Epoch,
    /// Revision of the view.
    pub revision: Revision,
    /// Signed root of the view.
    pub root: [u8; 32],
    /// Environment of the view.
    pub environment: String,
    apis: Box<[ServedApi]>,
    routers: Routers,
    hasher: Arc<ApiKeyHasher>,
    pepper_digest: [u8; 32],
    shared: Shared,
}

/// An API with the subscriptions to it.
#[derive(Debug)]
pub struct ServedApi {
    /// The compiled API.
    pub api: Arc<CompiledApi>,
    /// What expressions, policies and logs know of it now: values that were fetched or are shared are in here.
    pub facts: Arc<ApiFacts>,
    /// Its accepted subscriptions.
    pub subscriptions: Arc<ApiSubscriptions>,
    source: Source,
    overlay: Overlay,
}

/// Recognises an unchanged object without keeping its definition in memory.
#[derive(Debug, Clone)]
struct Source {
    object: Weak<ApiObject>,
    digest: [u8; 32],
    inputs: Inputs,
}

impl Source {
    fn new(object: &Arc<ApiObject>, digest: [u8; 32], inputs: Inputs) -> Self {
        Self {
            object: Arc::downgrade(object),
            digest,
            inputs,
        }
    }

    /// A weak pointer keeps its address taken, so equal addresses are the same object.
    fn is_same_object(&self, object: &Arc<ApiObject>) -> bool {
        std::ptr::eq(self.object.as_ptr(), Arc::as_ptr(object))
    }
}

impl CompiledSnapshot {
    /// The APIs served, by the numbers the router gives.
    #[must_use]
    pub fn apis(&self) -> &[ServedApi] {
        &self.apis
    }

    /// The routers; their targets are positions in [`CompiledSnapshot::apis`].
    #[must_use]
    pub fn routers(&self) -> &Routers {
        &self.routers
    }

    /// The flows around those of every API.
    #[must_use]
    pub fn platform(&self) -> &Flows {
        self.shared.platform()
    }

    /// Hashes API keys for look-ups.
    #[must_use]
    pub fn hasher(&self) -> &ApiKeyHasher {
        &self.hasher
    }

    /// Whether an API of this id is served.
    #[must_use]
    pub fn serves(&self, id: &str) -> bool {
        self.apis
            .binary_search_by(|served| served.api.id.as_str().cmp(id))
            .is_ok()
    }

    fn find(&self, id: &str) -> Option<&ServedApi> {
        let position = self
            .apis
            .binary_search_by(|served| served.api.id.as_str().cmp(id))
            .ok()?;
        self.apis.get(position)
    }
}

/// Compiles a configuration. Costs what changed against `previous`, plus a walk over the objects.
///
/// Left out without a refusal: stopped APIs, APIs without a plan for this edge's tags, and APIs that
/// are not served over HTTP.
#[must_use]
pub fn compile(
    snapshot: &ConfigSnapshot,
    previous: Option<&CompiledSnapshot>,
    node: &NodeFacts,
) -> Compilation {
    let mut refused = Vec::new();
    let shared = Shared::read(
        snapshot,
        previous.map(|previous| &previous.shared),
        node,
        &mut refused,
    );
    let mut subscriptions = by_api(&snapshot.subscriptions);
    let mut apis = Vec::with_capacity(snapshot.apis.len());
    for object in snapshot.apis.iter().filter(|object| object.started) {
        let known = previous.and_then(|previous| previous.find(object.id.as_str()));
        let Some((api, source)) = compile_object(object, known, (node, &shared), &mut refused)
        else {
            continue;
        };
        let sources = subscriptions.remove(object.id.as_str()).unwrap_or_default();
        let subscriptions = index_subscriptions(sources, known, &mut refused);
        let (facts, overlay) = facts_of(&api, known, &shared);
        apis.push(ServedApi {
            api,
            facts,
            subscriptions,
            source,
            overlay,
        });
    }
    apis.sort_by(|left, right| left.api.id.cmp(&right.api.id));
    let routers = route(&apis, &mut refused);
    let pepper = snapshot.api_key_pepper.expose();
    let pepper_digest = sha256(pepper);
    let hasher = match previous {
        Some(previous) if previous.pepper_digest == pepper_digest => Arc::clone(&previous.hasher),
        Some(_) | None => Arc::new(ApiKeyHasher::new(pepper)),
    };
    let snapshot = CompiledSnapshot {
        epoch: snapshot.epoch,
        revision: snapshot.revision,
        root: snapshot.root,
        environment: snapshot.environment.clone(),
        apis: apis.into(),
        routers,
        hasher,
        pepper_digest,
        shared,
    };
    Compilation { snapshot, refused }
}

type BySubscribedApi<'s> = HashMap<&'s str, Vec<Arc<SubscriptionObject>>, RandomState>;

fn by_api(subscriptions: &[Arc<SubscriptionObject>]) -> BySubscribedApi<'_> {
    let mut by_api = BySubscribedApi::default();
    for subscription in subscriptions {
        by_api
            .entry(subscription.api.as_str())
            .or_default()
            .push(Arc::clone(subscription));
    }
    by_api
}

/// Compiles one API, takes it over if it is unchanged, or falls back to its last good version.
fn compile_object(
    object: &Arc<ApiObject>,
    known: Option<&ServedApi>,
    (node, shared): (&NodeFacts, &Shared),
    refused: &mut Vec<ObjectRefusal>,
) -> Option<(Arc<CompiledApi>, Source)> {
    let current = known.filter(|known| {
        let inputs = &known.source.inputs;
        shared.is_current(object.id.as_str(), inputs)
    });
    if let Some(known) = current
        && known.source.is_same_object(object)
    {
        return Some((Arc::clone(&known.api), known.source.clone()));
    }
    let digest = digest_of(object);
    let inputs = shared.inputs_of(object);
    if let Some(known) = current
        && known.source.digest == digest
    {
        return Some((Arc::clone(&known.api), Source::new(object, digest, inputs)));
    }
    // One broken object must not take the others down, whatever part of the compiler gives in.
    let previous = known.map(|known| &*known.api);
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        api::compile_api(object, node, shared, previous)
    }));
    let refusal = match compiled {
        Ok(Ok(Some(api))) => {
            return Some((Arc::new(api), Source::new(object, digest, inputs)));
        }
        Ok(Ok(None)) => return None,
        Ok(Err(refusal)) => ("invalid-definition", refusal.path, refusal.message),
        Err(_panic) => {
            let message = "the compiler failed on this definition".to_owned();
            ("compile-panic", String::new(), message)
        }
    };
    let (code, path, message) = refusal;
    let id = object.id.as_str().to_owned();
    refused.push(ObjectRefusal {
        kind: ObjectKind::Api,
        id,
        code,
        path,
        message,
    });
    known.map(|known| (Arc::clone(&known.api), known.source.clone()))
}

/// The facts of an API as they are now, the same ones while nothing changed.
fn facts_of(
    api: &Arc<CompiledApi>,
    known: Option<&ServedApi>,
    shared: &Shared,
) -> (Arc<ApiFacts>, Overlay) {
    let overlay = shared.overlay_of(api.id.as_str());
    match known {
        Some(known) if Arc::ptr_eq(&known.api, api) && known.overlay.is_same(&overlay) => {
            (Arc::clone(&known.facts), overlay)
        }
        Some(_) | None => (overlay.over(&api.facts, &api.stale_properties), overlay),
    }
}

fn index_subscriptions(
    sources: Vec<Arc<SubscriptionObject>>,
    known: Option<&ServedApi>,
    refused: &mut Vec<ObjectRefusal>,
) -> Arc<ApiSubscriptions> {
    if let Some(known) = known
        && known.subscriptions.is_made_from(&sources)
    {
        return Arc::clone(&known.subscriptions);
    }
    let (subscriptions, refusals) = ApiSubscriptions::new(sources);
    refused.extend(refusals.into_iter().map(|refusal| ObjectRefusal {
        kind: ObjectKind::Subscription,
        id: refusal.subscription,
        code: "invalid-subscription",
        path: refusal.path,
        message: "expected 64 hexadecimal digits".to_owned(),
    }));
    Arc::new(subscriptions)
}

fn route(apis: &[ServedApi], refused: &mut Vec<ObjectRefusal>) -> Routers {
    let acceptors = (0_u32..).zip(apis).flat_map(|(number, served)| {
        let acceptors = served.api.acceptors.iter();
        acceptors.map(move |acceptor| Bound {
            host: acceptor.host.as_deref(),
            path: &acceptor.path,
            servers: &acceptor.servers,
            target: number,
        })
    });
    routing::build(acceptors, |lost, duplicate| {
        let api = |number: u32| apis.get(number as usize).map(|served| &served.api);
        let Some(loser) = api(lost.target) else {
            return;
        };
        let holder = api(duplicate.holder).map_or("", |holder| holder.id.as_str());
        let is_lost = |acceptor: &&api::Acceptor| {
            acceptor.path == lost.path && acceptor.host.as_deref() == lost.host
        };
        let place = loser.acceptors.iter().find(is_lost);
        refused.push(ObjectRefusal {
            kind: ObjectKind::Api,
            id: loser.id.as_str().to_owned(),
            code: "path-conflict",
            path: place
                .map(|acceptor| acceptor.place.clone())
                .unwrap_or_default(),
            message: format!("path {} belongs to API {holder}", duplicate.path),
        });
    })
}

fn digest_of(object: &ApiObject) -> [u8; 32] {
    // Serialising a parsed object cannot fail; an empty text would only mean a needless recompile.
    sha256(&serde_json::to_vec(object).unwrap_or_default())
}

fn sha256(content: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    hash
}
