//! Which API answers a host and a path. Built once per configuration, read by every request.
//!
//! An acceptor is a path that ends in `/`, with or without a host. Acceptors of the request's host
//! are tried before hostless ones; within a table the longest prefix wins. Paths compare as raw
//! bytes (percent-encoding untouched, case-sensitive), hosts ignore ASCII case.

mod path_table;
mod servers;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use ahash::RandomState;

pub use path_table::{PathTable, PathTableBuilder};
pub use servers::{Bound, Routers, SERVER_IDS, build};

/// Longest host name looked up without going to the heap; DNS names end at 253 bytes.
const HOST_BYTES_MAX: usize = 261;

/// A value found by path, with the acceptor path that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'r> {
    /// Acceptor path, ending in `/`: the context path of the request.
    pub context_path: &'r str,
    /// What the acceptor was registered for (an index chosen by the caller).
    pub target: u32,
}

/// An acceptor that two targets claim; the first keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Host of the acceptor, lower-case.
    pub host: Option<String>,
    /// Path of the acceptor, normalised.
    pub path: String,
    /// Who holds it.
    pub holder: u32,
}

/// All acceptors of one configuration.
#[derive(Debug, Default)]
pub struct Router {
    hosts: HashMap<Box<str>, PathTable, RandomState>,
    hostless: PathTable,
}

impl Router {
    /// Finds the acceptor for a `Host` value (port allowed) and a raw request path.
    ///
    /// A host registered with a port matches only that port; one without matches every port.
    #[must_use]
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<Match<'_>> {
        if !self.hosts.is_empty()
            && let Some(host) = host
            && let Some(found) = self.find_on_host(host, path)
        {
            return Some(found);
        }
        self.hostless.find(path)
    }

    /// Number of acceptors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hostless.len() + self.hosts.values().map(PathTable::len).sum::<usize>()
    }

    /// True without any acceptor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find_on_host(&self, host: &str, path: &str) -> Option<Match<'_>> {
        let mut lowered = [0_u8; HOST_BYTES_MAX];
        let lowered = lowered.get_mut(..host.len())?;
        lowered.copy_from_slice(host.as_bytes());
        lowered.make_ascii_lowercase();
        let host = std::str::from_utf8(lowered).ok()?;
        let with_port = self.hosts.get(host).and_then(|table| table.find(path));
        with_port.or_else(|| {
            let bare = without_port(host);
            if bare.len() == host.len() {
                return None;
            }
            self.hosts.get(bare).and_then(|table| table.find(path))
        })
    }
}

/// Collects acceptors and turns them into a [`Router`].
#[derive(Debug, Default)]
pub struct RouterBuilder {
    hosts: HashMap<Box<str>, PathTableBuilder, RandomState>,
    hostless: PathTableBuilder,
}

impl RouterBuilder {
    /// Registers `path` (normalised here, see [`normalise`]) on `host`, or on every host.
    ///
    /// # Errors
    /// The acceptor belongs to another target already; it stays with that one.
    pub fn add(&mut self, host: Option<&str>, path: &str, target: u32) -> Result<(), Duplicate> {
        let path = normalise(path);
        let host = host
            .filter(|host| !host.is_empty())
            .map(str::to_ascii_lowercase);
        let table = match &host {
            Some(host) => self.hosts.entry(host.as_str().into()).or_default(),
            None => &mut self.hostless,
        };
        table
            .add(&path, target)
            .map_err(|holder| Duplicate { host, path, holder })
    }

    /// Lays the tables out for lookup.
    #[must_use]
    pub fn build(self) -> Router {
        Router {
            hosts: self
                .hosts
                .into_iter()
                .map(|(host, table)| (host, table.build()))
                .collect(),
            hostless: self.hostless.build(),
        }
    }
}

/// Gives a configured path its acceptor form: leading and trailing `/`, no repeated `/`.
#[must_use]
pub fn normalise(path: &str) -> String {
    let mut normalised = String::with_capacity(path.len() + 2);
    normalised.push('/');
    for character in path.chars() {
        if character != '/' || !normalised.ends_with('/') {
            normalised.push(character);
        }
    }
    if !normalised.ends_with('/') {
        normalised.push('/');
    }
    normalised
}

/// The part of a raw path behind the context path, starting with `/`; empty if the client left out
/// the context path's last slash.
#[must_use]
pub fn path_info<'p>(context_path: &str, path: &'p str) -> &'p str {
    path.get(context_path.len() - 1..).unwrap_or("")
}

/// Cuts a port off a host; an IPv6 literal keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        Some(_) | None => host,
    }
}
