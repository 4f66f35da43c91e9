//! Opens connections to a target: name lookup, TCP, TLS, within the target's connect timeout.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::proxy::tunnel;
use super::resolve::Resolver;
use super::{TimeoutPhase, UpstreamError, UpstreamTarget};
use crate::io::Io;

/// Most addresses tried for one connection.
const ATTEMPTS_MAX: usize = 4;

/// A fresh connection.
pub(super) struct Connected {
    pub(super) io: Io,
    /// Whether the upstream agreed to HTTP/2 by ALPN.
    pub(super) is_http2: bool,
}

/// Connects to the first address of the target that accepts.
pub(super) async fn connect(
    target: &UpstreamTarget,
    resolver: &Resolver,
) -> Result<Connected, UpstreamError> {
    let timeout = target.options().connect_timeout;
    match tokio::time::timeout(timeout, connect_untimed(target, resolver)).await {
        Ok(connected) => connected,
        Err(_) => Err(UpstreamError::Timeout(TimeoutPhase::Connect)),
    }
}

async fn connect_untimed(
    target: &UpstreamTarget,
    resolver: &Resolver,
) -> Result<Connected, UpstreamError> {
    let options = target.options();
    let stream = match &options.proxy {
        None => {
            let addresses = resolve(resolver, &options.host, options.port).await?;
            connect_any(&options.addresses.filter(addresses)?).await
        }
        Some(proxy) => {
            // The proxy looks the name up: only what is an address already can be checked here.
            if let Ok(address) = options.host.parse() {
                let address = SocketAddr::new(address, options.port);
                options.addresses.filter(vec![address])?;
            }
            let addresses = resolve(resolver, &proxy.host, proxy.port).await?;
            let stream = connect_any(&addresses)
                .await
                .map_err(UpstreamError::Connect)?;
            Ok(tunnel(stream, proxy, &options.host, options.port).await?)
        }
    }
    .map_err(UpstreamError::Connect)?;
    stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
    let Some(tls) = target.tls() else {
        return Ok(Connected {
            io: Io::Clear(stream),
            is_http2: false,
        });
    };
    let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
    let stream = connector
        .connect(tls.server_name.clone(), stream)
        .await
        .map_err(UpstreamError::Tls)?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = Io::Tls(Box::new(tokio_rustls::TlsStream::Client(stream)));
    Ok(Connected { io, is_http2 })
}

async fn resolve(
    resolver: &Resolver,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, UpstreamError> {
    resolver
        .addresses(host, port)
        .await
        .map_err(UpstreamError::Resolve)
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "no address");
    for address in addresses.iter().take(ATTEMPTS_MAX) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
