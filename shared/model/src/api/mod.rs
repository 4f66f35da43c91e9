//! An API definition as types, read from its canonical document.

mod analytics;
mod endpoint;
mod failover;
mod flow;
mod http_endpoint;
mod listener;
mod plan;
mod response_template;
mod service;

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::{
    analytics::{Analytics, Logging, MessageSampling},
    endpoint::{Endpoint, EndpointGroup, LoadBalancer},
    failover::Failover,
    flow::{Flow, FlowExecution, FlowMode, PathOperator, Selector, Step},
    http_endpoint::{
        EndpointHeader, HttpEndpointConfiguration, HttpOptions, HttpVersion, KeyStore,
        ProxyOptions, SslOptions, TrustStore,
    },
    listener::{
        Cors, Entrypoint, HttpListener, HttpPath, KafkaListener, Listener, Qos,
        SubscriptionListener, TcpListener,
    },
    plan::{Plan, PlanMode, PlanSecurity, PlanStatus, SecurityKind},
    response_template::{ResponseTemplate, ResponseTemplates},
    service::{ApiServices, EndpointServices, Service},
};
use crate::{
    ApiId, Notice, Violation,
    read::{Fields, Report},
};

/// What an API mediates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiKind {
    /// Requests and responses.
    Proxy,
    /// Messages in front of a broker.
    Message,
    /// A protocol in its own form (Kafka).
    Native,
}

impl ApiKind {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] = &[
        ("proxy", Self::Proxy),
        ("message", Self::Message),
        ("native", Self::Native),
    ];

    /// The label of the runtime spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Message => "message",
            Self::Native => "native",
        }
    }
}

/// A named value that expressions can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Unique in the API.
    pub key: String,
    /// The value; cipher text when `encrypted`.
    pub value: String,
    /// True if the value must be decrypted before use.
    pub encrypted: bool,
    /// True if a service wrote it, not a person.
    pub dynamic: bool,
}

/// Something policies refer to by name, such as a cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Unique in the API.
    pub name: String,
    /// Plugin id.
    pub kind: String,
    /// Configuration of the plugin.
    pub configuration: Value,
    /// False to leave it out.
    pub enabled: bool,
}

/// One API definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Identifier, unique in its environment.
    pub id: ApiId,
    /// Name, unique in its environment.
    pub name: String,
    /// Free text.
    pub version: String,
    /// What it mediates.
    pub kind: ApiKind,
    /// Sharding tags.
    pub tags: BTreeSet<String>,
    /// Values for expressions.
    pub properties: Vec<Property>,
    /// Named resources.
    pub resources: Vec<Resource>,
    /// Where clients reach it.
    pub listeners: Vec<Listener>,
    /// Backends; the first group is the default target.
    pub endpoint_groups: Vec<EndpointGroup>,
    /// Ways to be allowed in.
    pub plans: Vec<Plan>,
    /// Policy chains.
    pub flows: Vec<Flow>,
    /// How flows are chosen.
    pub flow_execution: FlowExecution,
    /// Replacements of default error bodies.
    pub response_templates: ResponseTemplates,
    /// Background services.
    pub services: ApiServices,
    /// Retries on slow or failing endpoints; `None` when absent or disabled.
    pub failover: Option<Failover>,
    /// What is recorded about traffic.
    pub analytics: Analytics,
}

/// Members at the root of a document that concern management only. Known, kept, without effect on
/// traffic.
pub(crate) const MANAGEMENT_MEMBERS: &[&str] = &[
    "apiBackground",
    "apiMedia",
    "apiPicture",
    "background",
    "categories",
    "consoleNotificationConfiguration",
    "contextRef",
    "createdAt",
    "crossId",
    "definitionContext",
    "definitionVersion",
    "deployedAt",
    "deploymentState",
    "description",
    "disableMembershipNotifications",
    "environmentId",
    "gravitee",
    "groups",
    "labels",
    "lifecycleState",
    "members",
    "metadata",
    "notifyMembers",
    "originContext",
    "pages",
    "picture",
    "primaryOwner",
    "responseTime",
    "state",
    "updatedAt",
    "visibility",
    "workflowState",
    "_links",
    crate::GKO_MEMBER,
];

impl Api {
    /// Reads a canonical document, taking the defaults of the definition format for what is absent.
    ///
    /// # Errors
    /// Fails with every member of a wrong type or with an unknown label; rules that go beyond types
    /// are checked by [`crate::validate::validate_api`].
    pub fn from_canonical(document: &Value) -> Result<Self, Vec<Violation>> {
        let (api, violations, _) = Self::read(document);
        match api {
            Some(api) if violations.is_empty() => Ok(api),
            _ => Err(violations),
        }
    }

