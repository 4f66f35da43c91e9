//! The configuration of `http-health-check` services.

use super::{endpoint::Service, http_configuration::EndpointHeader};
use crate::{
    limits,
    read::{At, Findings},
    schedule::Schedule,
    violation::Violation,
};

/// The health check that asks endpoints over HTTP.
pub const HTTP_HEALTH_CHECK: &str = "http-health-check";

/// Most results in a row that a change of state may ask for.
const THRESHOLD_MAX: u32 = 1_000;

/// How an endpoint is asked whether it is alive.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheckConfiguration {
    /// When it is asked.
    pub schedule: Schedule,
    /// The method of the request.
    pub method: String,
    /// A path on the endpoint, or an absolute URL; may hold expressions, which are evaluated once at activation.
    pub target: String,
    /// Whether the target replaces the endpoint's path instead of following it.
    pub override_endpoint_path: bool,
    /// Headers of the request.
    pub headers: Vec<EndpointHeader>,
    /// The condition on `#response` that an endpoint that is alive fulfils.
    pub assertion: String,
    /// Successes in a row that bring an endpoint back.
    pub success_threshold: u32,
    /// Failures in a row that take an endpoint away.
    pub failure_threshold: u32,
}

impl Service {
    /// The typed configuration of an `http-health-check`.
    ///
    /// # Errors
    /// Lists everything that is wrong; paths are relative to the service.
    pub fn http_health_check(&self) -> Result<HealthCheckConfiguration, Vec<Violation>> {
        let findings = Findings::default();
        let at = At::new(&self.configuration, "configuration", &findings);
        if self.kind != HTTP_HEALTH_CHECK {
            findings.report_text("type", &self.kind, HTTP_HEALTH_CHECK);
        }
        let configuration = HealthCheckConfiguration::read(&at, &findings);
        match (configuration, findings.finish(())) {
            (Some(configuration), Ok(())) => Ok(configuration),
            (_, Err(violations)) => Err(violations),
            (None, Ok(())) => Err(vec![Violation::new("configuration", "", "a configuration")]),
        }
    }
}

impl HealthCheckConfiguration {
    fn read(at: &At<'_>, findings: &Findings) -> Option<Self> {
        let schedule = at.required_text("schedule", limits::SHORT_TEXT);
        let schedule = match Schedule::parse(&schedule) {
            Ok(schedule) => Some(schedule),
            Err(error) => {
                if !schedule.is_empty() {
                    findings.report_text(at.path_of("schedule"), &schedule, error.to_string());
                }
                None
            }
        };
        let method = at.text("method", limits::NAME);
        let method = method.unwrap_or_else(|| "GET".to_owned());
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            findings.report_text(at.path_of("method"), &method, "an HTTP method");
        }
        let header = |at: &At<'_>| {
            at.members()?;
            Some(EndpointHeader {
                name: at.required_text("name", limits::SHORT_TEXT),
                value: at.text("value", limits::LONG_TEXT).unwrap_or_default(),
            })
        };
        let assertion = at.text("assertion", limits::LONG_TEXT);
        Some(Self {
            method,
            target: at.required_text("target", limits::URL),
            override_endpoint_path: at.flag("overrideEndpointPath", true),
            headers: at
                .list("headers", limits::ENDPOINT_HEADERS)
                .iter()
                .filter_map(header)
                .collect(),
            assertion: assertion
                .filter(|assertion| !assertion.trim().is_empty())
                .unwrap_or_else(|| "{#response.status == 200}".to_owned()),
            success_threshold: at.natural("successThreshold", (1, THRESHOLD_MAX), 2),
            failure_threshold: at.natural("failureThreshold", (1, THRESHOLD_MAX), 2),
            schedule: schedule?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(configuration: Value) -> Result<HealthCheckConfiguration, Vec<Violation>> {
        let service = Service {
            kind: HTTP_HEALTH_CHECK.to_owned(),
            enabled: true,
            override_configuration: false,
            configuration,
        };
        service.http_health_check()
    }

    #[test]
    fn what_is_absent_has_the_defaults_of_the_reference() {
        let check = read(json!({"schedule": "*/10 * * * * *", "target": "/health"})).unwrap();
        assert_eq!(check.method, "GET");
        assert_eq!(check.assertion, "{#response.status == 200}");
        assert!(check.override_endpoint_path);
        assert_eq!((check.success_threshold, check.failure_threshold), (2, 2));
    }

    #[test]
    fn every_wrong_member_is_reported() {
        let violations = read(json!({"schedule": "often", "method": "G T",
                                     "successThreshold": 0, "headers": [{}]}))
        .unwrap_err();
        let paths: Vec<&str> = violations.iter().map(|found| found.path.as_str()).collect();
        for path in [
            "schedule",
            "method",
            "target",
            "successThreshold",
            "headers[0].name",
        ] {
            let path = format!("configuration.{path}");
            assert!(paths.contains(&path.as_str()), "{path} in {paths:?}");
        }
    }
}
