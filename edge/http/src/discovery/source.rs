//! From the definition's discovery service to a source that can be asked.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tidegate_expression::Scope;
use tidegate_model::{
    Secret,
    api::{DiscoveryConfiguration, DiscoverySource, DnsDiscovery, Service},
};

use super::{
    Provider,
    api_client::{ApiPlace, InvalidUrl},
    consul::{self, Consul, ConsulSource},
    dns::{Dns, DnsSource},
    kubernetes::{self, Kubernetes, KubernetesSource},
};
use crate::{
    endpoint::{BuildError, deploy_text, invalid, tls_options},
    upstream::UpstreamPools,
};

/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// A source, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A Consul catalog.
    Consul(ConsulSource),
    /// A Kubernetes API server.
    Kubernetes(KubernetesSource),
    /// Name servers.
    Dns(DnsSource),
}

impl Source {
    /// Its kind, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Source::Consul(_) => "consul",
            Source::Kubernetes(_) => "kubernetes",
            Source::Dns(_) => "dns",
        }
    }

    /// Begins to follow it.
    pub(super) fn provider(&self, pools: &UpstreamPools) -> Box<dyn Provider> {
        match self {
            Source::Consul(source) => Box::new(Consul::new(source.clone(), pools.clone())),
            Source::Kubernetes(source) => Box::new(Kubernetes::new(source.clone(), pools.clone())),
            Source::Dns(source) => Box::new(Dns::new(source.clone())),
        }
    }
}

/// Evaluates what may hold expressions. Equal results ask the same source about the same endpoints.
///
/// # Errors
/// What of the configuration is wrong.
pub(super) fn evaluate(
    service: &Service,
    place: &str,
    scope: &dyn Scope,
) -> Result<DiscoveryConfiguration, BuildError> {
    let mut configuration = service.discovery().map_err(|violations| {
        let first = violations.into_iter().next();
        first.map_or_else(
            || invalid(place.to_owned(), "", "a configuration"),
            |violation| BuildError::Invalid(violation.under(place)),
        )
    })?;
    let text = |text: &mut String, member: &str| -> Result<(), BuildError> {
        *text = deploy_text(text, &format!("{place}.configuration.{member}"), scope)?;
        Ok(())
    };
    match &mut configuration.source {
        DiscoverySource::Consul(consul) => {
            text(&mut consul.url, "url")?;
            text(&mut consul.service, "service")?;
            if let Some(datacenter) = &mut consul.datacenter {
                text(datacenter, "dc")?;
            }
            if let Some(token) = &mut consul.token {
                let mut evaluated = token.expose().clone();
                text(&mut evaluated, "acl")?;
                *token = Secret::new(evaluated);
            }
        }
        DiscoverySource::Kubernetes(kubernetes) => {
            text(&mut kubernetes.url, "url")?;
            text(&mut kubernetes.namespace, "namespace")?;
            text(&mut kubernetes.service, "service")?;
        }
        DiscoverySource::Dns(dns) => text(&mut dns.name, "name")?,
    }
    Ok(configuration)
}

/// Compiles an evaluated source, files included.
///
/// # Errors
/// What of it cannot be used on this edge.
pub(super) fn compile(source: &DiscoverySource, place: &str) -> Result<Source, BuildError> {
    let member = |name: &str| format!("{place}.configuration.{name}");
    let unusable = |url: &str| {
        let (path, url) = (member("url"), url.to_owned());
        move |error: InvalidUrl| invalid(path, &url, &error.to_string())
    };
    match source {
        DiscoverySource::Consul(consul) => {
            let tls = tls_options(&consul.ssl, &format!("{place}.configuration"))?;
            let token = consul.token.as_ref().map(|token| {
                let value = HeaderValue::from_str(token.expose());
                let mut value = value.map_err(|_invalid| {
                    invalid(member("acl"), "(not shown)", "a token without line breaks")
                })?;
                value.set_sensitive(true);
                Ok(value)
            });
            Ok(Source::Consul(ConsulSource {
                place: ApiPlace::new(&consul.url, tls, consul::ANSWER_TIMEOUT)
                    .map_err(unusable(&consul.url))?,
                service: consul.service.as_str().into(),
                datacenter: consul.datacenter.as_deref().map(Into::into),
                token: token.transpose()?,
                tags: consul.tags.as_slice().into(),
            }))
        }
        DiscoverySource::Kubernetes(kubernetes) => {
            let mut tls = tls_options(&kubernetes.ssl, &format!("{place}.configuration"))?;
            if let Some(file) = &kubernetes.ca_file {
                tls.roots = Some(authorities(file, &member("caFile"))?);
            }
            Ok(Source::Kubernetes(KubernetesSource {
                place: ApiPlace::new(&kubernetes.url, tls, kubernetes::ANSWER_TIMEOUT)
                    .map_err(unusable(&kubernetes.url))?,
                namespace: kubernetes.namespace.as_str().into(),
                service: kubernetes.service.as_str().into(),
                port: kubernetes.port.as_deref().map(Into::into),
                token_file: kubernetes.token_file.as_deref().map(Into::into),
            }))
        }
        DiscoverySource::Dns(dns) => Ok(Source::Dns(dns_source(dns, &member)?)),
    }
}

fn dns_source(
    dns: &DnsDiscovery,
    member: &impl Fn(&str) -> String,
) -> Result<DnsSource, BuildError> {
    let name = format!("{}.", dns.name.trim_end_matches('.'));
    if hickory_resolver::proto::rr::Name::from_ascii(&name).is_err() || name == "." {
        return Err(invalid(member("name"), &dns.name, "a name of the DNS"));
    }
    let servers = dns.servers.iter().enumerate().map(|(index, server)| {
        let parsed = match server.parse::<IpAddr>() {
            Ok(address) => Ok(SocketAddr::new(address, DNS_PORT)),
            Err(_no_bare_address) => server.parse::<SocketAddr>(),
        };
        parsed.map_err(|_invalid| {
            let expected = "an address such as 10.0.0.2 or 10.0.0.2:53";
            invalid(member(&format!("servers[{index}]")), server, expected)
        })
    });
    Ok(DnsSource {
        name: name.into(),
        records: dns.records,
        port: dns.port,
        servers: servers.collect::<Result<_, _>>()?,
    })
}

fn authorities(file: &str, place: &str) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let failed = |source| BuildError::File {
        path: place.to_owned(),
        file: file.to_owned(),
        source,
    };
    let content = tidegate_keystore::read_file(file).map_err(failed)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(invalid(
            place.to_owned(),
            file,
            "a file with certificates in PEM",
        )),
    }
}
