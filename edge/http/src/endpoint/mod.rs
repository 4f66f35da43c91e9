//! Endpoint groups of an API, compiled, and the choice of where a request goes.
//! Source: `gravitee-v4.md` §1.4, §3.11.

mod build;
mod failover;
#[cfg(test)]
mod tests;
mod tls;

use std::{collections::HashMap, sync::Arc};

use ahash::RandomState;
use http::{HeaderName, HeaderValue, Uri};
use rand::RngCore;

use crate::{
    balance::{Algorithm, Balancer},
    discovery::Discovery,
    forward::TargetPath,
    health::CheckedHealth,
    traffic::Traffic,
    upstream::{TargetOptions, TlsOptions, UpstreamTarget},
};

pub use build::{BuildError, build, proxy_options};
pub(crate) use build::{deploy_text, invalid};
pub use failover::Failover;
pub use tls::tls_options;

/// One backend, ready to be called.
#[derive(Debug)]
pub struct CompiledEndpoint {
    /// Its name in the definition.
    pub name: Box<str>,
    /// Its connections.
    pub target: Arc<UpstreamTarget>,
    /// Base path and query of its URL.
    pub path: TargetPath,
    /// Fields set on every request, after policies.
    pub headers: Box<[(HeaderName, HeaderValue)]>,
    /// Whether the client's `Accept-Encoding` goes along.
    pub passes_accept_encoding: bool,
    /// What is known of its health, if it is checked.
    pub health: Option<Arc<CheckedHealth>>,
    /// How it answered.
    pub traffic: Traffic,
}

impl CompiledEndpoint {
    /// Whether requests may go there.
    fn is_available(&self) -> bool {
        self.health.as_ref().is_none_or(|health| health.is_usable())
    }
}

/// Endpoints balanced among each other.
#[derive(Debug)]
pub(crate) struct Tier {
    endpoints: Box<[Arc<CompiledEndpoint>]>,
    balancer: Balancer,
}

impl Tier {
    /// The next endpoint that is available.
    fn next(&self, random: &mut impl RngCore) -> Option<&Arc<CompiledEndpoint>> {
        for _ in 0..self.endpoints.len() {
            let endpoint = self.endpoints.get(self.balancer.next(random)?)?;
            if endpoint.is_available() {
                return Some(endpoint);
            }
        }
        // Chance or weights may have led to the same endpoints again.
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.is_available())
    }
}

/// An endpoint of a tier with its weight.
pub(crate) type Member = (Arc<CompiledEndpoint>, u32);

/// Endpoints of which the secondary ones answer while no primary one is available.
#[derive(Debug)]
pub(crate) struct Tiers {
    primaries: Tier,
    secondaries: Tier,
}

impl Tiers {
    /// Balances each tier; `seed` makes random cycles differ between edges.
    pub(crate) fn new(
        algorithm: Algorithm,
        primaries: &[Member],
        secondaries: &[Member],
        seed: u64,
    ) -> Self {
        let tier = |members: &[Member]| {
            let weights: Vec<u32> = members.iter().map(|(_, weight)| *weight).collect();
            let endpoints = members.iter().map(|(endpoint, _)| Arc::clone(endpoint));
            Tier {
                endpoints: endpoints.collect(),
                balancer: Balancer::new(algorithm, &weights, seed),
            }
        };
        Self {
            primaries: tier(primaries),
            secondaries: tier(secondaries),
        }
    }

    fn next(&self, random: &mut impl RngCore) -> Option<&Arc<CompiledEndpoint>> {
        let primary = self.primaries.next(random);
        primary.or_else(|| self.secondaries.next(random))
    }

    fn endpoints(&self) -> impl Iterator<Item = &Arc<CompiledEndpoint>> {
        let primaries = self.primaries.endpoints.iter();
        primaries.chain(&self.secondaries.endpoints)
    }
}

/// Where the endpoints of a group come from.
#[derive(Debug)]
enum Membership {
    /// The definition alone.
    Fixed(Tiers),
    /// The definition and a source that is asked while the API is deployed.
    Discovered(Arc<Discovery>),
}

/// The endpoints of a group.
#[derive(Debug)]
pub struct CompiledGroup {
    name: Box<str>,
    members: Membership,
}

impl CompiledGroup {
    fn next(&self, random: &mut impl RngCore) -> Option<Arc<CompiledEndpoint>> {
        match &self.members {
            Membership::Fixed(tiers) => tiers.next(random).cloned(),
            Membership::Discovered(discovery) => discovery.active().tiers.next(random).cloned(),
        }
    }

