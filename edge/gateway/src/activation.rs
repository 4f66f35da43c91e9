//! From a verified view to what requests see: decode, compile, then one atomic swap.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::de::DeserializeOwned;
use tidegate_edge_http::compile::{self, CompiledSnapshot, NodeFacts};
use tidegate_edge_tcp::Routes;
use tidegate_model::{
    ApiObject, ConfigSnapshot, DictionaryObject, Epoch, ObjectKind, OrganizationObject,
    PropertiesObject, Revision, Secret, SharedObjects, SharedPolicyGroupObject, SubscriptionObject,
};
use tidegate_sync::edge::{Position, PreparedObjectRefusal};
use tidegate_view::{Hash, VerifiedView};

use crate::{
    data_plane::Shared,
    node_state::{ActiveFacts, ApiFacts, NodeState},
};

/// Compiles views and makes them live. One caller at a time; it blocks for as long as it takes.
#[derive(Debug)]
pub(crate) struct Activation {
    node: NodeFacts,
    environment: String,
    shared: Shared,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    pepper: Secret<Vec<u8>>,
    decoded: BTreeMap<(ObjectKind, Box<str>), Decoded>,
    prepared: Option<Prepared>,
}

/// One object, kept as long as its bytes do not change: equal objects stay the same `Arc`, by
/// which the compiler sees what it can reuse.
#[derive(Debug, Clone)]
struct Decoded {
    object_hash: Hash,
    object: Object,
}

#[derive(Debug, Clone)]
enum Object {
    Api(Arc<ApiObject>),
    Subscription(Arc<SubscriptionObject>),
    SharedPolicyGroup(Arc<SharedPolicyGroupObject>),
    Dictionary(Arc<DictionaryObject>),
    Organization(Arc<OrganizationObject>),
    Properties(Arc<PropertiesObject>),
}

struct Prepared {
    position: Position,
    compiled: Arc<CompiledSnapshot>,
    tcp_routes: Arc<Routes>,
    facts: ActiveFacts,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Work")
            .field("decoded", &self.decoded.len())
            .finish_non_exhaustive()
    }
}

impl Activation {
    pub(crate) fn new(
        node: NodeFacts,
        environment: String,
        pepper: Secret<Vec<u8>>,
        shared: Shared,
    ) -> Self {
        let work = Mutex::new(Work {
            pepper,
            ..Work::default()
        });
        Self {
            node,
            environment,
            shared,
            work,
        }
    }

    /// Takes the key of API-key hashes for the next compilation.
    pub(crate) fn set_pepper(&self, pepper: &[u8]) {
        self.work().pepper = Secret::new(pepper.to_vec());
    }

    /// Requests served since the start.
    pub(crate) fn requests_total(&self) -> u64 {
        self.shared.metrics.requests_total()
    }

    /// Decodes and compiles `view`, and says what of it cannot be used. The last good version of a
    /// refused object stays in use.
    pub(crate) fn prepare(&self, view: &VerifiedView) -> Vec<PreparedObjectRefusal> {
        let mut work = self.work();
        let (decoded, mut refusals) = decode(view, &work.decoded);
        let snapshot = self.snapshot(view, &decoded, work.pepper.clone());
        let previous = self.shared.live.load();
        let compilation = compile::compile(&snapshot, previous.as_deref(), &self.node);
        let previous = self.shared.tcp_live.load();
        let (tcp_routes, tcp_refused) =
            tidegate_edge_tcp::compile(&snapshot, &previous, &self.node);
        refusals.extend(
            compilation
                .refused
                .into_iter()
                .chain(tcp_refused)
                .map(|refused| PreparedObjectRefusal {
                    kind: refused.kind.as_str().to_owned(),
                    id: refused.id,
                    code: refused.code.to_owned(),
                    path: refused.path,
                    message: refused.message,
                }),
        );
        for refusal in &refusals {
            let PreparedObjectRefusal {
                kind,
                id,
                code,
                path,
                message,
            } = refusal;
            tracing::warn!(kind, id, code, path, message, "object cannot be used");
        }
        let position = view.manifest().position();
        let facts = ActiveFacts {
            view_id: view.manifest().view_id.clone(),
            position,
            apis: snapshot.apis.iter().map(|api| api_facts(api)).collect(),
            subscriptions: snapshot.subscriptions.len(),
            refused: refusals.len(),
        };
        let compiled = Arc::new(compilation.snapshot);
        work.prepared = Some(Prepared {
            position,
            compiled,
            tcp_routes: Arc::new(tcp_routes),
            facts,
        });
        work.decoded = decoded;
        refusals
    }

