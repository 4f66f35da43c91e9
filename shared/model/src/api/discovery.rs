//! The configuration of discovery services: where the endpoints of a group are found.
//! Source: `gravitee-v4.md` §1.4; Kubernetes and DNS are Tidegate's own.

use super::{EndpointGroup, HttpEndpointConfiguration, Service, SslOptions};
use crate::{
    limits,
    read::{At, Findings, Label},
    secret::Secret,
    violation::Violation,
};
use serde_json::{Value, json};

/// Discovery in a Consul catalog.
pub const CONSUL_DISCOVERY: &str = "consul-service-discovery";
/// Discovery of the pods behind a Kubernetes service.
pub const KUBERNETES_DISCOVERY: &str = "kubernetes-service-discovery";
/// Discovery by DNS records.
pub const DNS_DISCOVERY: &str = "dns-service-discovery";

/// Where Consul listens on the machine of its agent.
const CONSUL_URL: &str = "http://localhost:8500";
/// The address of the API server inside of a cluster.
const KUBERNETES_URL: &str = "https://kubernetes.default.svc";
/// What Kubernetes mounts into every pod.
const KUBERNETES_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const KUBERNETES_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// Name servers of one discovery.
const NAME_SERVERS_MAX: usize = 8;

/// How the endpoints of a group are found, and what those have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryConfiguration {
    /// Who knows them.
    pub source: DiscoverySource,
    /// Whether they speak TLS, unless the source says so of one.
    pub secured: bool,
    /// Their base path, unless the source says so of one.
    pub path: String,
    /// What they are called in `Host` and in certificates; absent, their own name or address.
    pub host: Option<String>,
}

/// Who knows the endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoverySource {
    /// A Consul catalog.
    Consul(ConsulDiscovery),
    /// The EndpointSlices of a Kubernetes service.
    Kubernetes(KubernetesDiscovery),
    /// DNS records.
    Dns(DnsDiscovery),
}

/// A service in a Consul catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulDiscovery {
    /// The HTTP API of an agent.
    pub url: String,
    /// The name of the service.
    pub service: String,
    /// The datacenter; absent, the agent's own.
    pub datacenter: Option<String>,
    /// The token shown to the agent.
    pub token: Option<Secret<String>>,
    /// Tags an instance must all have.
    pub tags: Vec<String>,
    /// TLS towards the agent.
    pub ssl: SslOptions,
}

/// The EndpointSlices of a Kubernetes service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesDiscovery {
    /// The API server.
    pub url: String,
    /// The namespace of the service.
    pub namespace: String,
    /// The name of the service.
    pub service: String,
    /// Name or number of the port; absent, the first of a slice.
    pub port: Option<String>,
    /// The file with the token, which is read again for every request; absent for none.
    pub token_file: Option<String>,
    /// The file with the authorities of the API server; absent, what `ssl` says.
    pub ca_file: Option<String>,
    /// TLS towards the API server.
    pub ssl: SslOptions,
}

/// DNS records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsDiscovery {
    /// The name that is asked for.
    pub name: String,
    /// The records that count.
    pub records: DnsRecords,
    /// The port of the endpoints; SRV records bring their own.
    pub port: Option<u16>,
    /// Name servers as `address` or `address:port`; empty takes the system's.
    pub servers: Vec<String>,
}

/// The records that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsRecords {
    /// IPv4 addresses.
    #[default]
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Addresses of both kinds.
    Addresses,
    /// Names with port, priority and weight (RFC 2782).
    Srv,
}

impl Label for DnsRecords {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("A", Self::A),
        ("AAAA", Self::Aaaa),
        ("ADDRESSES", Self::Addresses),
        ("SRV", Self::Srv),
    ];
}

impl Service {
    /// The typed configuration of a discovery service.
    ///
    /// # Errors
    /// Lists everything that is wrong; paths are relative to the service.
    pub fn discovery(&self) -> Result<DiscoveryConfiguration, Vec<Violation>> {
        let findings = Findings::default();
        let at = At::new(&self.configuration, "configuration", &findings);
        let source = match self.kind.as_str() {
            CONSUL_DISCOVERY => Some(DiscoverySource::Consul(ConsulDiscovery::read(&at))),
            KUBERNETES_DISCOVERY => {
                Some(DiscoverySource::Kubernetes(KubernetesDiscovery::read(&at)))
            }
            DNS_DISCOVERY => Some(DiscoverySource::Dns(DnsDiscovery::read(&at))),
            other => {
                let expected =
                    format!("{CONSUL_DISCOVERY}, {KUBERNETES_DISCOVERY} or {DNS_DISCOVERY}");
                findings.report_text("type", other, expected);
                None
            }
        };
        let path = at.text("path", limits::URL).unwrap_or_default();
        if !path.is_empty() && !path.starts_with('/') {
            findings.report_text(at.path_of("path"), &path, "a path that begins with /");
        }
        let (secured, host) = (at.flag("secured", false), filled(&at, "host"));
        match (source, findings.finish(())) {
            (Some(source), Ok(())) => Ok(DiscoveryConfiguration {
                source,
                secured,
                path,
                host,
            }),
            (_, Err(violations)) => Err(violations),
            (None, Ok(())) => Err(vec![Violation::new("type", &self.kind, "a discovery")]),
        }
    }
}

impl EndpointGroup {
    /// The discovery of the group, if it is switched on.
    #[must_use]
    pub fn discovery(&self) -> Option<&Service> {
        let discovery = self.services.discovery.as_ref();
        discovery.filter(|service| service.enabled)
    }

