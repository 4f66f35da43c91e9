//! One router per server of the edge, for listeners that are bound to some of them only.

use super::{Duplicate, Router, RouterBuilder};

/// The servers of an edge: ids that `servers` of a listener may name.
pub const SERVER_IDS: [&str; 2] = ["http", "https"];

/// The acceptors of one configuration, by the server that took the connection.
///
/// As long as no listener names a server, which is usual, there is one router for all.
#[derive(Debug, Default)]
pub struct Routers {
    all: Router,
    own: Box<[(&'static str, Router)]>,
}

impl Routers {
    /// The router of a server.
    #[must_use]
    pub fn of(&self, server_id: &str) -> &Router {
        let mut own = self.own.iter();
        own.find(|(id, _)| *id == server_id)
            .map_or(&self.all, |(_, router)| router)
    }
}

/// An acceptor to be routed to.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// Host, or every one.
    pub host: Option<&'a str>,
    /// Path.
    pub path: &'a str,
    /// Servers it is bound to; empty means all.
    pub servers: &'a [String],
    /// What it leads to.
    pub target: u32,
}

impl Bound<'_> {
    fn is_on(&self, server_id: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|id| id == server_id)
    }
}

/// Builds the routers. Each conflict is told once, with the acceptor that lost.
pub fn build<'a>(
    acceptors: impl Iterator<Item = Bound<'a>> + Clone,
    mut conflict: impl FnMut(Bound<'a>, Duplicate),
) -> Routers {
    if acceptors
        .clone()
        .all(|acceptor| acceptor.servers.is_empty())
    {
        let all = router(acceptors, conflict);
        return Routers {
            all,
            own: Box::default(),
        };
    }
    let mut told: Vec<(u32, Duplicate)> = Vec::new();
    let own = SERVER_IDS.map(|id| {
        let here = acceptors.clone().filter(|acceptor| acceptor.is_on(id));
        let router = router(here, |acceptor, duplicate| {
            let seen = (acceptor.target, duplicate);
            if !told.contains(&seen) {
                conflict(acceptor, seen.1.clone());
                told.push(seen);
            }
        });
        (id, router)
    });
    Routers {
        all: Router::default(),
        own: own.into(),
    }
}

fn router<'a>(
    acceptors: impl Iterator<Item = Bound<'a>>,
    mut conflict: impl FnMut(Bound<'a>, Duplicate),
) -> Router {
    let mut builder = RouterBuilder::default();
    for acceptor in acceptors {
        if let Err(duplicate) = builder.add(acceptor.host, acceptor.path, acceptor.target) {
            conflict(acceptor, duplicate);
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound<'a>(path: &'a str, servers: &'a [String], target: u32) -> Bound<'a> {
        Bound {
            host: None,
            path,
            servers,
            target,
        }
    }

    #[test]
    fn a_listener_with_servers_is_only_reachable_there() {
        let (secure, foreign) = (["https".to_owned()], ["internal".to_owned()]);
        let acceptors = [
            bound("/open/", &[], 0),
            bound("/secure/", &secure, 1),
            bound("/foreign/", &foreign, 2),
        ];
        let routers = build(acceptors.into_iter(), |_, _| panic!("no conflict"));
        for (server, path, expected) in [
            ("http", "/open/x", Some(0)),
            ("https", "/open/x", Some(0)),
            ("http", "/secure/x", None),
            ("https", "/secure/x", Some(1)),
            ("http", "/foreign/x", None),
            ("https", "/foreign/x", None),
        ] {
            let found = routers.of(server).find(None, path);
            assert_eq!(found.map(|found| found.target), expected, "{server} {path}");
        }
    }

    #[test]
    fn a_path_may_belong_to_different_apis_on_different_servers() {
        let (clear, secure) = (["http".to_owned()], ["https".to_owned()]);
        let mut lost = Vec::new();
        let acceptors = [
            bound("/a/", &clear, 0),
            bound("/a/", &secure, 1),
            bound("/b/", &[], 2),
            bound("/b/", &[], 3),
        ];
        let routers = build(acceptors.into_iter(), |acceptor, duplicate| {
            lost.push((acceptor.target, duplicate.holder));
        });
        assert_eq!(lost, [(3, 2)], "told once");
        let target = |server| {
            routers
                .of(server)
                .find(None, "/a/x")
                .map(|found| found.target)
        };
        assert_eq!((target("http"), target("https")), (Some(0), Some(1)));
    }
}