    /// Makes a prepared view live with one swap; requests in flight end on the one they began with.
    pub(crate) fn activate(&self, view: &VerifiedView, state: &NodeState) {
        let position = view.manifest().position();
        let prepared = self.work().prepared.take();
        let Some(prepared) = prepared.filter(|prepared| prepared.position == position) else {
            tracing::error!(
                revision = position.revision,
                "view to activate is not prepared"
            );
            return;
        };
        self.shared.live.store(prepared.compiled);
        self.shared.tcp_live.store(prepared.tcp_routes);
        state.set_active(prepared.facts);
        tracing::info!(
            revision = position.revision,
            epoch = position.epoch,
            "view active"
        );
    }

    fn snapshot(
        &self,
        view: &VerifiedView,
        decoded: &BTreeMap<(ObjectKind, Box<str>), Decoded>,
        api_key_pepper: Secret<Vec<u8>>,
    ) -> ConfigSnapshot {
        let manifest = view.manifest();
        let mut snapshot = ConfigSnapshot {
            environment: self.environment.clone(),
            epoch: Epoch(manifest.epoch),
            revision: Revision(manifest.revision),
            root: manifest.root,
            apis: Vec::new(),
            subscriptions: Vec::new(),
            shared: SharedObjects::default(),
            api_key_pepper,
        };
        let shared = &mut snapshot.shared;
        for decoded in decoded.values() {
            match &decoded.object {
                Object::Api(object) => snapshot.apis.push(Arc::clone(object)),
                Object::Subscription(object) => snapshot.subscriptions.push(Arc::clone(object)),
                Object::SharedPolicyGroup(object) => shared.groups.push(Arc::clone(object)),
                Object::Dictionary(object) => shared.dictionaries.push(Arc::clone(object)),
                Object::Organization(object) => shared.organization = Some(Arc::clone(object)),
                Object::Properties(object) => shared.properties.push(Arc::clone(object)),
            }
        }
        snapshot
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type DecodedObjects = BTreeMap<(ObjectKind, Box<str>), Decoded>;

fn decode(
    view: &VerifiedView,
    before: &DecodedObjects,
) -> (DecodedObjects, Vec<PreparedObjectRefusal>) {
    let mut decoded = DecodedObjects::new();
    let mut refusals = Vec::new();
    for leaf in view.tree().leaves() {
        let Ok(kind) = leaf.kind.parse::<ObjectKind>() else {
            // A kind of a newer control plane; `min_edge_level` says when an edge must know it.
            continue;
        };
        let key = (kind, leaf.id.clone());
        let known = before.get(&key);
        if let Some(known) = known.filter(|known| known.object_hash == leaf.object_hash) {
            decoded.insert(key, known.clone());
            continue;
        }
        let bytes = view
            .get(&leaf.kind, &leaf.id)
            .map(|bytes| bytes.as_ref())
            .unwrap_or_default();
        match Object::parse(kind, bytes) {
            Ok(object) => {
                decoded.insert(
                    key,
                    Decoded {
                        object_hash: leaf.object_hash,
                        object,
                    },
                );
            }
            Err(error) => {
                refusals.push(PreparedObjectRefusal {
                    kind: leaf.kind.to_string(),
                    id: leaf.id.to_string(),
                    code: "OBJECT_UNREADABLE".to_owned(),
                    path: String::new(),
                    message: error.to_string(),
                });
                // Under its old hash, so that the refusal is found again next time.
                decoded.extend(known.cloned().map(|known| (key, known)));
            }
        }
    }
    (decoded, refusals)
}

impl Object {
    fn parse(kind: ObjectKind, bytes: &[u8]) -> Result<Self, serde_json::Error> {
        fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Arc<T>, serde_json::Error> {
            serde_json::from_slice(bytes).map(Arc::new)
        }
        match kind {
            ObjectKind::Api => read(bytes).map(Self::Api),
            ObjectKind::Subscription => read(bytes).map(Self::Subscription),
            ObjectKind::SharedPolicyGroup => read(bytes).map(Self::SharedPolicyGroup),
            ObjectKind::Dictionary => read(bytes).map(Self::Dictionary),
            ObjectKind::Organization => read(bytes).map(Self::Organization),
            ObjectKind::Properties => read(bytes).map(Self::Properties),
        }
    }
}

fn api_facts(api: &ApiObject) -> ApiFacts {
    let name = api
        .definition
        .get("name")
        .and_then(serde_json::Value::as_str);
    ApiFacts {
        id: api.id.to_string(),
        name: name.unwrap_or_default().to_owned(),
        started: api.started,
        deployment_number: api.deployment_number,
    }
}
