//! The whole data plane with real sockets: a definition is compiled, workers serve it, clients and
//! upstreams are sockets of the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_errors_doc,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod accounts;
mod client;
mod cors;
mod definition;
mod discovery;
mod documents;
mod edge;
mod failover;
mod failures;
mod flows;
mod grpc;
mod health;
mod http2;
mod left;
mod outbound_proxy;
mod plans;
mod protocol;
mod routing;
mod streaming;
mod swap;
mod tls;
mod tokens;
mod trusted;
mod upstream;