    /// As [`Api::from_canonical`], also giving remarks about members that have no effect.
    ///
    /// # Errors
    /// As [`Api::from_canonical`].
    pub fn from_canonical_noticing(
        document: &Value,
    ) -> Result<(Self, Vec<Notice>), Vec<Violation>> {
        let (api, violations, notices) = Self::read(document);
        match api {
            Some(api) if violations.is_empty() => Ok((api, notices)),
            _ => Err(violations),
        }
    }

    /// Reads as much as can be read, with everything found on the way.
    pub(crate) fn read(document: &Value) -> (Option<Self>, Vec<Violation>, Vec<Notice>) {
        let report = Report::default();
        let api = read_api(document, &report);
        let (violations, notices) = report.into_parts();
        (api, violations, notices)
    }
}

fn read_api(document: &Value, report: &Report) -> Option<Api> {
    let mut fields = Fields::of(document, "", report)?;
    fields.skip(MANAGEMENT_MEMBERS);
    let id = match ApiId::parse(fields.required_text("id")) {
        Ok(id) => Some(id),
        Err(error) => {
            let shown = document["id"].as_str().unwrap_or_default();
            report.violation(Violation::new(
                "id",
                format!("{shown:?}"),
                error.to_string(),
            ));
            None
        }
    };
    let name = fields.required_text("name");
    let version = version(&mut fields);
    let kind = match fields.value("type") {
        Some(_) => fields.label("type", ApiKind::LABELS),
        None => {
            report.violation(Violation::new(
                "type",
                "",
                "proxy, message or native (required)",
            ));
            None
        }
    };
    let api = Api {
        id: id.unwrap_or_else(placeholder_id),
        name,
        version,
        kind: kind.unwrap_or(ApiKind::Proxy),
        tags: fields.texts("tags").into_iter().collect(),
        properties: fields.each("properties", read_property),
        resources: fields.each("resources", read_resource),
        listeners: fields.each("listeners", listener::read),
        endpoint_groups: fields.each("endpointGroups", endpoint::read_group),
        plans: fields.each("plans", plan::read),
        flows: fields.each("flows", flow::read),
        flow_execution: flow::read_execution(&mut fields),
        response_templates: response_template::read(&mut fields),
        services: service::read_api_services(&mut fields),
        failover: failover::read(&mut fields),
        analytics: analytics::read(&mut fields),
    };
    fields.finish();
    Some(api)
}

/// `apiVersion`, or `version` as the Kubernetes form and older files call it; numbers are taken as
/// they are written.
fn version(fields: &mut Fields<'_, '_>) -> String {
    match fields.value_of_any(&["apiVersion", "version"]) {
        Some(Value::String(text)) => text.clone(),
        Some(number @ Value::Number(_)) => number.to_string(),
        Some(other) => {
            let report = fields.report();
            report.violation(Violation::new("apiVersion", other, "a text"));
            String::new()
        }
        None => String::new(),
    }
}

/// Stands in for an id that left a violation, so that reading can go on.
fn placeholder_id() -> ApiId {
    #[expect(
        clippy::expect_used,
        reason = "one printable character is an identifier"
    )]
    ApiId::parse("-").expect("a dash is an identifier")
}

fn read_property(value: &Value, path: &str, report: &Report) -> Option<Property> {
    let mut fields = Fields::of(value, path, report)?;
    let key = fields.required_text("key");
    let text = match fields.value("value") {
        Some(Value::String(text)) => text.clone(),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
        Some(other) => {
            report.violation(Violation::new(fields.path_of("value"), other, "a text"));
            String::new()
        }
        None => String::new(),
    };
    let property = Property {
        key,
        value: text,
        encrypted: fields.flag("encrypted", false),
        dynamic: fields.flag("dynamic", false),
    };
    fields.skip(&["encryptable"]);
    fields.finish();
    Some(property)
}

fn read_resource(value: &Value, path: &str, report: &Report) -> Option<Resource> {
    let mut fields = Fields::of(value, path, report)?;
    // A reference to a resource object of a cluster carries its name in the reference.
    if let Some(reference) = fields.value("ref") {
        let name = reference["name"].as_str().unwrap_or_default().to_owned();
        fields.skip(&["name", "type", "configuration", "enabled"]);
        report.notice(Notice::new(
            "unresolved-reference",
            fields.path_of("ref"),
            "resource references are kept, but not resolved",
        ));
        return Some(Resource {
            name,
            kind: String::new(),
            configuration: Value::Null,
            enabled: false,
        });
    }
    let resource = Resource {
        name: fields.required_text("name"),
        kind: fields.required_text("type"),
        configuration: fields.configuration("configuration"),
        enabled: fields.flag("enabled", true),
    };
    fields.finish();
    Some(resource)
}
