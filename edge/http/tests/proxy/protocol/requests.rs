//! What reaches the endpoint of what a client sends (RFC 9110, 9112).

use super::answer;
use crate::{definition::api, edge::Edge, upstream::Upstream};

#[test]
fn targets_reach_the_endpoint_as_they_were_sent() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![api("api", "/a", &[&upstream.url()])]);
    for (target, expected) in [
        ("/a/x%20y", "/x%20y"),
        ("/a/%7Euser", "/%7Euser"),
        ("/a/x%2Fy", "/x%2Fy"),
        ("/a/x%2fy", "/x%2fy"),
        ("/a/x//y", "/x//y"),
        ("/a/./x", "/./x"),
        ("/a/b/../x", "/b/../x"),
        ("/a/%2e%2e/x", "/%2e%2e/x"),
        ("/a/x;v=1,2", "/x;v=1,2"),
        ("/a/x+y?q=a+b", "/x+y?q=a+b"),
        ("/a/x?q=a%2Bb", "/x?q=a%2Bb"),
        ("/a/x?q=1&q=2&q", "/x?q=1&q=2&q"),
        ("/a/x?q=a?b/c", "/x?q=a?b/c"),
        ("/a/x?a=%E2%82%AC", "/x?a=%E2%82%AC"),
        ("http://gateway.test/a/x", "/x"),
    ] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n");
        let answer = answer(edge.address, &request);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let line = answer.body.lines().next().unwrap();
        assert_eq!(line, format!("GET {expected} HTTP/1.1"), "{target}");
    }
}

#[test]
fn an_encoded_path_never_reaches_another_api() {
    let (open, closed) = (Upstream::echo("open"), Upstream::echo("closed"));
    let edge = Edge::serving(vec![
        api("open", "/open", &[&open.url()]),
        api("closed", "/closed", &[&closed.url()]),
    ]);
    for (target, expected) in [
        ("/open/../closed/x", Some("open")),
        ("/open/%2e%2e/closed/x", Some("open")),
        ("/open%2Fx", None),
        ("/%6Fpen/x", None),
        ("/OPEN/x", None),
        ("//closed/x", None),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = answer(edge.address, &request);
        assert_eq!(
            answer.header("x-upstream"),
            expected,
            "{target}: {answer:?}"
        );
    }
}

#[test]
fn malformed_messages_are_refused_before_anything_reads_them() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let long = "x".repeat(70 * 1024);
    let many = "X-A: 1\r\n".repeat(200);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nx",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n",
            417,
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (
            &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..20 * 1024]),
            414,
        ),
    ] {
        let answer = answer(edge.address, request);
        let shown = request.get(..80).unwrap_or(request);
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
    }
    assert_eq!(upstream.served(), 0, "nothing malformed goes on");
}

#[test]
fn fields_keep_their_order_and_number_and_hops_stay_hops() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Many: 1\r\nX-Many: 2\r\nX-Empty:\r\n\
        X-Latin: \u{e9}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
        TE: trailers\r\nProxy-Connection: keep-alive\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
    let seen = answer(edge.address, request).body.to_ascii_lowercase();
    for expected in [
        "x-many: 1\r\nx-many: 2\r\n",
        "x-empty: \r\n",
        "x-latin: \u{e9}\r\n",
    ] {
        assert!(seen.contains(expected), "{expected:?} in {seen}");
    }
    for hop in ["x-hop", "keep-alive", "proxy-connection"] {
        assert!(!seen.contains(hop), "{hop} in {seen}");
    }
}

#[test]
fn a_body_is_asked_for_once_and_only_if_it_is_wanted() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![api("api", "/a", &[&upstream.url()])]);
    let head = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let received = super::exchange(edge.address, &format!("POST /a {head}hi"));
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(text.contains("200 OK") && text.ends_with("hi"), "{text}");
    assert!(text.matches("100 Continue").count() <= 1, "{text}");
    let refused = super::exchange(edge.address, &format!("POST /nowhere {head}"));
    assert!(
        refused.starts_with(b"HTTP/1.1 404"),
        "no 100 before a refusal"
    );
}
