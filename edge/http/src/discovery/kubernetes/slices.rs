//! EndpointSlices (`discovery.k8s.io/v1`) and what a watch says about them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::discovery::{INSTANCES_MAX, Instance};

/// Status of versions that are too old.
const GONE: u16 = 410;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct SliceList {
    pub(super) metadata: ListMeta,
    pub(super) items: Option<Vec<Slice>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) next_page: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slice {
    metadata: SliceMeta,
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceMeta {
    name: String,
    resource_version: String,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Option<Conditions>,
    #[serde(default)]
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Conditions {
    #[serde(default)]
    ready: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Port {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    protocol: Option<String>,
}

impl Slice {
    pub(super) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// The port called `wanted`, or with that number; the first without.
    fn port(&self, wanted: Option<&str>) -> Option<u16> {
        let ports = self.ports.as_deref().unwrap_or_default().iter();
        let mut ports = ports.filter(|port| port.protocol.as_deref().is_none_or(|it| it == "TCP"));
        let found = match wanted {
            None => ports.next(),
            Some(wanted) => ports.find(|port| {
                port.name.as_deref() == Some(wanted)
                    || port.port.is_some_and(|port| wanted.parse() == Ok(port))
            }),
        };
        found?.port.filter(|port| *port > 0)
    }
}

/// One line of a watch.
#[derive(Debug)]
pub(super) enum Event {
    /// A slice is new or has changed.
    Changed(Slice),
    /// A slice is gone.
    Deleted(Slice),
    /// Nothing changed up to this version.
    Bookmark(String),
    /// The version is too old.
    Gone,
    /// The server failed with this status.
    Failed(u16),
}

#[derive(Debug, Deserialize)]
struct Line {
    r#type: String,
    object: serde_json::Value,
}

impl Event {
    pub(super) fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        let Line { r#type, object } = serde_json::from_slice(line)?;
        let slice = |object| serde_json::from_value::<Slice>(object);
        Ok(match r#type.as_str() {
            "ADDED" | "MODIFIED" => Event::Changed(slice(object)?),
            "DELETED" => Event::Deleted(slice(object)?),
            "BOOKMARK" => {
                let version = object.pointer("/metadata/resourceVersion");
                Event::Bookmark(serde_json::from_value(
                    version.cloned().unwrap_or_default(),
                )?)
            }
            // `ERROR`; what a newer server may say is taken as one, and a list puts it right.
            _ => {
                let code = object.get("code").and_then(serde_json::Value::as_u64);
                match code.and_then(|code| u16::try_from(code).ok()) {
                    Some(GONE) => Event::Gone,
                    code => Event::Failed(code.unwrap_or(500)),
                }
            }
        })
    }
}

/// All slices of a service.
#[derive(Debug)]
pub(super) struct Slices {
    port: Option<Box<str>>,
    by_name: BTreeMap<String, Vec<Instance>>,
}

impl Slices {
    pub(super) fn new(port: Option<Box<str>>) -> Self {
        Self {
            port,
            by_name: BTreeMap::new(),
        }
    }

    /// Puts a slice in the place of the one of its name.
    pub(super) fn put(&mut self, slice: Slice) {
        let port = slice.port(self.port.as_deref());
        let ready = port.into_iter().flat_map(|port| {
            let endpoints = slice.endpoints.as_deref().unwrap_or_default().iter();
            endpoints.filter_map(move |endpoint| instance(endpoint, port))
        });
        let ready = ready.take(INSTANCES_MAX).collect();
        self.by_name.insert(slice.metadata.name, ready);
    }

    pub(super) fn remove(&mut self, slice: &Slice) {
        self.by_name.remove(&slice.metadata.name);
    }

    /// The endpoints that are ready. One that moves between slices may stand in two for a moment.
    pub(super) fn instances(&self) -> Vec<Instance> {
        let mut all: Vec<Instance> = self.by_name.values().flatten().cloned().collect();
        all.sort();
        all.dedup_by(|one, other| one.id == other.id);
        all
    }
}

/// Only the first address counts: the others of an endpoint are the same pod. Unknown readiness is readiness.
fn instance(endpoint: &Endpoint, port: u16) -> Option<Instance> {
    let conditions = endpoint.conditions.as_ref();
    if conditions.and_then(|conditions| conditions.ready) == Some(false) {
        return None;
    }
    let address = endpoint.addresses.first()?;
    let zone = endpoint.zone.as_ref().map(|zone| zone.as_str().into());
    Some(Instance {
        tags: zone.into_iter().collect(),
        ..Instance::new(&format!("{address}-{port}"), address, port)
    })
}
