//! Upstream URIs.

use super::{TargetPath, upstream_uri};

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
        assert_eq!(
            upstream_uri(&TargetPath::default(), path, query),
            None,
            "{path} {query:?}"
        );
    }
}
