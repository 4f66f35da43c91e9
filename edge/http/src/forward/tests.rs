//! Hop-by-hop fields and upstream URIs.

use http::{HeaderMap, HeaderValue, header::HeaderName};

use super::{TargetPath, set_upgrade, strip_request, strip_response, upstream_uri};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn hop_by_hop_fields_of_a_request_are_removed() {
    let mut request = headers(&[
        ("Connection", "keep-alive, X-Hop"),
        ("Connection", "x-other"),
        ("Keep-Alive", "5"),
        ("X-Hop", "1"),
        ("X-Other", "1"),
        ("X-Stays", "1"),
        ("Proxy-Authorization", "Basic x"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Trailer", "X-T"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
    ]);
    assert_eq!(strip_request(&mut request), None);
    assert_eq!(names(&request), ["x-stays"]);
}

#[test]
fn a_client_cannot_drop_the_host_or_the_length_by_naming_it() {
    let mut request = headers(&[
        ("Connection", "host, content-length, close, , in valid"),
        ("Host", "a"),
        ("Content-Length", "3"),
    ]);
    strip_request(&mut request);
    assert_eq!(names(&request), ["content-length", "host"]);
}

#[test]
fn an_upgrade_counts_only_if_connection_names_it() {
    let mut named = headers(&[("Connection", "Upgrade"), ("Upgrade", "websocket")]);
    let protocol = strip_request(&mut named).unwrap();
    assert_eq!(protocol, "websocket");
    assert!(named.is_empty());
    set_upgrade(&mut named, protocol);
    assert_eq!(names(&named), ["connection", "upgrade"]);
    let mut unnamed = headers(&[("Upgrade", "websocket")]);
    assert_eq!(strip_request(&mut unnamed), None);
}

#[test]
fn a_response_keeps_its_trailer_announcement() {
    let mut response = headers(&[
        ("Connection", "close, x-hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "grpc-status"),
    ]);
    strip_response(&mut response);
    assert_eq!(names(&response), ["trailer"]);
}

#[test]
fn target_and_request_are_joined() {
    for (target, path, query, expected) in [
        (("", None), "/x", None, "/x"),
        (("/", None), "/x", None, "/x"),
        (("/v1/", None), "/x", None, "/v1/x"),
        (("/v1", None), "", None, "/v1"),
        (("", None), "", None, "/"),
        (("/v1", None), "/", None, "/v1/"),
        (("/v1", None), "x", None, "/v1/x"),
        (("", None), "/x", Some("a=1;b&c=%20"), "/x?a=1;b&c=%20"),
        (("", Some("k=v")), "/x", Some("a=1"), "/x?a=1&k=v"),
        (("", Some("k=v")), "/x", None, "/x?k=v"),
        (("/b", Some("k=v")), "/%2F//é", Some(""), "/b/%2F//é?k=v"),
    ] {
        let target = TargetPath::new(target.0, target.1);
        let uri = upstream_uri(&target, path, query).unwrap();
        assert_eq!(uri.to_string(), expected);
    }
}

#[test]
fn what_no_uri_can_hold_is_refused() {
    for (path, query) in [("/a b", None), ("/a\r\nX: y", None), ("/a", Some("q=\n"))] {
        assert_eq!(upstream_uri(&TargetPath::default(), path, query), None, "{path} {query:?}");
    }
}
