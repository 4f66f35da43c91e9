//! A typed API definition, one file per noun.
//!
//! It is read from the canonical document with every default filled in. The document stays the truth: members that
//! are not modelled live only there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    id::ApiId,
    limits,
    read::{At, Findings, Label},
    violation::Violation,
};

mod discovery;
mod endpoint;
mod flow;
mod health_check;
mod http_configuration;
mod listener;
mod plan;
mod settings;
mod tcp_configuration;
#[cfg(test)]
mod tests;

pub use discovery::{
    CONSUL_DISCOVERY, ConsulDiscovery, DNS_DISCOVERY, DiscoveryConfiguration, DiscoverySource,
    DnsDiscovery, DnsRecords, KUBERNETES_DISCOVERY, KubernetesDiscovery,
};
pub use endpoint::{Endpoint, EndpointGroup, EndpointServices, HTTP_PROXY, LoadBalancer, Service};
pub use flow::{Flow, PHASE_MEMBERS, PathOperator, SHARED_POLICY_GROUP, Selector, Step};
pub use health_check::{HTTP_HEALTH_CHECK, HealthCheckConfiguration};
pub use http_configuration::{
    EndpointHeader, Http2Options, HttpEndpointConfiguration, HttpOptions, HttpProxy, HttpVersion,
    KeyStore, ProxyKind, SslOptions, StoreFormat, StoreSource, TrustStore,
};
pub use listener::{
    Cors, Entrypoint, HttpListener, HttpPath, KafkaListener, Listener, ListenerKind, Qos,
    SubscriptionListener, TcpListener, normal_path,
};
pub use plan::{Plan, PlanMode, PlanSecurity, PlanStatus, SecurityKind};
pub use settings::{
    Analytics, ApiServices, Failover, FlowExecution, FlowMode, ResponseTemplate, ResponseTemplates,
};
pub use tcp_configuration::{TCP_PROXY, TcpEndpointConfiguration};

/// The id of an API whose document has none yet; plans get it with their index. Whoever stores a document assigns
/// ids first.
pub const UNASSIGNED: &str = "unassigned";

/// An API definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// Unique in the environment; [`UNASSIGNED`] while the document has none.
    pub id: ApiId,
    /// Its name.
    pub name: String,
    /// Its version, free text; may be empty, as in many runtime definitions.
    pub version: String,
    /// What it carries.
    pub kind: ApiKind,
    /// Sharding tags.
    pub tags: BTreeSet<String>,
    /// Values that expressions can read.
    pub properties: Vec<Property>,
    /// Things policies refer to by name.
    pub resources: Vec<Resource>,
    /// Where it accepts clients.
    pub listeners: Vec<Listener>,
    /// Its backends; the first group is the default target.
    pub endpoint_groups: Vec<EndpointGroup>,
    /// Under which terms it is used.
    pub plans: Vec<Plan>,
    /// Policies for all plans.
    pub flows: Vec<Flow>,
    /// How flows are chosen.
    pub flow_execution: FlowExecution,
    /// Replacements for default error responses.
    pub response_templates: ResponseTemplates,
    /// Services beside it.
    pub services: ApiServices,
    /// Retries on other endpoints.
    pub failover: Option<Failover>,
    /// What is measured and logged.
    pub analytics: Analytics,
}

/// What an API carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiKind {
    /// Requests and responses, or bytes.
    Proxy,
    /// Messages.
    Message,
    /// A native protocol, Kafka.
    Native,
}

impl Label for ApiKind {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("proxy", Self::Proxy),
        ("message", Self::Message),
        ("native", Self::Native),
    ];
}

impl ApiKind {
    /// The canonical name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.label()
    }
}

/// A value that expressions can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub key: String,
    /// Its value; encrypted ones are ciphertext here.
    pub value: String,
    /// Whether the value is encrypted.
    pub encrypted: bool,
    /// Whether a service filled it.
    pub dynamic: bool,
}

impl std::fmt::Debug for Property {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Property")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Something policies refer to by name: a cache, an OAuth2 server.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name, unique in the API.
    pub name: String,
    /// The plugin.
    pub kind: String,
    /// Whether it is started.
    pub enabled: bool,
    /// The plugin's configuration.
    pub configuration: Value,
}