    /// Its name in the definition.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All endpoints it has now, primaries first.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<CompiledEndpoint>> {
        match &self.members {
            Membership::Fixed(tiers) => tiers.endpoints().cloned().collect(),
            Membership::Discovered(discovery) => {
                discovery.active().tiers.endpoints().cloned().collect()
            }
        }
    }

    /// How its endpoints are found, if they are.
    #[must_use]
    pub fn discovery(&self) -> Option<&Arc<Discovery>> {
        match &self.members {
            Membership::Fixed(_) => None,
            Membership::Discovered(discovery) => Some(discovery),
        }
    }
}

/// What a name stands for; endpoints win over groups.
#[derive(Debug)]
enum Named {
    Endpoint(Arc<CompiledEndpoint>),
    Group(usize),
}

/// All endpoints of an API. The first group is the default.
#[derive(Debug, Default)]
pub struct Endpoints {
    groups: Box<[CompiledGroup]>,
    names: HashMap<Box<str>, Named, RandomState>,
}

/// Where one request goes.
#[derive(Debug)]
pub struct Destination {
    /// The endpoint whose settings hold.
    pub endpoint: Arc<CompiledEndpoint>,
    /// Target and base path instead of the endpoint's own.
    pub elsewhere: Option<(Arc<UpstreamTarget>, TargetPath)>,
    /// Path and query instead of the request's path; the request's query is kept.
    pub path: Option<(String, Option<String>)>,
}

impl Endpoints {
    /// The groups in the order of the definition.
    #[must_use]
    pub fn groups(&self) -> &[CompiledGroup] {
        &self.groups
    }

    /// The default group's next endpoint.
    pub fn next(&self, random: &mut impl RngCore) -> Option<Arc<CompiledEndpoint>> {
        self.groups.first()?.next(random)
    }

    /// The group called `name`.
    pub(crate) fn group(&self, name: &str) -> Option<&CompiledGroup> {
        self.groups.iter().find(|group| &*group.name == name)
    }

    /// A found endpoint called `name`.
    fn discovered(&self, name: &str) -> Option<Arc<CompiledEndpoint>> {
        let mut groups = self.groups.iter().filter_map(CompiledGroup::discovery);
        groups.find_map(|discovery| discovery.active().find(name).cloned())
    }

    /// Where the attribute `request.endpoint` sends a request; `None` if there is no such endpoint.
    ///
    /// An absolute URL goes there through the default endpoint's settings; `name:/path` to the
    /// endpoint or group of that name; anything else is a path on the default endpoint.
    pub fn route(&self, text: &str, random: &mut impl RngCore) -> Option<Destination> {
        if let Some((scheme, _)) = text.split_once("://")
            && matches!(scheme, "http" | "https" | "ws" | "wss" | "grpc" | "grpcs")
        {
            let endpoint = self.next(random)?;
            let uri: Uri = text.parse().ok()?;
            let target = retarget(&endpoint.target, &uri)?;
            let path = TargetPath::new(uri.path(), uri.query());
            // The URL is the whole target: nothing of the request's path follows it.
            return Some(Destination {
                endpoint,
                elsewhere: Some((target, path)),
                path: Some((String::new(), None)),
            });
        }
        if let Some((name, path)) = text.split_once(':')
            && !name.contains('/')
        {
            let endpoint = match self.names.get(name) {
                Some(Named::Group(group)) => self.groups.get(*group)?.next(random)?,
                // Whoever names an endpoint wants no other.
                Some(Named::Endpoint(endpoint)) => available(Arc::clone(endpoint))?,
                None => available(self.discovered(name)?)?,
            };
            return Some(Destination {
                endpoint,
                elsewhere: None,
                path: split_path(path),
            });
        }
        let endpoint = self.next(random)?;
        Some(Destination {
            endpoint,
            elsewhere: None,
            path: split_path(text),
        })
    }
}

fn available(endpoint: Arc<CompiledEndpoint>) -> Option<Arc<CompiledEndpoint>> {
    Some(endpoint).filter(|endpoint| endpoint.is_available())
}

/// A routed path with its query; empty text keeps the request's own path.
fn split_path(text: &str) -> Option<(String, Option<String>)> {
    if text.is_empty() {
        return None;
    }
    Some(match text.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (text.to_owned(), None),
    })
}

/// The target of `uri` with the settings of another one.
pub(crate) fn retarget(like: &UpstreamTarget, uri: &Uri) -> Option<Arc<UpstreamTarget>> {
    let is_tls = matches!(uri.scheme_str(), Some("https" | "wss" | "grpcs"));
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let known = like.options();
    let tls = is_tls.then(|| {
        let tls = known.tls.clone().unwrap_or_default();
        TlsOptions {
            server_name: None,
            ..tls
        }
    });
    let options = TargetOptions {
        host: host.to_owned(),
        port,
        called: None,
        tls,
        ..known.clone()
    };
    UpstreamTarget::intern(options).ok()
}
