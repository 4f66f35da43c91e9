//! One API object, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, Method};
use tidegate_expression::{Condition, Text, Value, ValueMap};
use tidegate_model::{
    ApiId, ApiObject, Violation,
    api::{
        Api, ApiKind, Flow, FlowMode as ModelFlowMode, HttpListener, Listener, PathOperator, Plan,
        PlanMode, SecurityKind, Selector, Step,
    },
};
use tidegate_policies::{
    api_key::ApiKeyConfig,
    compile_steps,
    jwt::{JwtConfig, JwtVerifier},
    oauth2::{OAuth2Config, OAuth2Verifier},
};
use tidegate_policy::{ApiFacts, Chain, CompileContext, Phase, PlanFacts};

use super::{NodeFacts, files::NodeFiles, scope::DeployScope};
use crate::{
    analytics::Analytics,
    clock::SystemAmbient,
    cors::Cors,
    endpoint::{self, Endpoints, Failover},
    error_response::ErrorTemplates,
    flow::{CompiledFlow, Coverage, FlowMode, Flows, HttpSelector, PathPattern},
    path_mapping::PathMappings,
    plan::{CompiledPlan, KeyPlace, Security, SecurityChain},
    routing::normalise,
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
    /// Servers of the edge it is bound to; empty means all.
    pub servers: Arc<[String]>,
    /// Place in the definition, for refusals.
    pub place: String,
}

/// An API as the request path runs it.
#[derive(Debug)]
pub struct CompiledApi {
    /// Id of the API.
    pub id: ApiId,
    /// What expressions, policies and logs know of it.
    pub facts: Arc<ApiFacts>,
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

/// Compiles an API; `None` if this edge does not serve it.
pub(super) fn compile_api(
    object: &ApiObject,
    node: &NodeFacts,
) -> Result<Option<CompiledApi>, RefusedApi> {
    let api = Api::from_canonical(&object.definition)?;
    let acceptors = acceptors(&api);
    if api.kind != ApiKind::Proxy || acceptors.is_empty() {
        return Ok(None);
    }
    let mut facts = facts(object, &api);
    let scope = DeployScope {
        api: &facts,
        ambient: SystemAmbient,
    };
    let resources = tidegate_edge_resources::build(object.id.as_str(), &api.resources, &scope)
        .map_err(|error| RefusedApi {
            path: error.path,
            message: error.reason,
        })?;
    facts.resources = Arc::new(resources);
    let facts = Arc::new(facts);
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: &object.environment,
        api: object.id.as_str(),
        files: Some(&NodeFiles),
    };
    let mode = match api.flow_execution.mode {
        ModelFlowMode::Default => FlowMode::Default,
        ModelFlowMode::BestMatch => FlowMode::BestMatch,
    };
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
    let scope = DeployScope {
        api: &facts,
        ambient: SystemAmbient,
    };
    let seed = rand::random();
    let endpoints = endpoint::build(&api.endpoint_groups, node, &scope, seed)
        .map_err(|error| refusal(error.path(), &error))?;
    Ok(Some(CompiledApi {
        id: object.id.clone(),
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

fn acceptors(api: &Api) -> Box<[Acceptor]> {
    let paths = http_listeners(api).flat_map(|(index, http)| {
        let servers: Arc<[String]> = http.servers.as_slice().into();
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
    ctx: &CompileContext<'_>,
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
    })
}

fn compile_flows(
    flows: &[Flow],
    path: &str,
    mode: FlowMode,
    ctx: &CompileContext<'_>,
) -> Result<Flows, RefusedApi> {
    let enabled = flows.iter().enumerate().filter(|(_, flow)| flow.enabled);
    let compiled: Result<Vec<CompiledFlow>, RefusedApi> = enabled
        .map(|(index, flow)| compile_flow(flow, &format!("{path}[{index}]"), ctx))
        .collect();
    Ok(Flows::new(compiled?, mode))
}

fn compile_flow(
    flow: &Flow,
    path: &str,
    ctx: &CompileContext<'_>,
) -> Result<CompiledFlow, RefusedApi> {
    let mut compiled = CompiledFlow {
        http: None,
        condition: None,
        is_foreign: false,
        request: steps(&flow.request, Phase::Request, path, ctx)?,
        response: steps(&flow.response, Phase::Response, path, ctx)?,
    };
    for (index, selector) in flow.selectors.iter().enumerate() {
        let place = format!("{path}.selectors[{index}]");
        match selector {
            Selector::Http {
                path: pattern,
                path_operator,
                methods,
            } => {
                let coverage = match path_operator {
                    PathOperator::Equals => Coverage::Whole,
                    PathOperator::StartsWith => Coverage::Beginning,
                };
                compiled.http = Some(HttpSelector {
                    path: PathPattern::compile(pattern, coverage)
                        .map_err(|error| refusal(&format!("{place}.path"), &error))?,
                    methods: methods
                        .iter()
                        .map(|method| Method::from_bytes(method.as_bytes()))
                        .collect::<Result<_, _>>()
                        .map_err(|error| refusal(&format!("{place}.methods"), &error))?,
                });
            }
            Selector::Condition { condition: source } => {
                compiled.condition = Some(condition(source, &format!("{place}.condition"))?);
            }
            Selector::Channel { .. } | Selector::Other(_) => compiled.is_foreign = true,
        }
    }
    Ok(compiled)
}

fn steps(
    steps: &[Step],
    phase: Phase,
    path: &str,
    ctx: &CompileContext<'_>,
) -> Result<Chain, RefusedApi> {
    let ctx = CompileContext { phase, ..*ctx };
    let path = format!("{path}.{}", phase.flow_member());
    compile_steps(steps, &path, &ctx).map_err(RefusedApi::from)
}

fn condition(source: &str, path: &str) -> Result<Condition, RefusedApi> {
    Condition::compile(source).map_err(|error| refusal(path, &error))
}

fn refusal(path: &str, error: &dyn std::fmt::Display) -> RefusedApi {
    RefusedApi {
        path: path.to_owned(),
        message: error.to_string(),
    }
}