impl Api {
    /// Reads a canonical document.
    ///
    /// Checks types, required members and limits; the rules between parts are checked by
    /// [`validate_api`](crate::validate::validate_api).
    ///
    /// # Errors
    /// Lists everything that cannot be read.
    pub fn from_canonical(document: &Value) -> Result<Self, Vec<Violation>> {
        let findings = Findings::default();
        let api = Self::read(&At::root(document, &findings));
        match (api, findings) {
            (Some(api), findings) => findings.finish(api),
            (None, findings) => Err(findings.finish(()).err().unwrap_or_default()),
        }
    }

    /// The first endpoint group, where requests go unless a policy says otherwise.
    #[must_use]
    pub fn default_group(&self) -> Option<&EndpointGroup> {
        self.endpoint_groups.first()
    }

    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        if at.member("type").is_none() {
            at.missing("type", &ApiKind::names());
        }
        let kind = at.optional_label("type").unwrap_or(ApiKind::Proxy);
        let plans = at.list("plans", limits::PLANS);
        Some(Self {
            id: read_id(at)?,
            name: at.required_text("name", limits::NAME),
            version: at.text("apiVersion", limits::NAME).unwrap_or_default(),
            kind,
            tags: at
                .texts("tags", limits::TAGS, limits::NAME)
                .into_iter()
                .collect(),
            properties: read_each(at, "properties", limits::PROPERTIES, Property::read),
            resources: read_each(at, "resources", limits::RESOURCES, Resource::read),
            listeners: read_each(at, "listeners", limits::LISTENERS, Listener::read),
            endpoint_groups: read_each(
                at,
                "endpointGroups",
                limits::ENDPOINT_GROUPS,
                EndpointGroup::read,
            ),
            plans: plans
                .iter()
                .enumerate()
                .filter_map(|(i, plan)| Plan::read(plan, i))
                .collect(),
            flows: read_each(at, "flows", limits::FLOWS, Flow::read),
            flow_execution: at
                .member("flowExecution")
                .map(|at| FlowExecution::read(&at))
                .unwrap_or_default(),
            response_templates: at
                .member("responseTemplates")
                .map(|at| settings::read_response_templates(&at))
                .unwrap_or_default(),
            services: at
                .member("services")
                .map(|at| ApiServices::read(&at))
                .unwrap_or_default(),
            failover: at.member("failover").and_then(|at| Failover::read(&at)),
            analytics: at
                .member("analytics")
                .map(|at| Analytics::read(&at))
                .unwrap_or_default(),
        })
    }
}

fn read_each<T>(
    at: &At<'_>,
    name: &str,
    max: usize,
    read: impl Fn(&At<'_>) -> Option<T>,
) -> Vec<T> {
    at.list(name, max).iter().filter_map(read).collect()
}

fn read_id(at: &At<'_>) -> Option<ApiId> {
    let text = at
        .text("id", limits::NAME)
        .unwrap_or_else(|| UNASSIGNED.to_owned());
    let id = ApiId::parse(text);
    if let (Err(error), Some(member)) = (&id, at.member("id")) {
        member.fail(format!("an identifier: {error}"));
    }
    id.ok()
}

impl Property {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        Some(Self {
            key: at.required_text("key", limits::NAME),
            value: at.text("value", limits::LONG_TEXT).unwrap_or_default(),
            encrypted: at.flag("encrypted", false),
            dynamic: at.flag("dynamic", false),
        })
    }
}

impl Resource {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        // A Kubernetes reference is resolved by the operator's side; its plugin is not known here.
        let is_reference = at.member("ref").is_some();
        let text = |name| {
            if is_reference {
                at.text(name, limits::NAME).unwrap_or_default()
            } else {
                at.required_text(name, limits::NAME)
            }
        };
        Some(Self {
            name: text("name"),
            kind: text("type"),
            enabled: at.flag("enabled", true),
            configuration: at.object("configuration"),
        })
    }
}
