//! From the definition's endpoint groups to callable endpoints.

use std::{
    fs,
    io::{self, Read as _},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue, Uri};
use tidegate_expression::{Scope, Template};
use tidegate_model::{
    Violation,
    api::{
        Endpoint, EndpointGroup, HttpEndpointConfiguration, HttpProxy, HttpVersion, KeyStore,
        LoadBalancer, SslOptions, StoreFormat, StoreSource,
    },
};

use super::{CompiledEndpoint, CompiledGroup, Endpoints, Named};
use crate::{
    balance::{Algorithm, Balancer},
    forward::TargetPath,
    upstream::{
        ClientIdentity, Http2Options, TargetError, TargetOptions, TlsOptions, UpstreamTarget,
        UpstreamVersion, Verification,
    },
};

/// The one connector of HTTP proxy APIs.
const HTTP_PROXY: &str = "http-proxy";

/// Largest file of certificates or keys; the whole store of a system is a quarter of it.
const STORE_BYTES_MAX: u64 = 1024 * 1024;

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
            BuildError::Target { path, .. } | BuildError::File { path, .. } => path,
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
    tenant: Option<&str>,
    scope: &dyn Scope,
    seed: u64,
) -> Result<Endpoints, BuildError> {
    let mut endpoints = Endpoints::default();
    let mut compiled = Vec::with_capacity(groups.len());
    for (group_index, group) in groups.iter().enumerate() {
        endpoints
            .names
            .insert(group.name.as_str().into(), Named::Group(group_index));
        let (mut primaries, mut secondaries) = (Vec::new(), Vec::new());
        for (index, endpoint) in group.endpoints.iter().enumerate() {
            if !serves_tenant(endpoint, tenant) {
                continue;
            }
            let path = format!("endpointGroups[{group_index}].endpoints[{index}]");
            let built = Arc::new(build_endpoint(group, endpoint, &path, scope)?);
            let list = if endpoint.secondary {
                &mut secondaries
            } else {
                &mut primaries
            };
            list.push((Arc::clone(&built), endpoint.weight, endpoint.name.as_str()));
        }
        compiled.push(build_group(
            group.load_balancer,
            &primaries,
            &secondaries,
            seed,
        ));
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
    load_balancer: LoadBalancer,
    primaries: &[Member<'_>],
    secondaries: &[Member<'_>],
    seed: u64,
) -> CompiledGroup {
    let algorithm = match load_balancer {
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
    CompiledGroup {
        primary_balancer: balancer(primaries),
        primaries: list(primaries),
        secondary_balancer: balancer(secondaries),
        secondaries: list(secondaries),
    }
}

fn build_endpoint(
    group: &EndpointGroup,
    endpoint: &Endpoint,
    path: &str,
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
    if configuration.proxy != HttpProxy::Direct {
        let place = format!("{path}.sharedConfiguration.proxy");
        return Err(invalid(
            place,
            "a proxy",
            "no proxy: this edge calls endpoints directly",
        ));
    }
    let place = format!("{path}.configuration.target");
    let url = deploy_text(&configuration.target, &place, scope)?;
    let uri: Uri = url
        .parse()
        .map_err(|_invalid| invalid(place.clone(), &url, "an absolute URL"))?;
    let target = target_options(&configuration, &uri, path)?;
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
    Ok(CompiledEndpoint {
        target,
        path: TargetPath::new(uri.path(), uri.query()),
        headers: headers.into(),
        passes_accept_encoding: configuration.http.propagate_client_accept_encoding,
    })
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

fn tls_options(ssl: &SslOptions, path: &str) -> Result<TlsOptions, BuildError> {
    let verification = match (ssl.trust_all, ssl.hostname_verifier) {
        (true, _) => Verification::TrustAll,
        (false, true) => Verification::Full,
        (false, false) => Verification::AnyName,
    };
    let mut options = TlsOptions {
        verification,
        ..TlsOptions::default()
    };
    if let Some(store) = &ssl.trust_store {
        let place = format!("{path}.ssl.trustStore");
        if store.format != StoreFormat::Pem {
            return Err(not_pem(&place));
        }
        options.roots_pem = Some(read(&store.source, &place)?);
    }
    if let Some(store) = &ssl.key_store {
        let place = format!("{path}.ssl.keyStore");
        let KeyStore::Pem { certificate, key } = store else {
            return Err(not_pem(&place));
        };
        options.client_identity = Some(ClientIdentity {
            chain_pem: read(certificate, &place)?,
            key_pem: read(key, &place)?,
        });
    }
    Ok(options)
}

fn not_pem(path: &str) -> BuildError {
    invalid(
        format!("{path}.type"),
        "a binary store",
        "PEM, the only kind this edge reads",
    )
}

fn read(source: &StoreSource, path: &str) -> Result<Vec<u8>, BuildError> {
    match source {
        StoreSource::Content(content) => Ok(content.expose().as_bytes().to_vec()),
        StoreSource::Path(file) => read_file(file).map_err(|source| BuildError::File {
            path: path.to_owned(),
            file: file.clone(),
            source,
        }),
    }
}

/// A definition may name any file: a device or a pipe would never end.
fn read_file(file: &str) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() > STORE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut content = Vec::new();
    fs::File::open(file)?
        .take(STORE_BYTES_MAX)
        .read_to_end(&mut content)?;
    Ok(content)
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}

/// Evaluates text that may hold expressions, once, with what is known at deployment.
fn deploy_text(source: &str, path: &str, scope: &dyn Scope) -> Result<String, BuildError> {
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

fn invalid(path: String, value: &str, expected: &str) -> BuildError {
    BuildError::Invalid(Violation::new(path, value, expected))
}
