//! The TCP data plane of an edge: TCP proxy APIs, found by the name a TLS client asks for.
//!
//! TLS ends at the edge, which is how a name can be read and how one certificate serves many APIs; what
//! goes on to the endpoint is clear, or TLS of its own if the target is `secured`. No plan is checked and
//! no flow runs: accept, connect, pipe. Source: `gravitee-v4.md` §1.3, §1.4 and §3.2.
#![warn(missing_docs)]

mod connection;
mod listen;
mod live;
mod metrics;
mod pipe;
mod record;
mod routes;
mod target;

pub use listen::{StartError, TcpEdge, TcpLimits, TcpListen, TcpParts};
pub use live::TcpLive;
pub use metrics::TcpMetrics;
pub use routes::{Routes, TcpApi, compile};
pub use target::{Target, TargetError};