    /// The typed configuration that discovered `http-proxy` endpoints share. Its target stands for any.
    ///
    /// # Errors
    /// Lists everything that is wrong; paths are relative to the group.
    pub fn discovered_http_configuration(
        &self,
    ) -> Result<HttpEndpointConfiguration, Vec<Violation>> {
        let findings = Findings::default();
        let any = json!({"target": "http://discovered"});
        let own = At::new(&any, "configuration", &findings);
        let shared = At::new(&self.shared_configuration, "sharedConfiguration", &findings);
        let configuration = HttpEndpointConfiguration::read(&own, &shared);
        findings.finish(configuration)
    }
}

impl ConsulDiscovery {
    fn read(at: &At<'_>) -> Self {
        let token = filled(at, "acl").or_else(|| filled(at, "token"));
        Self {
            url: url(at, CONSUL_URL),
            service: at.required_text("service", limits::SHORT_TEXT),
            datacenter: filled(at, "dc"),
            token: token.map(Secret::new),
            tags: at.texts("tags", limits::TAGS, limits::NAME),
            ssl: ssl(at),
        }
    }
}

impl KubernetesDiscovery {
    fn read(at: &At<'_>) -> Self {
        let url = url(at, KUBERNETES_URL);
        // What a pod is given fits the cluster it runs in and no other.
        let is_own = url == KUBERNETES_URL;
        let given = |file: &str| is_own.then(|| file.to_owned());
        Self {
            namespace: filled(at, "namespace").unwrap_or_else(|| "default".to_owned()),
            service: at.required_text("service", limits::SHORT_TEXT),
            port: filled(at, "port"),
            token_file: filled(at, "tokenFile").or_else(|| given(KUBERNETES_TOKEN)),
            ca_file: filled(at, "caFile").or_else(|| given(KUBERNETES_CA)),
            ssl: ssl(at),
            url,
        }
    }
}

impl DnsDiscovery {
    fn read(at: &At<'_>) -> Self {
        let records = at.label("type", DnsRecords::default());
        let port = at
            .member("port")
            .map(|_given| at.natural("port", (1, 65_535), 1));
        if port.is_none() && records != DnsRecords::Srv {
            at.missing("port", "a port from 1 to 65535");
        }
        Self {
            name: at.required_text("name", limits::SHORT_TEXT),
            records,
            port: port.and_then(|port| u16::try_from(port).ok()),
            servers: at.texts("servers", NAME_SERVERS_MAX, limits::SHORT_TEXT),
        }
    }
}

fn filled(at: &At<'_>, name: &str) -> Option<String> {
    let text = at.text(name, limits::LONG_TEXT)?;
    Some(text).filter(|text| !text.trim().is_empty())
}

/// The URL of an API, without a slash at its end; expressions stand for anything.
fn url(at: &At<'_>, default: &str) -> String {
    let Some(url) = filled(at, "url") else {
        return default.to_owned();
    };
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    if !is_http && !url.contains('{') {
        let expected = "a URL that begins with http:// or https://";
        if let Some(at) = at.member("url") {
            at.fail(expected);
        }
    }
    url.trim_end_matches('/').to_owned()
}

fn ssl(at: &At<'_>) -> SslOptions {
    let empty = Value::Null;
    let part = at.member("ssl").filter(|part| part.members().is_some());
    SslOptions::read(&part.unwrap_or_else(|| at.replaced_by(&empty)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, configuration: Value) -> Result<DiscoveryConfiguration, Vec<Violation>> {
        let service = Service {
            kind: kind.to_owned(),
            enabled: true,
            override_configuration: false,
            configuration,
        };
        service.discovery()
    }

    #[test]
    fn what_is_absent_has_defaults() {
        let read = |kind, configuration| read(kind, configuration).unwrap().source;
        let DiscoverySource::Consul(consul) = read(CONSUL_DISCOVERY, json!({"service": "web"}))
        else {
            panic!("not Consul");
        };
        assert_eq!(
            (consul.url.as_str(), consul.token),
            ("http://localhost:8500", None)
        );
        let DiscoverySource::Kubernetes(own) =
            read(KUBERNETES_DISCOVERY, json!({"service": "web"}))
        else {
            panic!("not Kubernetes");
        };
        assert_eq!(own.token_file.as_deref(), Some(KUBERNETES_TOKEN));
        assert_eq!(own.namespace, "default");
        let DiscoverySource::Kubernetes(other) = read(
            KUBERNETES_DISCOVERY,
            json!({"service": "web", "url": "https://api.test:6443/"}),
        ) else {
            panic!("not Kubernetes");
        };
        assert_eq!(other.url, "https://api.test:6443");
        assert_eq!((other.token_file, other.ca_file), (None, None));
    }

    #[test]
    fn every_wrong_member_is_reported_with_its_place() {
        for (kind, configuration, path) in [
            ("zookeeper", json!({}), "type"),
            (CONSUL_DISCOVERY, json!({}), "configuration.service"),
            (
                CONSUL_DISCOVERY,
                json!({"service": "a", "url": "localhost"}),
                "configuration.url",
            ),
            (
                CONSUL_DISCOVERY,
                json!({"service": "a", "path": "x"}),
                "configuration.path",
            ),
            (
                DNS_DISCOVERY,
                json!({"name": "a.test"}),
                "configuration.port",
            ),
            (
                DNS_DISCOVERY,
                json!({"name": "a.test", "type": "MX", "port": 1}),
                "configuration.type",
            ),
            (KUBERNETES_DISCOVERY, json!({}), "configuration.service"),
        ] {
            let violations = read(kind, configuration).unwrap_err();
            let paths: Vec<&str> = violations.iter().map(|found| found.path.as_str()).collect();
            assert_eq!(paths, [path], "{kind}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let configuration = json!({"service": "web", "acl": "s3cret"});
        let shown = format!("{:?}", read(CONSUL_DISCOVERY, configuration).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
