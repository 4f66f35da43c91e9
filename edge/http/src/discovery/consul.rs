//! Consul: the health API with blocking queries. An index tells Consul what is known; it answers when there
//! is something else, or when the wait is over.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::{
    DiscoveryError, Instance, Provider,
    api_client::{ApiPlace, encoded},
};
use crate::upstream::UpstreamPools;

/// How long Consul may hold a query back. It adds up to a sixteenth of it.
const WAIT_SECONDS: u32 = 55;

/// Time for an answer: the wait, what Consul adds, and as much as a slow network takes.
pub(super) const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(75);

/// Largest answer: ten times the instances that are kept, with their checks.
const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// A service in a catalog.
#[derive(Debug, Clone)]
pub(crate) struct ConsulSource {
    pub(super) place: ApiPlace,
    pub(super) service: Box<str>,
    pub(super) datacenter: Option<Box<str>>,
    pub(super) token: Option<HeaderValue>,
    pub(super) tags: Box<[String]>,
}

/// Follows a service.
#[derive(Debug)]
pub(super) struct Consul {
    source: ConsulSource,
    pools: UpstreamPools,
    /// What is known; 0 asks for an answer at once.
    index: u64,
}

impl Consul {
    pub(super) fn new(source: ConsulSource, pools: UpstreamPools) -> Self {
        Self {
            source,
            pools,
            index: 0,
        }
    }

    fn path(&self) -> String {
        let ConsulSource {
            service,
            datacenter,
            tags,
            ..
        } = &self.source;
        let mut path = format!("/v1/health/service/{}?passing=true", encoded(service));
        if let Some(datacenter) = datacenter {
            // Writing to a text cannot fail.
            let _ = write!(path, "&dc={}", encoded(datacenter));
        }
        for tag in tags {
            let _ = write!(path, "&tag={}", encoded(tag));
        }
        if self.index > 0 {
            let _ = write!(path, "&index={}&wait={WAIT_SECONDS}s", self.index);
        }
        path
    }

    async fn ask(&mut self) -> Result<Vec<Instance>, DiscoveryError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.source.token {
            headers.insert(TOKEN, token.clone());
        }
        let path = self.path();
        // A query that fails is asked again without an index: its answer comes at once.
        let known = std::mem::take(&mut self.index);
        let place = &self.source.place;
        let answer = place.read(&self.pools, &path, headers, ANSWER_BYTES_MAX);
        let (headers, content) = answer.await?;
        let instances = instances(&content)?;
        self.index = next_index(known, &headers)?;
        Ok(instances)
    }
}

impl Provider for Consul {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Vec<Instance>, DiscoveryError>> {
        Box::pin(self.ask())
    }
}

/// The index of the next query. One that went backwards, as after a restored snapshot, begins anew.
fn next_index(known: u64, headers: &HeaderMap) -> Result<u64, DiscoveryError> {
    let text = headers.get(INDEX).and_then(|value| value.to_str().ok());
    let index: Option<u64> = text.and_then(|text| text.parse().ok());
    match index {
        None => Err(DiscoveryError::Unusable("no X-Consul-Index")),
        Some(index) if index < known => Ok(0),
        Some(index) => Ok(index.max(1)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    port: u32,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    meta: Option<BTreeMap<String, String>>,
    #[serde(default)]
    weights: Option<Weights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    #[serde(default)]
    passing: i64,
}

/// Instances without an address or a port cannot be called and are left out.
fn instances(content: &Bytes) -> Result<Vec<Instance>, DiscoveryError> {
    let entries: Vec<Entry> = serde_json::from_slice(content)?;
    Ok(entries.into_iter().filter_map(instance).collect())
}

fn instance(entry: Entry) -> Option<Instance> {
    let service = entry.service;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let host = filled(service.address).or_else(|| filled(entry.node.address))?;
    let port = u16::try_from(service.port).ok().filter(|port| *port > 0)?;
    let meta = service.meta.unwrap_or_default();
    let told = |name: &str| {
        let text = meta.get(name).map(|text| text.trim());
        text.filter(|text| !text.is_empty())
    };
    let weight = told("gravitee_weight").and_then(|text| text.parse().ok());
    let passing = service.weights.map(|weights| weights.passing);
    let passing = passing.and_then(|weight| u32::try_from(weight).ok());
    Some(Instance {
        weight: weight.or(passing).unwrap_or(1),
        secured: told("gravitee_ssl").map(|text| text.eq_ignore_ascii_case("true")),
        path: told("gravitee_path").map(|path| format!("/{}", path.trim_matches('/')).into()),
        tenant: told("gravitee_tenant").map(Into::into),
        tags: service
            .tags
            .unwrap_or_default()
            .into_iter()
            .map(Into::into)
            .collect(),
        ..Instance::new(&service.id, &host, port)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_consul_says_of_an_instance_is_kept() {
        let answer = json!([
            {"Node": {"Address": "10.0.0.9"},
             "Service": {"ID": "web-1", "Address": "10.0.0.1", "Port": 8080, "Tags": ["blue"],
                         "Weights": {"Passing": 7, "Warning": 1},
                         "Meta": {"gravitee_ssl": "true", "gravitee_path": "base/", "gravitee_tenant": "eu"}}},
            {"Node": {"Address": "10.0.0.9"},
             "Service": {"ID": "web-2", "Address": "", "Port": 8081, "Tags": null,
                         "Weights": {"Passing": 7}, "Meta": {"gravitee_weight": "3"}}},
            {"Node": {"Address": "10.0.0.9"}, "Service": {"ID": "web-3", "Port": 0}},
        ]);
        let found = instances(&Bytes::from(answer.to_string())).unwrap();
        let expected = [
            Instance {
                secured: Some(true),
                path: Some("/base".into()),
                tenant: Some("eu".into()),
                weight: 7,
                tags: ["blue".into()].into(),
                ..Instance::new("web-1", "10.0.0.1", 8080)
            },
            Instance {
                weight: 3,
                ..Instance::new("web-2", "10.0.0.9", 8081)
            },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn answers_of_another_form_are_refused() {
        for text in ["", "{}", "[{}]", "[{\"Node\": 1, \"Service\": 2}]", "null"] {
            assert!(instances(&Bytes::from(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_that_goes_backwards_begins_anew() {
        for (known, header, expected) in [
            (0, Some("17"), Some(17)),
            (17, Some("17"), Some(17)),
            (17, Some("5"), Some(0)),
            (0, Some("0"), Some(1)),
            (17, Some("many"), None),
            (17, None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert(INDEX, HeaderValue::from_static(text));
            }
            assert_eq!(next_index(known, &headers).ok(), expected, "{header:?}");
        }
    }
}
