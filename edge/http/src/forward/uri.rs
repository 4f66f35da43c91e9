//! The URI of the call to an endpoint: its base path, the request's path behind the context path,
//! and the queries of both.

use bytes::{BufMut as _, BytesMut};
use http::{Uri, uri::PathAndQuery};

/// Path and query an endpoint's target brings along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPath {
    /// Base path without a trailing slash: empty or `/…`.
    base: Box<str>,
    /// Query without `?`; empty if there is none.
    query: Box<str>,
}

impl TargetPath {
    /// Takes the path (with or without trailing slash) and the query of a target URL.
    #[must_use]
    pub fn new(path: &str, query: Option<&str>) -> Self {
        Self {
            base: path.trim_end_matches('/').into(),
            query: query.unwrap_or("").into(),
        }
    }

    /// Base path without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
}

/// Joins target, path and query; `None` if the result is no URI (a policy may have written anything).
///
/// `path` is empty or starts with `/`. Queries are joined with `&` as raw text: nothing is decoded,
/// encoded or reordered.
#[must_use]
pub fn upstream_uri(target: &TargetPath, path: &str, query: Option<&str>) -> Option<Uri> {
    let query = query.unwrap_or("");
    let length = target.base.len() + path.len() + query.len() + target.query.len() + 3;
    let mut text = BytesMut::with_capacity(length);
    text.put_slice(target.base.as_bytes());
    if !path.is_empty() && !path.starts_with('/') {
        text.put_u8(b'/');
    }
    text.put_slice(path.as_bytes());
    if text.is_empty() {
        text.put_u8(b'/');
    }
    for (separator, part) in [
        (b'?', query),
        (if query.is_empty() { b'?' } else { b'&' }, &*target.query),
    ] {
        if !part.is_empty() {
            text.put_u8(separator);
            text.put_slice(part.as_bytes());
        }
    }
    PathAndQuery::from_maybe_shared(text.freeze())
        .ok()
        .map(Uri::from)
}
