//! Every place of a definition outside of policies that may hold expressions: they are compiled here, so that a
//! mistake is found where it is made.

use serde_json::Value;
use tidegate_expression::{CompileError, Condition, Template};
use tidegate_jolt::Transformation;
use tidegate_model::{
    Violation,
    api::{Api, Endpoint, EndpointGroup, EndpointHeader, HTTP_PROXY, Service},
};

pub(crate) fn check(api: &Api, violations: &mut Vec<Violation>) {
    let mut places = Places(violations);
    for (index, group) in api.endpoint_groups.iter().enumerate() {
        places.group(group, &format!("endpointGroups[{index}]"));
    }
    for (key, by_media_type) in &api.response_templates {
        for (media_type, template) in by_media_type {
            let path = format!("responseTemplates.{key}.{media_type}.body");
            places.template(template.body.as_deref().unwrap_or_default(), &path);
        }
    }
    for name in ["condition", "messageCondition"] {
        let source = api.analytics.logging.get(name).and_then(Value::as_str);
        let path = format!("analytics.logging.{name}");
        places.condition(source.unwrap_or_default(), &path);
    }
    let dynamic = api.services.dynamic_property.as_ref();
    if let Some(service) = dynamic.filter(|service| service.enabled) {
        places.dynamic_properties(service, "services.dynamicProperty");
    }
}

struct Places<'v>(&'v mut Vec<Violation>);

impl Places<'_> {
    /// Adds a violation that is not there yet: what endpoints inherit is checked with each of them.
    fn add(&mut self, violation: Violation) {
        if !self.0.contains(&violation) {
            self.0.push(violation);
        }
    }

    fn wrong(&mut self, path: &str, error: CompileError) {
        let found = format!("{} at position {}", error.found, error.position);
        self.add(Violation::new(path, found, error.expected));
    }

    fn template(&mut self, source: &str, path: &str) {
        if let Err(error) = Template::compile(source) {
            self.wrong(path, error);
        }
    }

    fn condition(&mut self, source: &str, path: &str) {
        if source.trim().is_empty() {
            return;
        }
        if let Err(error) = Condition::compile(source.trim()) {
            self.wrong(path, error);
        }
    }

    fn headers(&mut self, headers: &[EndpointHeader], path: &str) {
        for (index, header) in headers.iter().enumerate() {
            self.template(&header.value, &format!("{path}[{index}].value"));
        }
    }

    fn group(&mut self, group: &EndpointGroup, path: &str) {
        let check = group.services.health_check.as_ref();
        self.health_check(check, &format!("{path}.services.healthCheck"));
        for (index, endpoint) in group.endpoints.iter().enumerate() {
            let place = format!("{path}.endpoints[{index}]");
            if endpoint.kind == HTTP_PROXY {
                self.endpoint(group, endpoint, path, &place);
            }
            let own = endpoint.services.health_check.as_ref();
            let own = own.filter(|check| check.override_configuration);
            self.health_check(own, &format!("{place}.services.healthCheck"));
        }
    }

    /// What cannot be read was reported by the model.
    fn endpoint(&mut self, group: &EndpointGroup, endpoint: &Endpoint, group_at: &str, at: &str) {
        let Ok(configuration) = endpoint.http_configuration(group) else {
            return;
        };
        self.template(&configuration.target, &format!("{at}.configuration.target"));
        let shared = shared_place(endpoint, group_at, at);
        self.headers(&configuration.headers, &format!("{shared}.headers"));
    }

    fn health_check(&mut self, service: Option<&Service>, path: &str) {
        let Some(service) = service.filter(|service| service.enabled) else {
            return;
        };
        let Ok(check) = service.http_health_check() else {
            return;
        };
        self.template(&check.target, &format!("{path}.configuration.target"));
        let assertion = format!("{path}.configuration.assertion");
        self.condition(&check.assertion, &assertion);
        self.headers(&check.headers, &format!("{path}.configuration.headers"));
    }

    fn dynamic_properties(&mut self, service: &Service, path: &str) {
        let text = |name: &str| service.configuration.get(name).and_then(Value::as_str);
        let path = format!("{path}.configuration");
        for name in ["url", "body"] {
            self.template(text(name).unwrap_or_default(), &format!("{path}.{name}"));
        }
        let Some(transformation) = text("transformation").filter(|text| !text.trim().is_empty())
        else {
            return;
        };
        let place = format!("{path}.transformation");
        match serde_json::from_str(transformation) {
            Err(error) => {
                let found = format!("text that is no JSON ({error})");
                self.add(Violation::new(place, found, "a list of JOLT operations"));
            }
            Ok(specification) => {
                if let Err(error) = Transformation::compile(&specification) {
                    let place = format!("{place}{}", error.path);
                    self.add(Violation::new(place, error.found, error.expected));
                }
            }
        }
    }
}

/// The path of the shared configuration that applies to an endpoint.
pub(crate) fn shared_place(endpoint: &Endpoint, group_at: &str, at: &str) -> String {
    if endpoint.inherit_configuration {
        format!("{group_at}.sharedConfiguration")
    } else {
        format!("{at}.sharedConfigurationOverride")
    }
}
