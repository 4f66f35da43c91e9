//! Services that run by a schedule: health checks and dynamic properties.

use crate::{
    api::{Api, Service},
    read::Findings,
    schedule::Schedule,
};

pub(super) fn check(api: &Api, findings: &Findings) {
    let dynamic = api.services.dynamic_property.as_ref();
    check_schedule(dynamic, "services.dynamicProperty", findings);
    for (index, group) in api.endpoint_groups.iter().enumerate() {
        let path = format!("endpointGroups[{index}]");
        let check = group.services.health_check.as_ref();
        check_schedule(check, &format!("{path}.services.healthCheck"), findings);
        for (index, endpoint) in group.endpoints.iter().enumerate() {
            let path = format!("{path}.endpoints[{index}].services.healthCheck");
            // What does not override is the group's, and is checked there.
            let own = endpoint.services.health_check.as_ref();
            let own = own.filter(|service| service.override_configuration);
            check_schedule(own, &path, findings);
        }
    }
}

/// A schedule that is a text must be one; expressions are known only later.
fn check_schedule(service: Option<&Service>, path: &str, findings: &Findings) {
    let Some(service) = service.filter(|service| service.enabled) else {
        return;
    };
    let Some(text) = service
        .configuration
        .get("schedule")
        .and_then(|at| at.as_str())
    else {
        return;
    };
    if text.contains(['{', '[']) {
        return;
    }
    if let Err(error) = Schedule::parse(text) {
        let path = format!("{path}.configuration.schedule");
        findings.report_text(
            path,
            text,
            format!("six fields such as \"*/30 * * * * *\" ({error})"),
        );
    }
}
