//! Finds the endpoints of groups whose definition asks for it: in a Consul catalog, behind a Kubernetes
//! service, by DNS records. Source: `gravitee-v4.md` §1.4.
//!
//! ```text
//!             Provider::next            publish              next
//! Consul, … ─────────────────▶ run ────────────────▶ Discovery ◀────── requests
//!  (waits for a change)    (one task per group,   (load balancer, swapped whole)
//!                           backs off on failure)
//! ```
//!
//! What was found last stays in use while its source cannot be reached. The task of a group belongs to
//! the thread that watches endpoints ([`crate::watch`]) and ends when the group is undeployed.

mod api_client;
mod blueprint;
mod consul;
mod dns;
mod kubernetes;
mod report;
mod run;
mod source;
mod state;
#[cfg(test)]
mod tests;

use futures::future::LocalBoxFuture;

pub(crate) use self::{blueprint::Blueprint, run::run, source::Source, state::GroupPlan};
pub use self::{
    report::{DiscoveryMetrics, DiscoveryReport, InstanceReport, report},
    state::{Discovery, DiscoveryStatus},
};

use crate::{body::BodyError, upstream::UpstreamError};

/// Most endpoints of one group that are found; further ones are left out, and a warning says so. A definition
/// may hold as many.
pub const INSTANCES_MAX: usize = 1000;

/// One endpoint that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// How its source calls it; unique there.
    pub id: Box<str>,
    /// Its address or name.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// What it is called in `Host` and in its certificate, if that is not its host.
    pub name: Option<Box<str>>,
    /// Whether it speaks TLS, if its source knows.
    pub secured: Option<bool>,
    /// Its base path, if its source knows one.
    pub path: Option<Box<str>>,
    /// Its share of requests; 0 counts as 1.
    pub weight: u32,
    /// Used only while no endpoint of a lower number is left; 0 is a primary one.
    pub priority: u16,
    /// The tenant whose edges use it; all do without.
    pub tenant: Option<Box<str>>,
    /// What its source says about it, for people.
    pub tags: Box<[Box<str>]>,
}

impl Instance {
    /// An endpoint of which nothing else is known.
    #[must_use]
    pub fn new(id: &str, host: &str, port: u16) -> Self {
        Self {
            id: id.into(),
            host: host.into(),
            port,
            name: None,
            secured: None,
            path: None,
            weight: 1,
            priority: 0,
            tenant: None,
            tags: Box::default(),
        }
    }

    /// Whether calls to `other` are calls to the same endpoint: connections and health go on.
    fn is_same_endpoint(&self, other: &Self) -> bool {
        (&self.id, &self.host, self.port) == (&other.id, &other.host, other.port)
            && self.name == other.name
            && self.secured == other.secured
            && self.path == other.path
    }
}

/// Why a source gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    /// It was not reached.
    #[error("the source was not reached")]
    Call(#[from] UpstreamError),
    /// Its answer broke off.
    #[error("the answer broke off")]
    Body(#[from] BodyError),
    /// It refused.
    #[error("the source answered with status {0}")]
    Status(u16),
    /// Its answer is no JSON of the expected form.
    #[error("the answer is malformed")]
    Malformed(#[from] serde_json::Error),
    /// Its answer misses something or is too large.
    #[error("the answer has {0}")]
    Unusable(&'static str),
    /// A file with a token cannot be read.
    #[error("{file} cannot be read")]
    File {
        /// The file.
        file: Box<str>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The name servers gave no answer.
    #[error("the name servers gave no answer")]
    Dns(#[from] hickory_resolver::net::NetError),
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
}

/// Asks one source about one group. It keeps its place between answers: an index, a version, an expiry.
pub(crate) trait Provider {
    /// Waits until the endpoints may have changed, at the first time and after a failure not at all,
    /// and returns all of them. Dropping the future loses nothing but time.
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Vec<Instance>, DiscoveryError>>;
}
