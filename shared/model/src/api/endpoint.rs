//! Endpoint groups and endpoints: the backends of an API.

use serde_json::Value;

use super::http_configuration::HttpEndpointConfiguration;
use crate::{
    limits,
    read::{At, Findings, Label},
    violation::Violation,
};

/// The connector id of HTTP backends.
pub const HTTP_PROXY: &str = "http-proxy";

/// Backends that share a connector and a load balancer. The first group of an API is its default target.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointGroup {
    /// Unique among all groups and endpoints of the API.
    pub name: String,
    /// The connector of all its endpoints.
    pub kind: String,
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// The configuration endpoints may inherit.
    pub shared_configuration: Value,
    /// The backends.
    pub endpoints: Vec<Endpoint>,
    /// Health check and discovery.
    pub services: EndpointServices,
}

/// One backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Unique among all groups and endpoints of the API.
    pub name: String,
    /// The connector.
    pub kind: String,
    /// Its share of requests, at least 1.
    pub weight: u32,
    /// Used only when no primary endpoint is left.
    pub secondary: bool,
    /// The gateways' tenants that use it; empty means all.
    pub tenants: Vec<String>,
    /// Whether the group's shared configuration applies instead of the override.
    pub inherit_configuration: bool,
    /// The connector's own configuration, such as the target.
    pub configuration: Value,
    /// What replaces the group's shared configuration as a whole.
    pub shared_configuration_override: Value,
    /// Health check.
    pub services: EndpointServices,
}

/// Services of an endpoint or a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointServices {
    /// Finds out which endpoints are alive.
    pub health_check: Option<Service>,
    /// Finds endpoints; only in groups.
    pub discovery: Option<Service>,
}

/// A service that runs beside an API.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The plugin.
    pub kind: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Whether its configuration replaces that of the group.
    pub override_configuration: bool,
    /// The plugin's configuration.
    pub configuration: Value,
}

/// How an endpoint of a group is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancer {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// One after the other, by weight.
    WeightedRoundRobin,
    /// Any, by weight.
    WeightedRandom,
}

impl Label for LoadBalancer {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("round-robin", Self::RoundRobin),
        ("random", Self::Random),
        ("weighted-round-robin", Self::WeightedRoundRobin),
        ("weighted-random", Self::WeightedRandom),
    ];
}

impl EndpointGroup {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let balancer = at
            .member("loadBalancer")
            .filter(|balancer| balancer.members().is_some());
        Some(Self {
            name: at.required_text("name", limits::NAME),
            kind: at.required_text("type", limits::NAME),
            load_balancer: balancer
                .map(|balancer| balancer.label("type", LoadBalancer::default()))
                .unwrap_or_default(),
            shared_configuration: at.object("sharedConfiguration"),
            endpoints: at
                .list("endpoints", limits::ENDPOINTS)
                .iter()
                .filter_map(Endpoint::read)
                .collect(),
            services: EndpointServices::read(at),
        })
    }
}

impl Endpoint {
    fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        let weight = at.integer("weight", (i64::from(i32::MIN), i64::from(i32::MAX)), 1);
        Some(Self {
            name: at.required_text("name", limits::NAME),
            kind: at.required_text("type", limits::NAME),
            weight: u32::try_from(weight.max(1)).unwrap_or(1),
            secondary: at.flag("secondary", false),
            tenants: at.texts("tenants", limits::TAGS, limits::NAME),
            inherit_configuration: at.flag("inheritConfiguration", false),
            configuration: at.object("configuration"),
            shared_configuration_override: at.object("sharedConfigurationOverride"),
            services: EndpointServices::read(at),
        })
    }

    /// The shared configuration that applies: the group's if it is inherited, else the override; never a mixture.
    #[must_use]
    pub fn effective_shared_configuration<'a>(&'a self, group: &'a EndpointGroup) -> &'a Value {
        if self.inherit_configuration {
            &group.shared_configuration
        } else {
            &self.shared_configuration_override
        }
    }

    /// The typed configuration of an `http-proxy` endpoint, with every default filled in.
    ///
    /// # Errors
    /// Lists everything that is wrong; paths are relative to the endpoint (or to its group for inherited parts).
    pub fn http_configuration(
        &self,
        group: &EndpointGroup,
    ) -> Result<HttpEndpointConfiguration, Vec<Violation>> {
        let findings = Findings::default();
        let own = At::new(&self.configuration, "configuration", &findings);
        let shared_name = if self.inherit_configuration {
            "sharedConfiguration"
        } else {
            "sharedConfigurationOverride"
        };
        let shared = At::new(
            self.effective_shared_configuration(group),
            shared_name,
            &findings,
        );
        let configuration = HttpEndpointConfiguration::read(&own, &shared);
        findings.finish(configuration)
    }
}

impl EndpointServices {
    fn read(at: &At<'_>) -> Self {
        let Some(services) = at.member("services") else {
            return Self::default();
        };
        if services.members().is_none() {
            return Self::default();
        }
        Self {
            health_check: services
                .member("healthCheck")
                .and_then(|at| Service::read(&at)),
            discovery: services
                .member("discovery")
                .and_then(|at| Service::read(&at)),
        }
    }
}

impl Service {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        at.members()?;
        Some(Self {
            kind: at.required_text("type", limits::NAME),
            enabled: at.flag("enabled", true),
            override_configuration: at.flag("overrideConfiguration", false),
            configuration: at.object("configuration"),
        })
    }
}
