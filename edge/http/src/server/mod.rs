//! The downstream side: accepts connections, speaks HTTP/1.1 and HTTP/2 with clients, and calls a [`Handler`].
//!
//! Nothing here knows APIs, routes or policies.

mod accept;
mod connection;
mod http1;
mod http2;
mod limits;
mod refusal;
mod respond;
mod tls_facts;
mod tunnel;

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

pub use self::connection::ClientBody;
pub use self::limits::{Http2Limits, Limits};
pub use self::refusal::Refusal;
pub use self::tls_facts::TlsFacts;

use self::accept::Worker;
pub(crate) use self::accept::{Listeners, run};
pub(crate) use self::http2::LocalExecutor;
use crate::message::{Request, Response};
use crate::upstream::UpgradedIo;

/// Answers requests. One instance serves all connections of one worker thread.
///
/// A request arrives normalised whatever the protocol was: `uri` is the origin form (path and query, or `*`),
/// `Host` is present except in HTTP/1.0 and agrees with the authority, cookies are one field.
/// Dropping the future means that the client has gone.
pub trait Handler: 'static {
    /// Answers one request.
    fn handle(
        &self,
        request: Request,
        connection: &Rc<ConnectionFacts>,
    ) -> impl Future<Output = Reply>;

    /// Takes note of a message or connection that was refused before a handler saw it.
    fn refused(&self, _reason: Refusal) {}

    /// Takes note of a connection that opened (`true`) or closed (`false`).
    fn connection_changed(&self, _opened: bool) {}
}

/// What is known of a client's connection.
#[derive(Debug)]
pub struct ConnectionFacts {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address the client connected to.
    pub local: SocketAddr,
    /// What the handshake told; `None` for clear text.
    pub tls: Option<TlsFacts>,
    /// Names the bind that accepted the connection: `http` or `https`.
    pub server_id: &'static str,
}

/// The answer to a request.
#[derive(Debug)]
pub enum Reply {
    /// An ordinary response; its body streams.
    Response(Response),
    /// The upstream agreed to switch protocols: after this head, bytes are copied both ways.
    Upgrade {
        /// Status 101 with the fields of the upstream's answer.
        response: Response<()>,
        /// The upstream's side of the connection.
        upstream: UpgradedIo,
    },
}
