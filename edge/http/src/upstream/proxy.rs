//! Reaching a target through a proxy: HTTP `CONNECT` (RFC 9110 §9.3.6), SOCKS 4a and SOCKS 5 (RFC 1928).

use std::{fmt, io};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_socks::tcp::{socks4::Socks4Stream, socks5::Socks5Stream};
use url::Url;

/// Longest answer to `CONNECT`.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A proxy between this edge and a target.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyOptions {
    /// What it speaks.
    pub protocol: ProxyProtocol,
    /// Host name or IP literal.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who asks, if the proxy wants to know.
    pub user: Option<ProxyUser>,
}

/// Who asks a proxy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUser {
    /// The name.
    pub name: String,
    /// The password; SOCKS 4 has none.
    pub password: String,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// HTTP `CONNECT`, for clear text as well: the connection belongs to the target alone.
    Http,
    /// SOCKS 4a, which looks names up itself.
    Socks4,
    /// SOCKS 5, which looks names up itself.
    Socks5,
}

/// Why a proxy made no connection.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection to the proxy failed.
    #[error("the connection to the proxy failed")]
    Io(#[from] io::Error),
    /// The proxy answered with another status than 200.
    #[error("the proxy refused with status {0}")]
    Status(u16),
    /// The proxy answered with something that is no HTTP.
    #[error("the proxy does not speak HTTP")]
    Malformed,
    /// A SOCKS proxy refused.
    #[error("the proxy refused")]
    Socks(#[from] tokio_socks::Error),
}

impl ProxyOptions {
    /// Reads a URL with the scheme `http`, `socks4` or `socks5`, and a port; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let (protocol, default_port) = match url.scheme() {
            "http" => (ProxyProtocol::Http, 80),
            "socks4" | "socks4a" => (ProxyProtocol::Socks4, 1080),
            "socks5" | "socks5h" => (ProxyProtocol::Socks5, 1080),
            _ => return None,
        };
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let decoded = |text| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.ok().map(|text| text.into_owned())
        };
        let user = match url.username() {
            "" => None,
            name => Some(ProxyUser {
                name: decoded(name)?,
                password: decoded(url.password().unwrap_or_default())?,
            }),
        };
        Some(Self {
            protocol,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(default_port),
            user,
        })
    }
}

impl fmt::Debug for ProxyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyOptions")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("with_user", &self.user.is_some())
            .finish()
    }
}

impl fmt::Debug for ProxyUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUser(redacted)")
    }
}

/// Asks the proxy behind `stream` for a connection to `host:port`, which `stream` then is.
///
/// # Errors
/// The proxy refuses, or does not speak its protocol.
pub async fn tunnel(
    stream: TcpStream,
    proxy: &ProxyOptions,
    host: &str,
    port: u16,
) -> Result<TcpStream, ProxyError> {
    let user = proxy.user.as_ref();
    match proxy.protocol {
        ProxyProtocol::Http => connect(stream, user, host, port).await,
        ProxyProtocol::Socks4 => {
            let tunnel = match user {
                None => Socks4Stream::connect_with_socket(stream, (host, port)).await?,
                Some(user) => {
                    Socks4Stream::connect_with_userid_and_socket(stream, (host, port), &user.name)
                        .await?
                }
            };
            Ok(tunnel.into_inner())
        }
        ProxyProtocol::Socks5 => {
            let tunnel = match user {
                None => Socks5Stream::connect_with_socket(stream, (host, port)).await?,
                Some(ProxyUser { name, password }) => {
                    Socks5Stream::connect_with_password_and_socket(
                        stream,
                        (host, port),
                        name,
                        password,
                    )
                    .await?
                }
            };
            Ok(tunnel.into_inner())
        }
    }
}

async fn connect(
    mut stream: TcpStream,
    user: Option<&ProxyUser>,
    host: &str,
    port: u16,
) -> Result<TcpStream, ProxyError> {
    let authority = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(ProxyUser { name, password }) = user {
        let credentials = BASE64_STANDARD.encode(format!("{name}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(&mut stream).await?;
    match status(&head).ok_or(ProxyError::Malformed)? {
        200..=299 => Ok(stream),
        other => Err(ProxyError::Status(other)),
    }
}

/// Reads byte by byte: what follows the head belongs to the target, which may speak first.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, ProxyError> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= ANSWER_BYTES_MAX {
            return Err(ProxyError::Malformed);
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    let (_minor, rest) = rest.split_once(' ')?;
    rest.get(..3)?.parse().ok()
}
