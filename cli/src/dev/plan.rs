//! Which processes run on which addresses. Kept in the data directory, so that a second start comes
//! back on the same ports where they are still free.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::layout::Layout;
use crate::{args::DevArgs, connection::write_private, failure::Failure, output::pretty};

/// The processes of one local system.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub cluster_id: String,
    pub control: Vec<ControlAddresses>,
    pub edges: Vec<EdgeAddresses>,
    pub upstream: SocketAddr,
    #[serde(skip)]
    _claims: Ports,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ControlAddresses {
    pub grpc: SocketAddr,
    pub raft: SocketAddr,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EdgeAddresses {
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub technical: SocketAddr,
    pub tags: String,
}

impl Plan {
    /// Chooses addresses: those of the last start, else the defaults, else free ones.
    pub(super) fn prepare(layout: &Layout, args: &DevArgs) -> Result<Self, Failure> {
        let saved = Self::load(layout)?;
        if let Some(saved) = &saved
            && saved.control.len() != usize::from(args.nodes)
        {
            return Err(Failure::usage(format!(
                "{} holds a cluster of {}: give --nodes {0}, or another --data-dir",
                layout.root().display(),
                saved.control.len(),
            )));
        }
        let tags: Vec<&str> = args.edge_tags.split(';').map(str::trim).collect();
        if tags.len() > usize::from(args.edges).max(1) {
            return Err(Failure::usage(format!(
                "--edge-tags names {} edges, but --edges is {}",
                tags.len(),
                args.edges
            )));
        }
        let mut ports = Ports::default();
        let control = (0..usize::from(args.nodes))
            .map(|index| {
                let last = saved.as_ref().and_then(|saved| saved.control.get(index));
                let base = 7400 + 10 * u16::try_from(index).unwrap_or_default();
                Ok(ControlAddresses {
                    grpc: ports.take(last.map(|last| last.grpc), base)?,
                    raft: ports.take(last.map(|last| last.raft), base + 1)?,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let edges = (0..usize::from(args.edges))
            .map(|index| {
                let last = saved.as_ref().and_then(|saved| saved.edges.get(index));
                let offset = 100 * u16::try_from(index).unwrap_or_default();
                Ok(EdgeAddresses {
                    http: ports.take(last.map(|last| last.http), 8082 + offset)?,
                    https: ports.take(last.map(|last| last.https), 8443 + offset)?,
                    technical: ports.take(last.map(|last| last.technical), 18082 + offset)?,
                    tags: tags.get(index).copied().unwrap_or_default().to_owned(),
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let upstream = ports.take(saved.as_ref().map(|saved| saved.upstream), 9900)?;
        let cluster_id = saved.map_or_else(
            || uuid::Uuid::new_v4().to_string(),
            |saved| saved.cluster_id,
        );
        let plan = Self {
            cluster_id,
            control,
            edges,
            upstream,
            _claims: ports,
        };
        write_private(&layout.plan(), pretty(&json!(plan)).as_bytes())?;
        Ok(plan)
    }

    fn load(layout: &Layout) -> Result<Option<Self>, Failure> {
        let path = layout.plan();
        if !path.exists() {
            return Ok(None);
        }
        serde_json::from_str(&fs::read_to_string(&path)?)
            .map(Some)
            .map_err(|error| Failure::refused(format!("{} is damaged: {error}", path.display())))
    }

    /// All nodes as `--peers` spells them.
    pub(super) fn peers(&self) -> String {
        let peers = self
            .control
            .iter()
            .enumerate()
            .map(|(index, node)| format!("{}={}/{}", index + 1, node.raft, node.grpc.port()));
        peers.collect::<Vec<_>>().join(",")
    }
}

/// Fallback ports: below the range that outgoing connections take their ports from, so that a process that starts again
/// finds its port free.
const FALLBACK_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Hands out loopback addresses that are free now, each to one system only.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// Ports are looked at first and bound by a child later; claims keep a second system that starts in between away.
    claims: HashMap<u16, Option<File>>,
}

impl Ports {
    fn take(&mut self, last: Option<SocketAddr>, default: u16) -> Result<SocketAddr, Failure> {
        let wanted = last.map(|last| last.port()).into_iter().chain([default]);
        let start = rand::random_range(FALLBACK_PORTS);
        let fallback = (start..FALLBACK_PORTS.end).chain(FALLBACK_PORTS.start..start);
        for port in wanted.chain(fallback) {
            if !self.claims.contains_key(&port)
                && let Some(claim) = claim(port)
                && TcpListener::bind(loopback(port)).is_ok()
            {
                self.claims.insert(port, claim);
                return Ok(loopback(port));
            }
        }
        Err(Failure::refused("no free port on 127.0.0.1"))
    }
}

/// Locks the name of a port for as long as the file lives; `None` if another system holds it. Where claims cannot be
/// kept, a port counts as claimed.
fn claim(port: u16) -> Option<Option<File>> {
    let folder = std::env::temp_dir().join("tidegate-dev-ports");
    let file =
        fs::create_dir_all(&folder).and_then(|()| File::create(folder.join(port.to_string())));
    match file {
        Ok(file) => match file.try_lock() {
            Ok(()) => Some(Some(file)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(_)) => Some(None),
        },
        Err(_unusable) => Some(None),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occupied_port_is_replaced_by_a_free_one() {
        let occupied = TcpListener::bind(loopback(0)).unwrap();
        let port = occupied.local_addr().unwrap().port();
        let mut ports = Ports::default();
        let given = ports.take(Some(loopback(port)), port).unwrap();
        assert_ne!(given.port(), port);
    }

    #[test]
    fn no_port_is_given_twice() {
        let free = TcpListener::bind(loopback(0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut ports = Ports::default();
        let first = ports.take(None, free).unwrap();
        assert_ne!(ports.take(None, free).unwrap(), first);
    }
}
