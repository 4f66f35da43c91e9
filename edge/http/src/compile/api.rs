//! One API object, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use tidegate_expression::{Text, Value, ValueMap};
use tidegate_model::{
    ApiId, ApiObject, Violation,
    api::{
        Api, ApiKind, FlowMode as ModelFlowMode, HttpListener, Listener, Plan, PlanMode,
        SecurityKind,
    },
};
use tidegate_policies::{
    api_key::ApiKeyConfig,
    jwt::{JwtConfig, JwtVerifier},
    oauth2::{OAuth2Config, OAuth2Verifier},
};
use tidegate_policy::{ApiFacts, PlanFacts};

use super::{
    NodeFacts,
    flows::{FlowContext, compile_flows, condition},
    scope::DeployScope,
    shared::{ApiGroups, Shared, overlaid},
};
use crate::{
    analytics::Analytics,
    clock::SystemAmbient,
    cors::Cors,
    endpoint::{self, Endpoints, Failover},
    error_response::ErrorTemplates,
    flow::{FlowMode, Flows},
    path_mapping::PathMappings,
    plan::{CompiledPlan, KeyPlace, Security, SecurityChain},
    routing::normalise,
    traffic::Traffic,
};

/// Organisation of every API until organisations are configured.
const DEFAULT_ORGANIZATION: &str = "DEFAULT";

/// A host and path that lead to an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptor {
    /// `None` accepts every host.
    pub host: Option<String>,
    /// Normalised path.
    pub path: String,
    /// Servers of the edge it is bound to, as connections call them; empty means all.
    pub servers: Arc<[String]>,
    /// Place in the definition, for refusals.
    pub place: String,
}

/// An API as the request path runs it.
#[derive(Debug)]
pub struct CompiledApi {
    /// Id of the API.
    pub id: ApiId,
    /// What its definition alone says to expressions, policies and logs.
    pub facts: Arc<ApiFacts>,
    /// Keys of properties that had been fetched when the definition was written: what is fetched now replaces them.
    pub stale_properties: Box<[Text]>,
    /// Where it answers.
    pub acceptors: Box<[Acceptor]>,
    /// Its plans.
    pub security: SecurityChain,
    /// Its own flows.
    pub flows: Flows,
    /// Whether a request that no flow matches is refused.
    pub is_match_required: bool,
    /// Its endpoints.
    pub endpoints: Endpoints,
    /// How calls of them are repeated, if they are.
    pub failover: Option<Failover>,
    /// Its cross-origin rules, if it has some.
    pub cors: Option<Cors>,
    /// Names for groups of its paths.
    pub path_mappings: PathMappings,
    /// What is told about its requests.
    pub analytics: Analytics,
    /// Its response templates.
    pub templates: ErrorTemplates,
}

/// Why an API cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct RefusedApi {
    /// Place in the definition.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl From<Violation> for RefusedApi {
    fn from(violation: Violation) -> Self {
        let Violation {
            path,
            value,
            expected,
            ..
        } = violation;
        Self {
            path,
            message: format!("found {value}, expected {expected}"),
        }
    }
}

impl From<Vec<Violation>> for RefusedApi {
    fn from(violations: Vec<Violation>) -> Self {
        let more = violations.len().saturating_sub(1);
        let first = violations.into_iter().next().map(Self::from);
        let mut refused = first.unwrap_or_else(|| Self {
            path: String::new(),
            message: "invalid definition".to_owned(),
        });
        if more > 0 {
            refused.message.push_str(&format!(" (and {more} more)"));
        }
        refused
    }
}

