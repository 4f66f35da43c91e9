//! From the definition's endpoint groups to callable endpoints.

use std::{io, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use tidegate_expression::{Scope, Template};
use tidegate_keystore::StoreError;
use tidegate_model::{
    Violation,
    api::{
        Endpoint, EndpointGroup, HttpEndpointConfiguration, HttpProxy, HttpVersion, LoadBalancer,
        ProxyKind, Service,
    },
};

use super::{CompiledEndpoint, CompiledGroup, Endpoints, Named, Tier, tls::tls_options};
use crate::{
    balance::{Algorithm, Balancer},
    compile::NodeFacts,
    forward::TargetPath,
    health::{CheckedHealth, HealthCheck},
    upstream::{
        Http2Options, ProxyOptions, ProxyProtocol, ProxyUser, TargetError, TargetOptions,
        UpstreamTarget, UpstreamVersion,
    },
};

/// The one connector of HTTP proxy APIs.
const HTTP_PROXY: &str = "http-proxy";

/// An endpoint that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration does not fit the connector.
    #[error("{0}")]
    Invalid(Violation),
    /// The target cannot be used.
    #[error("unusable target")]
    Target {
        /// Place in the definition.
        path: String,
        /// What is wrong.
        #[source]
        source: TargetError,
    },
    /// A store of certificates or keys cannot be used.
    #[error("unusable store: {source}")]
    Store {
        /// Place in the definition.
        path: String,
        /// What is wrong.
        #[source]
        source: StoreError,
    },
    /// A file the configuration names cannot be read on this edge.
    #[error("cannot read {file}")]
    File {
        /// Place in the definition.
        path: String,
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BuildError {
    /// Place in the definition.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            BuildError::Invalid(violation) => &violation.path,
            BuildError::Target { path, .. }
            | BuildError::Store { path, .. }
            | BuildError::File { path, .. } => path,
        }
    }
}

/// Builds all groups. Endpoints of other tenants are left out.
///
/// `scope` answers the expressions of targets and headers, which are evaluated here and never again;
/// `seed` makes random cycles differ between edges.
///
/// # Errors
/// The first endpoint that cannot be built.
pub fn build(
    groups: &[EndpointGroup],
    node: &NodeFacts,
    scope: &dyn Scope,
    seed: u64,
) -> Result<Endpoints, BuildError> {
    let mut endpoints = Endpoints::default();
    let mut compiled = Vec::with_capacity(groups.len());
    for (group_index, group) in groups.iter().enumerate() {
        endpoints
            .names
            .insert(group.name.as_str().into(), Named::Group(group_index));
        let discovery = group.services.discovery.as_ref();
        if discovery.is_some_and(|service| service.enabled) {
            let path = format!("endpointGroups[{group_index}].services.discovery.enabled");
            let expected = "false: this edge does not discover endpoints";
            return Err(invalid(path, "true", expected));
        }
        let (mut primaries, mut secondaries) = (Vec::new(), Vec::new());
        for (index, endpoint) in group.endpoints.iter().enumerate() {
            if !serves_tenant(endpoint, node.tenant.as_deref()) {
                continue;
            }
            let path = format!("endpointGroups[{group_index}].endpoints[{index}]");
            let built = Arc::new(build_endpoint(group, endpoint, &path, node, scope)?);
            let list = if endpoint.secondary {
                &mut secondaries
            } else {
                &mut primaries
            };
            list.push((Arc::clone(&built), endpoint.weight, endpoint.name.as_str()));
        }
        compiled.push(build_group(group, &primaries, &secondaries, seed));
        for (endpoint, _, name) in primaries.into_iter().chain(secondaries) {
            endpoints
                .names
                .insert(name.into(), Named::Endpoint(endpoint));
        }
    }
    endpoints.groups = compiled.into();
    Ok(endpoints)
}

fn serves_tenant(endpoint: &Endpoint, tenant: Option<&str>) -> bool {
    endpoint.tenants.is_empty()
        || tenant.is_none_or(|tenant| endpoint.tenants.iter().any(|known| known == tenant))
}

