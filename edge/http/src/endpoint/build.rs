//! From the definition's endpoint groups to callable endpoints.

use std::{io, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use tidegate_expression::{Scope, Template};
use tidegate_keystore::StoreError;
use tidegate_model::{
    Violation,
    api::{
        DiscoveryConfiguration, Endpoint, EndpointGroup, HTTP_PROXY, HttpEndpointConfiguration,
        HttpProxy, HttpVersion, LoadBalancer, ProxyKind, Service,
    },
};

use super::{
    CompiledEndpoint, CompiledGroup, Endpoints, Membership, Named, Tiers, tls::tls_options,
};
use crate::{
    balance::Algorithm,
    compile::NodeFacts,
    discovery::{Blueprint, Discovery, GroupPlan},
    forward::TargetPath,
    health::{CheckTemplate, CheckedHealth},
    traffic::Traffic,
    upstream::{
        Http2Options, ProxyOptions, ProxyProtocol, ProxyUser, TargetError, TargetOptions,
        UpstreamTarget, UpstreamVersion,
    },
};

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
/// `seed` makes random cycles differ between edges; `previous` are the endpoints of the API before, whose
/// discovered ones are used from the start.
///
/// # Errors
/// The first endpoint that cannot be built.
pub fn build(
    groups: &[EndpointGroup],
    node: &NodeFacts,
    scope: &dyn Scope,
    seed: u64,
    previous: Option<&Endpoints>,
) -> Result<Endpoints, BuildError> {
    let mut endpoints = Endpoints::default();
    let mut compiled = Vec::with_capacity(groups.len());
    for (group_index, group) in groups.iter().enumerate() {
        endpoints
            .names
            .insert(group.name.as_str().into(), Named::Group(group_index));
        let path = format!("endpointGroups[{group_index}]");
        let (mut primaries, mut secondaries) = (Vec::new(), Vec::new());
        for (index, endpoint) in group.endpoints.iter().enumerate() {
            if !serves_tenant(endpoint, node.tenant.as_deref()) {
                continue;
            }
            let path = format!("{path}.endpoints[{index}]");
            let built = Arc::new(build_endpoint(group, endpoint, &path, node, scope)?);
            let name = endpoint.name.as_str().into();
            endpoints
                .names
                .insert(name, Named::Endpoint(Arc::clone(&built)));
            let list = if endpoint.secondary {
                &mut secondaries
            } else {
                &mut primaries
            };
            list.push((built, endpoint.weight));
        }
        let algorithm = algorithm(group.load_balancer);
        let members = match group.discovery() {
            None => Membership::Fixed(Tiers::new(algorithm, &primaries, &secondaries, seed)),
            Some(service) => {
                let plan = GroupPlan {
                    algorithm,
                    seed,
                    tenant: node.tenant.clone(),
                    primaries,
                    secondaries,
                };
                let known = previous.and_then(|previous| previous.group(&group.name));
                let known = known.and_then(CompiledGroup::discovery);
                let of = Discovered {
                    group,
                    service,
                    path: &path,
                };
                let built = discovery(&of, node, scope, plan, known);
                Membership::Discovered(Arc::new(built?))
            }
        };
        compiled.push(CompiledGroup {
            name: group.name.as_str().into(),
            members,
        });
    }
    endpoints.groups = compiled.into();
    Ok(endpoints)
}

fn serves_tenant(endpoint: &Endpoint, tenant: Option<&str>) -> bool {
    endpoint.tenants.is_empty()
        || tenant.is_none_or(|tenant| endpoint.tenants.iter().any(|known| known == tenant))
}

fn algorithm(load_balancer: LoadBalancer) -> Algorithm {
    match load_balancer {
        LoadBalancer::RoundRobin => Algorithm::RoundRobin,
        LoadBalancer::Random => Algorithm::Random,
        LoadBalancer::WeightedRoundRobin => Algorithm::WeightedRoundRobin,
        LoadBalancer::WeightedRandom => Algorithm::WeightedRandom,
    }
}

/// A group with its discovery and its place in the definition.
#[derive(Clone, Copy)]
struct Discovered<'d> {
    group: &'d EndpointGroup,
    service: &'d Service,
    path: &'d str,
}