/// Compiles an API; `None` if this edge does not serve it. What `previous` discovered is known from the start.
pub(super) fn compile_api(
    object: &ApiObject,
    node: &NodeFacts,
    shared: &Shared,
    previous: Option<&CompiledApi>,
) -> Result<Option<CompiledApi>, RefusedApi> {
    let api = Api::from_canonical(&object.definition)?;
    let acceptors = acceptors(&api, node);
    if api.kind != ApiKind::Proxy || acceptors.is_empty() {
        return Ok(None);
    }
    let stale = api.properties.iter().filter(|property| property.dynamic);
    let stale_properties: Box<[Text]> = stale
        .map(|property| Text::from(property.key.as_str()))
        .collect();
    let mut facts = facts(object, &api);
    let scope = DeployScope {
        api: &overlaid(&Arc::new(facts.clone()), &stale_properties, shared),
        ambient: SystemAmbient,
    };
    let resources = tidegate_edge_resources::build(object.id.as_str(), &api.resources, &scope)
        .map_err(|error| RefusedApi {
            path: error.path,
            message: error.reason,
        })?;
    facts.resources = Arc::new(resources);
    let facts = Arc::new(facts);
    let groups = ApiGroups {
        references: &object.groups,
        shared,
    };
    let ctx = FlowContext {
        environment: &object.environment,
        api: object.id.as_str(),
        groups: &groups,
    };
    let mode = flow_mode(api.flow_execution.mode);
    let served = |plan: &&Plan| {
        plan.status.is_served()
            && plan.mode == PlanMode::Standard
            && node.tags.accepts_plan(&plan.tags)
    };
    if !api.plans.iter().any(|plan| served(&plan)) {
        return Ok(None);
    }
    let mut plans = Vec::new();
    for (index, plan) in api
        .plans
        .iter()
        .enumerate()
        .filter(|(_, plan)| served(plan))
    {
        plans.push(compile_plan(plan, &format!("plans[{index}]"), mode, &ctx)?);
    }
    let analytics = Analytics::compile(&api.analytics, key_headers(&plans))
        .map_err(|error| refusal("analytics.logging.condition", &error))?;
    let seed = rand::random();
    let known = previous.map(|previous| &previous.endpoints);
    let endpoints = endpoint::build(&api.endpoint_groups, node, &scope, seed, known)
        .map_err(|error| refusal(error.path(), &error))?;
    Ok(Some(CompiledApi {
        id: object.id.clone(),
        stale_properties,
        acceptors,
        security: SecurityChain::new(plans),
        flows: compile_flows(&api.flows, "flows", mode, &ctx)?,
        is_match_required: api.flow_execution.match_required,
        endpoints,
        failover: Failover::compile(api.failover.as_ref()),
        cors: cors(&api)?,
        path_mappings: path_mappings(&api)?,
        analytics,
        templates: ErrorTemplates::compile(&api.response_templates)
            .map_err(|(path, error)| refusal(&path, &error))?,
        facts,
    }))
}

pub(super) const fn flow_mode(mode: ModelFlowMode) -> FlowMode {
    match mode {
        ModelFlowMode::Default => FlowMode::Default,
        ModelFlowMode::BestMatch => FlowMode::BestMatch,
    }
}

/// Headers that carry keys: a log never shows them.
fn key_headers(plans: &[CompiledPlan]) -> Vec<HeaderName> {
    let places = plans.iter().filter_map(|plan| match &plan.security {
        Security::ApiKey(place) => Some(place.header().clone()),
        _ => None,
    });
    places.collect()
}

/// The HTTP listeners of an API with their places.
fn http_listeners(api: &Api) -> impl Iterator<Item = (usize, &HttpListener)> {
    api.listeners
        .iter()
        .enumerate()
        .filter_map(|(index, listener)| {
            if let Listener::Http(http) = listener {
                Some((index, http))
            } else {
                None
            }
        })
}

/// The rules of the first listener that has some: an API has one HTTP listener in practice.
fn cors(api: &Api) -> Result<Option<Cors>, RefusedApi> {
    let found = http_listeners(api).find_map(|(index, http)| Some((index, http.cors.as_ref()?)));
    let Some((index, rules)) = found else {
        return Ok(None);
    };
    Cors::compile(rules)
        .map(Some)
        .map_err(|(member, error)| refusal(&format!("listeners[{index}].cors.{member}"), &error))
}

fn path_mappings(api: &Api) -> Result<PathMappings, RefusedApi> {
    let Some((listener, http)) =
        http_listeners(api).find(|(_, http)| !http.path_mappings.is_empty())
    else {
        return Ok(PathMappings::default());
    };
    PathMappings::compile(&http.path_mappings).map_err(|(index, error)| {
        refusal(
            &format!("listeners[{listener}].pathMappings[{index}]"),
            &error,
        )
    })
}

