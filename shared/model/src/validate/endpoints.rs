//! Endpoint groups and endpoints.

use std::collections::HashSet;

use super::messages::check_header;
use crate::{
    api::{
        Api, ApiKind, Endpoint, EndpointGroup, HTTP_PROXY, HttpProxy, ProxyKind, Service, TCP_PROXY,
    },
    read::{At, Findings},
    violation::Violation,
};

/// The schemes of an HTTP backend.
const SCHEMES: &[&str] = &["http", "https", "ws", "wss", "grpc", "grpcs"];

pub(super) fn check(root: &At<'_>, api: &Api, findings: &Findings) {
    if root.list("endpointGroups", usize::MAX).is_empty() {
        root.missing("endpointGroups", "at least one endpoint group");
    }
    if api.kind == ApiKind::Native
        && (api.endpoint_groups.len() > 1
            || api
                .endpoint_groups
                .iter()
                .any(|group| group.endpoints.len() > 1))
    {
        let found = format!("{} groups", api.endpoint_groups.len());
        findings.report_text(
            "endpointGroups",
            &found,
            "one group with one endpoint for a native API",
        );
    }
    let mut names = HashSet::new();
    for (index, group) in api.endpoint_groups.iter().enumerate() {
        let path = format!("endpointGroups[{index}]");
        check_name(&group.name, &path, &mut names, findings);
        check_group(group, &path, findings);
        for (i, endpoint) in group.endpoints.iter().enumerate() {
            let path = format!("{path}.endpoints[{i}]");
            check_name(&endpoint.name, &path, &mut names, findings);
            check_endpoint(group, endpoint, &path, findings);
        }
    }
}

/// Names address endpoints and groups alike (`group:/path`), so they share one name space and hold no colon.
fn check_name<'a>(name: &'a str, path: &str, names: &mut HashSet<&'a str>, findings: &Findings) {
    let path = format!("{path}.name");
    if name.contains(':') {
        findings.report_text(&path, name, "a name without ':'");
    }
    if !name.is_empty() && !names.insert(name) {
        let expected = "a name that no other endpoint or endpoint group of the API has";
        findings.report_text(&path, name, expected);
    }
}

fn check_group(group: &EndpointGroup, path: &str, findings: &Findings) {
    let discovery = group.discovery();
    if let Some(service) = discovery {
        check_discovery(group, service, path, findings);
    }
    if group.endpoints.is_empty() && discovery.is_none() {
        let expected = "at least one endpoint, or an enabled discovery service";
        findings.report_text(format!("{path}.endpoints"), "", expected);
    }
    let health_check = group.services.health_check.as_ref();
    if let Some(check) = health_check.filter(|check| check.enabled) {
        check_health_check(check, &format!("{path}.services.healthCheck"), findings);
    }
}

/// Discovered endpoints have the group's shared configuration, so that it must be whole.
fn check_discovery(group: &EndpointGroup, service: &Service, path: &str, findings: &Findings) {
    let place = format!("{path}.services.discovery");
    for violation in service.discovery().err().into_iter().flatten() {
        findings.add(violation.under(&place));
    }
    if group.kind != HTTP_PROXY {
        let expected = "false: only http-proxy endpoints can be discovered";
        findings.report_text(format!("{place}.enabled"), "true", expected);
        return;
    }
    let shared = group.discovered_http_configuration();
    for violation in shared.err().into_iter().flatten() {
        findings.add_once(violation.under(path));
    }
}

fn check_health_check(service: &Service, path: &str, findings: &Findings) {
    for violation in service.http_health_check().err().into_iter().flatten() {
        findings.add(violation.under(path));
    }
}

fn check_endpoint(group: &EndpointGroup, endpoint: &Endpoint, path: &str, findings: &Findings) {
    if endpoint.kind != group.kind && !endpoint.kind.is_empty() {
        let expected = format!("{:?}, the type of the group", group.kind);
        findings.report_text(format!("{path}.type"), &endpoint.kind, expected);
    }
    let own_check = endpoint.services.health_check.as_ref();
    let is_inherited =
        own_check.is_some_and(|check| check.enabled && !check.override_configuration);
    if is_inherited && group.services.health_check.is_none() {
        let path = format!("{path}.services.healthCheck.overrideConfiguration");
        findings.report_text(
            path,
            "false",
            "true, since the group has no health check to inherit",
        );
    }
    if let Some(check) = own_check.filter(|check| check.enabled && check.override_configuration) {
        check_health_check(check, &format!("{path}.services.healthCheck"), findings);
    }
    match endpoint.kind.as_str() {
        HTTP_PROXY => check_http(group, endpoint, path, findings),
        TCP_PROXY => check_tcp(group, endpoint, path, findings),
        _ => {}
    }
}

