//! Background services of an API, a group or an endpoint.

use serde_json::Value;

use crate::read::{Fields, Report};

/// One background service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Plugin id, such as `http-health-check`.
    pub kind: String,
    /// False to leave it out.
    pub enabled: bool,
    /// True if an endpoint replaces the group's configuration.
    pub override_configuration: bool,
    /// Configuration of the plugin.
    pub configuration: Value,
}

/// Services of a whole API.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiServices {
    /// Keeps properties up to date.
    pub dynamic_property: Option<Service>,
}

/// Services of a group or an endpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointServices {
    /// Takes dead endpoints out of the load balancer.
    pub health_check: Option<Service>,
    /// Finds endpoints.
    pub discovery: Option<Service>,
}

pub(super) fn read_api_services(fields: &mut Fields<'_, '_>) -> ApiServices {
    let Some(mut services) = open(fields) else {
        return ApiServices::default();
    };
    let read = ApiServices {
        dynamic_property: read_one(&mut services, "dynamicProperty"),
    };
    services.finish();
    read
}

pub(super) fn read_endpoint_services(fields: &mut Fields<'_, '_>) -> EndpointServices {
    let Some(mut services) = open(fields) else {
        return EndpointServices::default();
    };
    let read = EndpointServices {
        health_check: read_one(&mut services, "healthCheck"),
        discovery: read_one(&mut services, "discovery"),
    };
    services.finish();
    read
}

fn open<'v, 'r>(fields: &mut Fields<'v, 'r>) -> Option<Fields<'v, 'r>> {
    let value = fields.value("services")?;
    let report: &'r Report = fields.report();
    Fields::of(value, fields.path_of("services"), report)
}

fn read_one(services: &mut Fields<'_, '_>, name: &'static str) -> Option<Service> {
    let value = services.value(name)?;
    let mut fields = Fields::of(value, services.path_of(name), services.report())?;
    let service = Service {
        kind: fields.required_text("type"),
        enabled: fields.flag("enabled", true),
        override_configuration: fields.flag("overrideConfiguration", false),
        configuration: fields.configuration("configuration"),
    };
    fields.finish();
    Some(service)
}