type Member<'a> = (Arc<CompiledEndpoint>, u32, &'a str);

fn build_group(
    group: &EndpointGroup,
    primaries: &[Member<'_>],
    secondaries: &[Member<'_>],
    seed: u64,
) -> CompiledGroup {
    let algorithm = match group.load_balancer {
        LoadBalancer::RoundRobin => Algorithm::RoundRobin,
        LoadBalancer::Random => Algorithm::Random,
        LoadBalancer::WeightedRoundRobin => Algorithm::WeightedRoundRobin,
        LoadBalancer::WeightedRandom => Algorithm::WeightedRandom,
    };
    let balancer = |members: &[Member<'_>]| {
        let weights: Vec<u32> = members.iter().map(|(_, weight, _)| *weight).collect();
        Balancer::new(algorithm, &weights, seed)
    };
    let list = |members: &[Member<'_>]| {
        members
            .iter()
            .map(|(endpoint, _, _)| Arc::clone(endpoint))
            .collect()
    };
    let tier = |members: &[Member<'_>]| Tier {
        endpoints: list(members),
        balancer: balancer(members),
    };
    CompiledGroup {
        name: group.name.as_str().into(),
        primaries: tier(primaries),
        secondaries: tier(secondaries),
    }
}

fn build_endpoint(
    group: &EndpointGroup,
    endpoint: &Endpoint,
    path: &str,
    node: &NodeFacts,
    scope: &dyn Scope,
) -> Result<CompiledEndpoint, BuildError> {
    if endpoint.kind != HTTP_PROXY {
        return Err(invalid(
            format!("{path}.type"),
            &endpoint.kind,
            "http-proxy",
        ));
    }
    let configuration = endpoint.http_configuration(group).map_err(|violations| {
        let first = violations.into_iter().next();
        first.map_or_else(
            || invalid(path.to_owned(), "", "a configuration"),
            |violation| BuildError::Invalid(violation.under(path)),
        )
    })?;
    let place = format!("{path}.configuration.target");
    let url = deploy_text(&configuration.target, &place, scope)?;
    let uri: Uri = url
        .parse()
        .map_err(|_invalid| invalid(place.clone(), &url, "an absolute URL"))?;
    let mut target = target_options(&configuration, &uri, path)?;
    target.proxy = proxy_options(&configuration.proxy, node, path)?;
    let target = UpstreamTarget::intern(target).map_err(|source| BuildError::Target {
        path: place,
        source,
    })?;
    let mut headers = Vec::with_capacity(configuration.headers.len());
    for (index, header) in configuration.headers.iter().enumerate() {
        let place = format!("{path}.headers[{index}]");
        let name: HeaderName = header
            .name
            .parse()
            .map_err(|_invalid| invalid(place.clone(), &header.name, "a header name"))?;
        let value = deploy_text(&header.value, &place, scope)?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_invalid| invalid(place, "(not shown)", "a header value"))?;
        headers.push((name, value));
    }
    let base = TargetPath::new(uri.path(), uri.query());
    let health = health_check(group, endpoint)
        .map(|service| {
            let place = format!("{path}.services.healthCheck");
            HealthCheck::compile(service, &target, &base, &headers, &place, scope)
        })
        .transpose()?;
    Ok(CompiledEndpoint {
        name: endpoint.name.as_str().into(),
        target,
        path: base,
        headers: headers.into(),
        health: health.map(|check| Arc::new(CheckedHealth::new(check))),
        passes_accept_encoding: configuration.http.propagate_client_accept_encoding,
    })
}

/// The health check that applies to an endpoint: its own if it has one that overrides, else the group's.
/// Secondaries have no check of their own.
fn health_check<'a>(group: &'a EndpointGroup, endpoint: &'a Endpoint) -> Option<&'a Service> {
    let shared = group.services.health_check.as_ref();
    let applying = match &endpoint.services.health_check {
        Some(own) if !own.enabled => None,
        Some(own) if own.override_configuration && !endpoint.secondary => Some(own),
        Some(_) | None => shared,
    };
    applying.filter(|service| service.enabled)
}

fn target_options(
    configuration: &HttpEndpointConfiguration,
    uri: &Uri,
    path: &str,
) -> Result<TargetOptions, BuildError> {
    let place = || format!("{path}.configuration.target");
    let scheme = uri.scheme_str().unwrap_or("");
    let (is_tls, is_grpc) = match scheme {
        "http" | "ws" => (false, false),
        "https" | "wss" => (true, false),
        "grpc" => (false, true),
        "grpcs" => (true, true),
        other => {
            return Err(invalid(
                place(),
                other,
                "http, https, ws, wss, grpc or grpcs",
            ));
        }
    };
    let Some(host) = uri.host() else {
        return Err(invalid(place(), &uri.to_string(), "a URL with a host"));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let http = &configuration.http;
    let mut options = TargetOptions::new(
        host,
        uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
    );
    if is_tls {
        options.tls = Some(tls_options(&configuration.ssl, path)?);
    }
    options.version = match http.version {
        _ if is_grpc => UpstreamVersion::Http2,
        HttpVersion::Http1 => UpstreamVersion::Http1,
        HttpVersion::Http2 => UpstreamVersion::Http2,
    };
    options.connect_timeout = millis(http.connect_timeout_ms);
    options.read_timeout = millis(http.read_timeout_ms);
    options.idle_timeout = millis(http.idle_timeout_ms);
    options.keep_alive = http.keep_alive;
    options.keep_alive_timeout = millis(http.keep_alive_timeout_ms);
    options.connections_max = usize::try_from(http.max_concurrent_connections)
        .unwrap_or(1)
        .max(1);
    options.http2 = Http2Options {
        streams_max: http
            .http2
            .multiplexing_limit
            .and_then(|limit| usize::try_from(limit).ok()),
        connection_window_bytes: http.http2.connection_window_bytes,
        stream_window_bytes: http.http2.stream_window_bytes,
        frame_bytes_max: Some(http.http2.max_frame_bytes),
    };
    Ok(options)
}

fn proxy_options(
    proxy: &HttpProxy,
    node: &NodeFacts,
    path: &str,
) -> Result<Option<ProxyOptions>, BuildError> {
    match proxy {
        HttpProxy::Direct => Ok(None),
        HttpProxy::System => match &node.system_proxy {
            Some(proxy) => Ok(Some(proxy.clone())),
            None => Err(invalid(
                format!("{path}.sharedConfiguration.proxy.useSystemProxy"),
                "true",
                "false, or an edge with a system proxy in its settings",
            )),
        },
        HttpProxy::Server {
            kind,
            host,
            port,
            username,
            password,
        } => {
            let password = password.as_ref().map(|password| password.expose().clone());
            let name = username.clone().filter(|name| !name.is_empty());
            Ok(Some(ProxyOptions {
                protocol: match kind {
                    ProxyKind::Http => ProxyProtocol::Http,
                    ProxyKind::Socks4 => ProxyProtocol::Socks4,
                    ProxyKind::Socks5 => ProxyProtocol::Socks5,
                },
                host: host.clone(),
                port: *port,
                user: name.map(|name| ProxyUser {
                    name,
                    password: password.unwrap_or_default(),
                }),
            }))
        }
    }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}

/// Evaluates text that may hold expressions, once, with what is known at deployment.
pub(crate) fn deploy_text(
    source: &str,
    path: &str,
    scope: &dyn Scope,
) -> Result<String, BuildError> {
    let template = Template::compile(source)
        .map_err(|error| invalid(path.to_owned(), &error.to_string(), "text or expressions"))?;
    let text = template.evaluate_text(scope).map_err(|error| {
        invalid(
            path.to_owned(),
            &error.to_string(),
            "an evaluable expression",
        )
    })?;
    Ok(text.map(|text| text.trim().to_owned()).unwrap_or_default())
}

pub(crate) fn invalid(path: String, value: &str, expected: &str) -> BuildError {
    BuildError::Invalid(Violation::new(path, value, expected))
}
