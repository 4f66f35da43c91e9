//! From a configuration to which API a server name belongs to.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use ahash::RandomState;
use serde_json::Value;
use tidegate_edge_http::{
    balance::{Algorithm, Balancer},
    compile::{NodeFacts, ObjectRefusal},
};
use tidegate_model::{
    ApiId, ApiObject, ConfigSnapshot, ObjectKind, Violation,
    api::{Api, ApiKind, EndpointGroup, Listener, LoadBalancer, PlanMode, TCP_PROXY, TcpListener},
};
use tokio_util::sync::CancellationToken;

use crate::target::Target;

/// The TCP APIs of one configuration. Immutable; shared by all connections.
#[derive(Debug, Default)]
pub struct Routes {
    apis: BTreeMap<String, Arc<TcpApi>>,
    hosts: HashMap<Box<str>, Vec<Bound>, RandomState>,
}

/// A name of an API on some servers.
#[derive(Debug)]
struct Bound {
    /// Empty means all.
    servers: Arc<[String]>,
    api: Arc<TcpApi>,
}

/// A TCP API as connections use it.
#[derive(Debug)]
pub struct TcpApi {
    /// Id of the API.
    pub id: ApiId,
    /// Its name.
    pub name: Arc<str>,
    primaries: Tier,
    secondaries: Tier,
    /// Cancelled when the API is undeployed; its next version has the same one.
    pub(crate) retired: CancellationToken,
}

#[derive(Debug)]
struct Tier {
    targets: Box<[Arc<Target>]>,
    balancer: Balancer,
}

impl Routes {
    /// Finds the API of a server name on the server `server_id`, ignoring case.
    #[must_use]
    pub fn find(&self, server_id: &str, name: &str) -> Option<&Arc<TcpApi>> {
        let bound = match self.hosts.get(name) {
            Some(bound) => bound,
            None => self.hosts.get(name.to_ascii_lowercase().as_str())?,
        };
        let is_here = |bound: &&Bound| {
            bound.servers.is_empty() || bound.servers.iter().any(|known| known == server_id)
        };
        bound.iter().find(is_here).map(|bound| &bound.api)
    }

    /// The API of an id.
    #[must_use]
    pub fn api(&self, id: &str) -> Option<&Arc<TcpApi>> {
        self.apis.get(id)
    }

    pub(crate) fn apis(&self) -> impl Iterator<Item = &Arc<TcpApi>> {
        self.apis.values()
    }

    /// True without any TCP API.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.apis.is_empty()
    }
}

impl TcpApi {
    /// The endpoints to try for one connection, in order: primary ones from the one whose turn it is, then
    /// secondary ones.
    pub(crate) fn candidates(&self) -> Vec<Arc<Target>> {
        let mut all = self.primaries.in_turn();
        all.extend(self.secondaries.in_turn());
        all
    }
}

impl Tier {
    fn new(algorithm: Algorithm, members: Vec<(Arc<Target>, u32)>) -> Self {
        let weights: Vec<u32> = members.iter().map(|(_, weight)| *weight).collect();
        Self {
            balancer: Balancer::new(algorithm, &weights, rand::random()),
            targets: members.into_iter().map(|(target, _)| target).collect(),
        }
    }

    fn in_turn(&self) -> Vec<Arc<Target>> {
        let first = self.balancer.next(&mut rand::rng()).unwrap_or(0);
        let mut targets = self.targets.to_vec();
        if let Some(places) = targets.len().checked_sub(1) {
            targets.rotate_left(first.min(places));
        }
        targets
    }
}

/// Compiles the TCP APIs of a configuration. An API that cannot be used is refused alone, and its version in
/// `previous` goes on serving.
///
/// Left out without a refusal: stopped APIs, APIs without a TCP listener, and APIs without a plan for
/// this edge's tags. Plans are only administrative here: nobody is asked for a credential.
#[must_use]
pub fn compile(
    snapshot: &ConfigSnapshot,
    previous: &Routes,
    node: &NodeFacts,
) -> (Routes, Vec<ObjectRefusal>) {
    let mut routes = Routes::default();
    let mut refused = Vec::new();
    let started = snapshot.apis.iter().filter(|object| object.started);
    for object in started.filter(|object| has_tcp_listener(&object.definition)) {
        let known = previous.api(object.id.as_str());
        match compile_api(object, known, node) {
            Ok(None) => {}
            Ok(Some((api, names))) => add(&mut routes, &Arc::new(api), names, &mut refused),
            Err((path, message)) => {
                refused.push(refusal(&object.id, "invalid-definition", path, message));
                if let Some(known) = known {
                    let names = previous.names_of(known);
                    add(&mut routes, known, names, &mut refused);
                }
            }
        }
    }
    (routes, refused)
}

/// A look before the whole definition is parsed: nearly all APIs have no TCP listener.
fn has_tcp_listener(definition: &Value) -> bool {
    let listeners = definition.get("listeners").and_then(Value::as_array);
    let mut kinds = listeners
        .into_iter()
        .flatten()
        .filter_map(|listener| listener.get("type")?.as_str());
    kinds.any(|kind| kind.eq_ignore_ascii_case("tcp"))
}

type Problem = (String, String);

/// A name of an API, where it is bound, and its place in the definition.
struct Name {
    host: String,
    servers: Arc<[String]>,
    place: String,
}

impl Routes {
    fn names_of(&self, api: &Arc<TcpApi>) -> Vec<Name> {
        let names = self.hosts.iter().flat_map(|(host, bound)| {
            let own = bound.iter().filter(|bound| bound.api.id == api.id);
            own.map(|bound| Name {
                host: host.to_string(),
                servers: Arc::clone(&bound.servers),
                place: "listeners".to_owned(),
            })
        });
        names.collect()
    }
}

