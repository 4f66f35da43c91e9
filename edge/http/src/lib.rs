//! The HTTP data plane of an edge: sockets and framing on both sides (`server`, `h1`, `body`,
//! `bind`, `upstream`), and between them the life of one request ([`Gateway`]) on a configuration
//! compiled when it was activated ([`compile`]).

pub mod access_log;
pub mod analytics;
pub mod balance;
pub mod bind;
pub mod body;
pub mod clock;
pub mod compile;
pub mod cors;
pub mod discovery;
pub mod endpoint;
mod error_response;
mod exchange;
pub mod flow;
pub mod forward;
pub mod h1;
pub mod health;
mod io;
mod live;
pub mod message;
pub mod metrics;
pub mod outbound;
pub mod path_mapping;
pub mod plan;
pub mod request_id;
pub mod routing;
pub mod server;
mod timers;
pub mod traffic;
pub mod upstream;
pub mod watch;
pub use exchange::{Gateway, GatewayParts, GatewaySettings};
pub use live::Live;