/// The discovery of a group: its endpoints have the group's shared configuration and health check.
fn discovery(
    of: &Discovered<'_>,
    node: &NodeFacts,
    scope: &dyn Scope,
    plan: GroupPlan,
    previous: Option<&Arc<Discovery>>,
) -> Result<Discovery, BuildError> {
    let Discovered {
        group,
        service,
        path,
    } = *of;
    let place = format!("{path}.services.discovery");
    if group.kind != HTTP_PROXY {
        return Err(invalid(format!("{path}.type"), &group.kind, HTTP_PROXY));
    }
    let configuration = first_violation(group.discovered_http_configuration(), path)?;
    let blueprint = |discovery: &DiscoveryConfiguration| {
        let any = Uri::from_static("http://discovered");
        let mut options = target_options(&configuration, &any, path)?;
        options.proxy = proxy_options(&configuration.proxy, node, path)?;
        let headers = headers(&configuration, path, scope)?;
        let check = group.services.health_check.as_ref();
        let check = check.filter(|check| check.enabled).map(|check| {
            let place = format!("{path}.services.healthCheck");
            CheckTemplate::compile(check, &headers, &place, scope)
        });
        Ok(Blueprint {
            place: place.clone(),
            options,
            tls: tls_options(&configuration.ssl, &format!("{path}.sharedConfiguration"))?,
            secured: discovery.secured,
            path: discovery.path.as_str().into(),
            host: discovery.host.as_deref().map(Into::into),
            check: check.transpose()?,
            passes_accept_encoding: configuration.http.propagate_client_accept_encoding,
            headers,
        })
    };
    let previous = previous.map(AsRef::as_ref);
    Discovery::compile(service, &place, scope, blueprint, plan, previous)
}

/// The value, or the first thing that is wrong, below `path`.
fn first_violation<T>(read: Result<T, Vec<Violation>>, path: &str) -> Result<T, BuildError> {
    read.map_err(|violations| {
        let first = violations.into_iter().next();
        first.map_or_else(
            || invalid(path.to_owned(), "", "a configuration"),
            |violation| BuildError::Invalid(violation.under(path)),
        )
    })
}

/// The fields that are set on every request to an endpoint.
fn headers(
    configuration: &HttpEndpointConfiguration,
    path: &str,
    scope: &dyn Scope,
) -> Result<Box<[(HeaderName, HeaderValue)]>, BuildError> {
    let headers = configuration.headers.iter().enumerate();
    let headers = headers.map(|(index, header)| {
        let place = format!("{path}.headers[{index}]");
        let name: HeaderName = header
            .name
            .parse()
            .map_err(|_invalid| invalid(place.clone(), &header.name, "a header name"))?;
        let value = deploy_text(&header.value, &place, scope)?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_invalid| invalid(place, "(not shown)", "a header value"))?;
        Ok((name, value))
    });
    headers.collect()
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
    let configuration = first_violation(endpoint.http_configuration(group), path)?;
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
    let headers = headers(&configuration, path, scope)?;
    let base = TargetPath::new(uri.path(), uri.query());
    let health = health_check(group, endpoint)
        .map(|service| {
            let place = format!("{path}.services.healthCheck");
            CheckTemplate::compile(service, &headers, &place, scope)?.for_endpoint(&target, &base)
        })
        .transpose()?;
    Ok(CompiledEndpoint {
        name: endpoint.name.as_str().into(),
        target,
        path: base,
        headers,
        health: health.map(|check| Arc::new(CheckedHealth::new(check))),
        passes_accept_encoding: configuration.http.propagate_client_accept_encoding,
        traffic: Traffic::default(),
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

/// The proxy in front of an endpoint whose definition is at `path`.
///
/// # Errors
/// The definition asks for the system's proxy and this edge has none.
pub fn proxy_options(
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
