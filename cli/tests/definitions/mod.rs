//! API definitions that several suites use.

#![allow(
    dead_code,
    reason = "every suite compiles this module and uses a part of it"
)]

use std::net::SocketAddr;

/// The `tidegate` program under test; the others lie beside it.
pub(crate) const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

/// A keyless API on a path, in native YAML.
pub(crate) fn keyless(name: &str, path: &str, upstream: SocketAddr) -> String {
    proxy(name, path, upstream, "", "")
}

/// A keyless API with extra lines in `spec`, indented by two.
pub(crate) fn keyless_with(name: &str, path: &str, upstream: SocketAddr, spec: &str) -> String {
    proxy(name, path, upstream, "", spec)
}

/// A keyless API with lines in `metadata` and `spec`, both indented by two.
pub(crate) fn proxy(
    name: &str,
    path: &str,
    upstream: SocketAddr,
    metadata: &str,
    spec: &str,
) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: Api
metadata:
  name: {name}
{metadata}spec:
  type: proxy
  apiVersion: '1.0'
  listeners:
    - type: http
      paths:
        - path: {path}
      entrypoints:
        - type: http-proxy
  endpointGroups:
    - name: default
      type: http-proxy
      endpoints:
        - name: first
          type: http-proxy
          configuration:
            target: http://{upstream}
  plans:
    - id: {name}-free
      name: Free
      security:
        type: key-less
      status: published
{spec}"
    )
}

/// An API that only takes API keys.
pub(crate) fn keyed(name: &str, path: &str, upstream: SocketAddr) -> String {
    keyless(name, path, upstream)
        .replace("key-less", "api-key")
        .replace("Free", "Keyed")
}