fn acceptors(api: &Api, node: &NodeFacts) -> Box<[Acceptor]> {
    let paths = http_listeners(api).flat_map(|(index, http)| {
        let servers = http.servers.iter();
        let servers: Arc<[String]> = servers
            .map(|id| node.servers.of_connections(id).to_owned())
            .collect();
        http.paths
            .iter()
            .enumerate()
            .map(move |(path_index, path)| Acceptor {
                host: path.host.clone(),
                path: normalise(&path.path),
                servers: Arc::clone(&servers),
                place: format!("listeners[{index}].paths[{path_index}]"),
            })
    });
    paths.collect()
}

/// The facts of an API; its resources are added when they can see the rest.
fn facts(object: &ApiObject, api: &Api) -> ApiFacts {
    let mut properties = ValueMap::new();
    for property in &api.properties {
        properties.insert(
            Text::from(property.key.as_str()),
            Value::from(property.value.as_str()),
        );
    }
    let mut endpoints = ValueMap::new();
    for group in &api.endpoint_groups {
        let names = group.endpoints.iter().map(|endpoint| &endpoint.name);
        for name in std::iter::once(&group.name).chain(names) {
            endpoints.insert(
                Text::from(name.as_str()),
                Value::from(format!("{name}:").as_str()),
            );
        }
    }
    ApiFacts {
        id: object.id.as_str().into(),
        name: api.name.as_str().into(),
        version: api.version.as_str().into(),
        organization: Text::constant(DEFAULT_ORGANIZATION),
        environment: object.environment.as_str().into(),
        properties: Arc::new(properties),
        endpoints: Arc::new(endpoints),
        targets: Arc::new(targets(api)),
        dictionaries: Arc::new(ValueMap::new()),
        resources: Arc::default(),
    }
}

/// URLs of the endpoints that have one, by name; the first of a name stays.
fn targets(api: &Api) -> BTreeMap<Text, Text> {
    let mut targets = BTreeMap::new();
    for endpoint in api
        .endpoint_groups
        .iter()
        .flat_map(|group| &group.endpoints)
    {
        let target = endpoint.configuration.get("target");
        if let Some(target) = target.and_then(serde_json::Value::as_str) {
            targets
                .entry(Text::from(endpoint.name.as_str()))
                .or_insert_with(|| Text::from(target));
        }
    }
    targets
}

fn compile_plan(
    plan: &Plan,
    path: &str,
    mode: FlowMode,
    ctx: &FlowContext<'_>,
) -> Result<CompiledPlan, RefusedApi> {
    let place = format!("{path}.security");
    let security = match &plan.security {
        Some(security) => match security.kind {
            SecurityKind::KeyLess => Security::KeyLess,
            SecurityKind::ApiKey => {
                let config = ApiKeyConfig::parse(&security.configuration)
                    .map_err(|error| refusal(&place, &error))?;
                let keys = KeyPlace::from_config(&config);
                Security::ApiKey(keys.map_err(|error| refusal(&place, &error))?)
            }
            SecurityKind::Jwt => {
                let verifier = JwtConfig::parse(&security.configuration)
                    .and_then(|config| JwtVerifier::compile(&config));
                Security::Jwt(Box::new(verifier.map_err(|error| refusal(&place, &error))?))
            }
            SecurityKind::OAuth2 => {
                let verifier = OAuth2Config::parse(&security.configuration)
                    .and_then(|config| OAuth2Verifier::compile(&config));
                Security::OAuth2(Box::new(verifier.map_err(|error| refusal(&place, &error))?))
            }
            SecurityKind::Mtls => Security::Mtls,
        },
        None => return Err(refusal(&place, &"a standard plan needs security")),
    };
    let selection_rule = match plan.selection_rule.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(rule) => Some(condition(rule, &format!("{path}.selectionRule"))?),
    };
    Ok(CompiledPlan {
        facts: Arc::new(PlanFacts {
            id: plan.id.as_str().into(),
            name: plan.name.as_str().into(),
        }),
        security,
        selection_rule,
        flows: compile_flows(&plan.flows, &format!("{path}.flows"), mode, ctx)?,
        traffic: Traffic::default(),
    })
}

pub(super) fn refusal(path: &str, error: &dyn std::fmt::Display) -> RefusedApi {
    RefusedApi {
        path: path.to_owned(),
        message: error.to_string(),
    }
}
