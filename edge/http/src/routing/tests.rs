//! The router against a naive matcher, and the rules one by one.

use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};

use super::{Match, Router, RouterBuilder, normalise, path_info};

fn router(acceptors: &[(Option<&str>, &str)]) -> Router {
    let mut builder = RouterBuilder::default();
    for (target, (host, path)) in (0_u32..).zip(acceptors) {
        builder.add(*host, path, target).unwrap();
    }
    builder.build()
}

fn check(acceptors: &[(Option<&str>, &str)], request: (Option<&str>, &str), found: Option<u32>) {
    let router = router(acceptors);
    let target = router.find(request.0, request.1).map(|found| found.target);
    assert_eq!(target, found, "{request:?} on {acceptors:?}");
}

#[test]
fn the_longest_prefix_wins() {
    let acceptors = [(None, "/"), (None, "/a"), (None, "/a/b/"), (None, "/ab")];
    for (path, found) in [
        ("/", 0),
        ("/x", 0),
        ("/a", 1),
        ("/a/", 1),
        ("/a/bc", 1),
        ("/a/b", 2),
        ("/a/b/c", 2),
        ("/ab", 3),
        ("/ab/", 3),
        ("/abc", 0),
    ] {
        check(&acceptors, (None, path), Some(found));
    }
}

#[test]
fn a_path_outside_every_acceptor_is_not_found() {
    for path in ["/", "/b", "/A", "/%61", "", "*", "/a-b", "a", "/a%2Fb"] {
        check(&[(None, "/a")], (None, path), None);
    }
}

#[test]
fn the_path_is_compared_as_it_was_sent() {
    check(&[(None, "/a b%20c")], (None, "/a b%20c/x"), Some(0));
    check(&[(None, "/caf%C3%A9")], (None, "/caf%c3%a9"), None);
    check(&[(None, "/a")], (None, "/a/../b"), Some(0));
}

#[test]
fn a_host_is_tried_before_hostless_paths_and_falls_back_to_them() {
    let acceptors = [
        (None, "/shop"),
        (Some("Example.org"), "/shop/eu"),
        (Some("example.org:8443"), "/shop/eu/tls"),
    ];
    for (host, path, found) in [
        (Some("EXAMPLE.ORG"), "/shop/eu/1", Some(1)),
        (Some("example.org:80"), "/shop/eu/1", Some(1)),
        (Some("example.org:8443"), "/shop/eu/tls", Some(2)),
        (Some("example.org:8443"), "/shop/eu/x", Some(1)),
        (Some("example.org"), "/shop/eu/tls", Some(1)),
        (Some("example.org"), "/shop/us", Some(0)),
        (Some("sub.example.org"), "/shop/eu/1", Some(0)),
        (None, "/shop/eu/1", Some(0)),
        (Some("example.org"), "/other", None),
    ] {
        check(&acceptors, (host, path), found);
    }
}

#[test]
fn an_ipv6_host_keeps_its_brackets() {
    check(&[(Some("[::1]"), "/")], (Some("[::1]:8082"), "/x"), Some(0));
    check(&[(Some("[::1]"), "/")], (Some("[::1]"), "/x"), Some(0));
}

#[test]
fn an_endless_host_finds_hostless_paths_only() {
    let host = "h".repeat(4096);
    check(
        &[(Some("h"), "/"), (None, "/a")],
        (Some(&host), "/a"),
        Some(1),
    );
}

#[test]
fn the_first_claim_keeps_an_acceptor() {
    let mut builder = RouterBuilder::default();
    builder.add(Some("H"), "/a", 1).unwrap();
    builder.add(Some("h"), "/a/", 1).unwrap();
    let duplicate = builder.add(Some("h"), "//a", 2).unwrap_err();
    assert_eq!((duplicate.path.as_str(), duplicate.holder), ("/a/", 1));
    assert_eq!(builder.build().find(Some("h"), "/a").unwrap().target, 1);
}

#[test]
fn path_info_is_what_follows_the_context_path() {
    for (context, path, info) in [
        ("/a/", "/a/b", "/b"),
        ("/a/", "/a/", "/"),
        ("/a/", "/a", ""),
        ("/", "/x", "/x"),
    ] {
        assert_eq!(path_info(context, path), info, "{context} {path}");
    }
}

/// Paths over a tiny alphabet, so that prefixes, siblings and repeated slashes meet often.
fn any_path() -> impl Strategy<Value = String> {
    "(/[ab./]{0,3}){0,5}"
}

fn naive<'a>(
    acceptors: &'a [(Option<String>, String)],
    host: Option<&str>,
    path: &str,
) -> Option<Match<'a>> {
    let on = |wanted: Option<&str>| {
        (0_u32..)
            .zip(acceptors)
            .filter(|(_, (host, _))| host.as_deref() == wanted)
            .filter(|(_, (_, acceptor))| {
                path.starts_with(acceptor.as_str()) || path == &acceptor[..acceptor.len() - 1]
            })
            .max_by_key(|(_, (_, acceptor))| acceptor.len())
            .map(|(target, (_, acceptor))| Match {
                context_path: acceptor,
                target,
            })
    };
    host.and_then(|host| on(Some(host))).or_else(|| on(None))
}

proptest! {
    #[test]
    fn the_router_agrees_with_a_naive_matcher(
        claims in prop::collection::btree_set((prop::option::of("[xy]"), any_path()), 0..24),
        requests in prop::collection::vec((prop::option::of("[xyz]"), any_path()), 1..24),
    ) {
        let mut acceptors: Vec<(Option<String>, String)> =
            claims.into_iter().map(|(host, path)| (host, normalise(&path))).collect();
        acceptors.sort();
        acceptors.dedup();
        let mut builder = RouterBuilder::default();
        for (target, (host, path)) in (0_u32..).zip(&acceptors) {
            builder.add(host.as_deref(), path, target).unwrap();
        }
        let router = builder.build();
        prop_assert_eq!(router.len(), acceptors.len());
        for (host, path) in &requests {
            prop_assert_eq!(
                router.find(host.as_deref(), path),
                naive(&acceptors, host.as_deref(), path),
                "{:?} {:?}", host, path
            );
        }
    }
}
