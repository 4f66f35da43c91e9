//! Backends and how load spreads over them.

use serde_json::Value;

use super::service::{self, EndpointServices};
use crate::read::{Fields, Report};

/// Endpoints of one type that share load and configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointGroup {
    /// Unique among groups and endpoints of the API.
    pub name: String,
    /// Connector id, such as `http-proxy`.
    pub kind: String,
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// Configuration that endpoints may inherit.
    pub shared_configuration: Value,
    /// At least one unless discovered.
    pub endpoints: Vec<Endpoint>,
    /// Health check and discovery.
    pub services: EndpointServices,
}

/// One configured backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Unique among groups and endpoints of the API.
    pub name: String,
    /// Connector id; that of its group.
    pub kind: String,
    /// Share of the load, at least 1.
    pub weight: u32,
    /// Used only when no primary endpoint is left.
    pub secondary: bool,
    /// Gateways of these tenants only; empty for all.
    pub tenants: Vec<String>,
    /// True to use the configuration of the group.
    pub inherit_configuration: bool,
    /// Configuration of the connector, such as its target.
    pub configuration: Value,
    /// Used whole instead of the group's when it does not inherit.
    pub shared_configuration_override: Value,
    /// Health check of its own.
    pub services: EndpointServices,
}

impl Endpoint {
    /// The shared configuration that holds for this endpoint: the group's or its own, never a mix.
    #[must_use]
    pub fn effective_shared_configuration<'a>(&'a self, group: &'a EndpointGroup) -> &'a Value {
        if self.inherit_configuration {
            &group.shared_configuration
        } else {
            &self.shared_configuration_override
        }
    }
}

/// How an endpoint of a group is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LoadBalancer {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// One after the other, as often as its weight says.
    WeightedRoundRobin,
    /// Any, as often as its weight says.
    WeightedRandom,
}

impl LoadBalancer {
    /// All labels, as documents spell them.
    pub const LABELS: &'static [(&'static str, Self)] = &[
        ("round-robin", Self::RoundRobin),
        ("random", Self::Random),
        ("weighted-round-robin", Self::WeightedRoundRobin),
        ("weighted-random", Self::WeightedRandom),
    ];
}

pub(super) fn read_group(value: &Value, path: &str, report: &Report) -> Option<EndpointGroup> {
    let mut fields = Fields::of(value, path, report)?;
    let group = EndpointGroup {
        name: fields.required_text("name"),
        kind: fields.required_text("type"),
        load_balancer: read_load_balancer(&mut fields),
        shared_configuration: fields.configuration("sharedConfiguration"),
        endpoints: fields.each("endpoints", read),
        services: service::read_endpoint_services(&mut fields),
    };
    fields.finish();
    Some(group)
}

fn read_load_balancer(fields: &mut Fields<'_, '_>) -> LoadBalancer {
    let Some(value) = fields.value("loadBalancer") else {
        return LoadBalancer::default();
    };
    let path = fields.path_of("loadBalancer");
    let Some(mut fields) = Fields::of(value, path, fields.report()) else {
        return LoadBalancer::default();
    };
    let kind = fields
        .label("type", LoadBalancer::LABELS)
        .unwrap_or_default();
    fields.finish();
    kind
}

fn read(value: &Value, path: &str, report: &Report) -> Option<Endpoint> {
    let mut fields = Fields::of(value, path, report)?;
    let weight = fields.number("weight").unwrap_or(1);
    let endpoint = Endpoint {
        name: fields.required_text("name"),
        kind: fields.required_text("type"),
        // Zero and negative weights count as one, upstream and here.
        weight: u32::try_from(weight.max(1)).unwrap_or(u32::MAX),
        secondary: fields.flag("secondary", false),
        tenants: fields.texts("tenants"),
        inherit_configuration: fields.flag("inheritConfiguration", false),
        configuration: fields.configuration("configuration"),
        shared_configuration_override: fields.configuration("sharedConfigurationOverride"),
        services: service::read_endpoint_services(&mut fields),
    };
    fields.finish();
    Some(endpoint)
}