fn compile_api(
    object: &ApiObject,
    known: Option<&Arc<TcpApi>>,
    node: &NodeFacts,
) -> Result<Option<(TcpApi, Vec<Name>)>, Problem> {
    let api = Api::from_canonical(&object.definition).map_err(first)?;
    let is_served = api.plans.iter().any(|plan| {
        plan.status.is_served()
            && plan.mode == PlanMode::Standard
            && node.tags.accepts_plan(&plan.tags)
    });
    let listeners = api.listeners.iter().enumerate();
    let names: Vec<Name> = listeners
        .filter_map(|(index, listener)| match listener {
            Listener::Tcp(tcp) => Some((index, tcp)),
            _ => None,
        })
        .flat_map(|(index, tcp)| names(index, tcp))
        .collect();
    if api.kind != ApiKind::Proxy || names.is_empty() || !is_served {
        return Ok(None);
    }
    let Some(group) = api.endpoint_groups.first() else {
        let message = "expected a group of endpoints".to_owned();
        return Err(("endpointGroups".to_owned(), message));
    };
    let (primaries, secondaries) = members(group, "endpointGroups[0]", node)?;
    let algorithm = algorithm(group.load_balancer);
    let api = TcpApi {
        id: object.id.clone(),
        name: api.name.as_str().into(),
        primaries: Tier::new(algorithm, primaries),
        secondaries: Tier::new(algorithm, secondaries),
        retired: known.map(|known| known.retired.clone()).unwrap_or_default(),
    };
    Ok(Some((api, names)))
}

fn names(index: usize, tcp: &TcpListener) -> Vec<Name> {
    let servers: Arc<[String]> = tcp.servers.as_slice().into();
    let hosts = tcp.hosts.iter().enumerate().map(|(position, host)| Name {
        host: host.to_ascii_lowercase(),
        servers: Arc::clone(&servers),
        place: format!("listeners[{index}].hosts[{position}]"),
    });
    hosts.collect()
}

type Members = Vec<(Arc<Target>, u32)>;

/// The endpoints for this edge's tenant: primary ones, and secondary ones.
fn members(
    group: &EndpointGroup,
    path: &str,
    node: &NodeFacts,
) -> Result<(Members, Members), Problem> {
    let (mut primaries, mut secondaries) = (Vec::new(), Vec::new());
    for (index, endpoint) in group.endpoints.iter().enumerate() {
        let serves = |tenant: &str| endpoint.tenants.iter().any(|known| known == tenant);
        if !endpoint.tenants.is_empty() && !node.tenant.as_deref().is_none_or(serves) {
            continue;
        }
        let path = format!("{path}.endpoints[{index}]");
        if endpoint.kind != TCP_PROXY {
            let message = format!("found {}, expected {TCP_PROXY}", endpoint.kind);
            return Err((format!("{path}.type"), message));
        }
        let configuration = endpoint.tcp_configuration(group).map_err(|violations| {
            let (place, message) = first(violations);
            (format!("{path}.{place}"), message)
        })?;
        let target = Target::compile(&endpoint.name, &configuration, node, &path)
            .map_err(|error| (error.path(&path), error.to_string()))?;
        let list = if endpoint.secondary {
            &mut secondaries
        } else {
            &mut primaries
        };
        list.push((Arc::new(target), endpoint.weight));
    }
    Ok((primaries, secondaries))
}

fn algorithm(load_balancer: LoadBalancer) -> Algorithm {
    match load_balancer {
        LoadBalancer::RoundRobin => Algorithm::RoundRobin,
        LoadBalancer::Random => Algorithm::Random,
        LoadBalancer::WeightedRoundRobin => Algorithm::WeightedRoundRobin,
        LoadBalancer::WeightedRandom => Algorithm::WeightedRandom,
    }
}

/// Gives an API its names; one that another API has already on the same server stays there.
fn add(routes: &mut Routes, api: &Arc<TcpApi>, names: Vec<Name>, refused: &mut Vec<ObjectRefusal>) {
    for Name {
        host,
        servers,
        place,
    } in names
    {
        let bound = match routes.hosts.entry(host.into_boxed_str()) {
            Entry::Vacant(vacant) => vacant.insert(Vec::new()),
            Entry::Occupied(occupied) => {
                let meets = |known: &&Bound| known.api.id != api.id && known.meets(&servers);
                if let Some(known) = occupied.get().iter().find(meets) {
                    let holder = known.api.id.as_str();
                    let message = format!("host {} belongs to API {holder}", occupied.key());
                    refused.push(refusal(&api.id, "path-conflict", place, message));
                    continue;
                }
                occupied.into_mut()
            }
        };
        bound.push(Bound {
            servers,
            api: Arc::clone(api),
        });
        let id = api.id.as_str().to_owned();
        routes.apis.entry(id).or_insert_with(|| Arc::clone(api));
    }
}

impl Bound {
    fn meets(&self, servers: &[String]) -> bool {
        self.servers.is_empty()
            || servers.is_empty()
            || servers.iter().any(|id| self.servers.contains(id))
    }
}

fn first(violations: Vec<Violation>) -> Problem {
    let first = violations.into_iter().next();
    first.map_or_else(
        || (String::new(), "invalid definition".to_owned()),
        |violation| {
            let Violation {
                path,
                value,
                expected,
                ..
            } = violation;
            (path, format!("found {value}, expected {expected}"))
        },
    )
}

fn refusal(id: &ApiId, code: &'static str, path: String, message: String) -> ObjectRefusal {
    ObjectRefusal {
        kind: ObjectKind::Api,
        id: id.as_str().to_owned(),
        code,
        path,
        message,
    }
}