fn check_tcp(group: &EndpointGroup, endpoint: &Endpoint, path: &str, findings: &Findings) {
    match endpoint.tcp_configuration(group) {
        Ok(configuration) => {
            let kind = match configuration.proxy {
                HttpProxy::Server { kind, .. } => Some(kind),
                HttpProxy::Direct | HttpProxy::System => None,
            };
            if kind == Some(ProxyKind::Http) {
                let place = shared_place(endpoint, path);
                findings.report_text(format!("{place}.proxy.type"), "HTTP", "SOCKS4 or SOCKS5");
            }
        }
        Err(violations) => add_endpoint_violations(violations, path, findings),
    }
}

/// Shared parts are told once, with the place in their group.
fn add_endpoint_violations(violations: Vec<Violation>, path: &str, findings: &Findings) {
    for violation in violations {
        let is_shared = violation.path.starts_with("sharedConfiguration.");
        let violation = violation.under(if is_shared { group_of(path) } else { path });
        findings.add_once(violation);
    }
}

fn check_http(group: &EndpointGroup, endpoint: &Endpoint, path: &str, findings: &Findings) {
    match endpoint.http_configuration(group) {
        Ok(configuration) => {
            if let Err(expected) = check_target(&configuration.target) {
                let path = format!("{path}.configuration.target");
                findings.report_text(path, &configuration.target, expected);
            }
            let place = shared_place(endpoint, path);
            for (index, header) in configuration.headers.iter().enumerate() {
                let found = Findings::default();
                let place = format!("{place}.headers[{index}]");
                check_header(&header.name, &header.value, &place, &found);
                for violation in found.finish(()).err().into_iter().flatten() {
                    findings.add_once(violation);
                }
            }
        }
        Err(violations) => add_endpoint_violations(violations, path, findings),
    }
}

/// The path of the group of an endpoint. What is inherited sits there, and is wrong once, not once per endpoint.
fn group_of(path: &str) -> &str {
    path.rsplit_once(".endpoints")
        .map_or(path, |(group, _)| group)
}

/// The path of the shared configuration that applies to an endpoint.
fn shared_place(endpoint: &Endpoint, path: &str) -> String {
    if endpoint.inherit_configuration {
        format!("{}.sharedConfiguration", group_of(path))
    } else {
        format!("{path}.sharedConfigurationOverride")
    }
}

/// A URL with a known scheme and a host; parts in `{…}` or `[[…]]` are expressions and may stand for anything.
fn check_target(target: &str) -> Result<(), String> {
    let expected = || {
        format!(
            "a URL that begins with one of {} followed by ://",
            SCHEMES.join(", ")
        )
    };
    let has_expression = target.contains('{') || target.contains("[[");
    if target.is_empty() || (has_expression && !target.contains("://")) {
        return Ok(());
    }
    if !has_expression && target.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("a URL without blanks".to_owned());
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        return Err(expected());
    };
    if !SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        && !scheme.contains('{')
    {
        return Err(expected());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if has_expression && authority.contains(['{', '[']) {
        return Ok(());
    }
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() {
        return Err("a URL with a host".to_owned());
    }
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("a port from 1 to 65535".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_target;

    #[test]
    fn targets_are_urls_with_known_schemes_or_expressions() {
        let good = [
            "http://host",
            "HTTPS://h:8443/base?x=1",
            "grpc://h:1",
            "ws://[::1]:80/",
            "{#properties['u']}",
            "http://{#properties['h']}:80/x",
            "https://user:pw@host/",
            "http://localhost:8080/team",
        ];
        for target in good {
            assert_eq!(check_target(target), Ok(()), "{target}");
        }
        for target in [
            "host",
            "ftp://h",
            "http://",
            "http://h:0",
            "http://h:99999",
            "http://a b",
        ] {
            assert!(check_target(target).is_err(), "{target}");
        }
    }
}
