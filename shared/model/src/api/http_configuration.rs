//! The configuration of `http-proxy` endpoints with its defaults.

use serde_json::Value;

use crate::{
    limits,
    read::{At, Label},
    secret::Secret,
};

/// Longest duration a definition may ask for: one day, in milliseconds.
const DURATION_MS_MAX: u32 = 86_400_000;
/// Largest connection pool of one endpoint.
const CONNECTIONS_MAX: u32 = 65_536;
const CONNECT_TIMEOUT_MS: u32 = 3_000;
const READ_TIMEOUT_MS: u32 = 10_000;
const IDLE_TIMEOUT_MS: u32 = 60_000;
const KEEP_ALIVE_TIMEOUT_MS: u32 = 30_000;
const CONNECTIONS: u32 = 20;
const HTTP2_FRAME_BYTES: u32 = 16_384;
const HTTP2_FRAME_BYTES_MAX: u32 = 16_777_215;

/// Everything an `http-proxy` endpoint needs to reach its backend.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpEndpointConfiguration {
    /// The URL of the backend; may hold expressions, which are evaluated once at activation.
    pub target: String,
    /// Protocol, timeouts and pool.
    pub http: HttpOptions,
    /// Headers set on every request to the backend.
    pub headers: Vec<EndpointHeader>,
    /// The proxy between gateway and backend.
    pub proxy: HttpProxy,
    /// How the backend's certificate is checked and which one is shown to it.
    pub ssl: SslOptions,
}

/// A header that is set on requests to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHeader {
    /// Its name.
    pub name: String,
    /// Its value; may hold expressions, which are evaluated once at activation.
    pub value: String,
}

/// Which HTTP is spoken to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2.
    Http2,
}

impl Label for HttpVersion {
    const LABELS: &'static [(&'static str, Self)] =
        &[("HTTP_1_1", Self::Http1), ("HTTP_2", Self::Http2)];
}

/// Protocol, timeouts and pool of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the independent switches of the definition"
)]
pub struct HttpOptions {
    /// The protocol.
    pub version: HttpVersion,
    /// Milliseconds until a connection must stand.
    pub connect_timeout_ms: u32,
    /// Milliseconds for the whole exchange.
    pub read_timeout_ms: u32,
    /// Milliseconds a connection may be silent.
    pub idle_timeout_ms: u32,
    /// Whether connections are used again.
    pub keep_alive: bool,
    /// Milliseconds an unused connection is kept.
    pub keep_alive_timeout_ms: u32,
    /// Whether requests are sent before earlier ones are answered (HTTP/1.1).
    pub pipelining: bool,
    /// The size of the connection pool.
    pub max_concurrent_connections: u32,
    /// Whether compressed answers are asked for.
    pub use_compression: bool,
    /// Whether the client's `Accept-Encoding` is passed on; only matters without compression.
    pub propagate_client_accept_encoding: bool,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 without TLS starts as an HTTP/1.1 upgrade.
    pub clear_text_upgrade: bool,
    /// Settings of HTTP/2.
    pub http2: Http2Options,
}

/// Settings of HTTP/2; `None` leaves the protocol's or the implementation's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Options {
    /// Streams on one connection.
    pub multiplexing_limit: Option<u32>,
    /// Flow-control window of a connection, in bytes.
    pub connection_window_bytes: Option<u32>,
    /// Flow-control window of a stream, in bytes.
    pub stream_window_bytes: Option<u32>,
    /// The largest frame, in bytes.
    pub max_frame_bytes: u32,
}

/// The proxy between gateway and backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HttpProxy {
    /// None.
    #[default]
    Direct,
    /// The one the gateway is configured with.
    System,
    /// A given one.
    Server {
        /// Its protocol.
        kind: ProxyKind,
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// The user, if it asks for one.
        username: Option<String>,
        /// The user's password.
        password: Option<Secret<String>>,
    },
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP `CONNECT`.
    #[default]
    Http,
    /// SOCKS 4.
    Socks4,
    /// SOCKS 5.
    Socks5,
}

impl Label for ProxyKind {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("HTTP", Self::Http),
        ("SOCKS4", Self::Socks4),
        ("SOCKS5", Self::Socks5),
    ];
}

/// TLS towards a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SslOptions {
    /// Whether the certificate must name the host.
    pub hostname_verifier: bool,
    /// Whether any certificate is accepted.
    pub trust_all: bool,
    /// The certificates that are trusted; `None` takes the system's.
    pub trust_store: Option<TrustStore>,
    /// The certificate shown to the backend.
    pub key_store: Option<KeyStore>,
}

/// Where certificates or keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSource {
    /// A file on the gateway.
    Path(String),
    /// The content itself: PEM text, or base64 of another format.
    Content(Secret<String>),
}

/// Certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustStore {
    /// The format.
    pub format: StoreFormat,
    /// Where it comes from.
    pub source: StoreSource,
    /// What opens it.
    pub password: Option<Secret<String>>,
    /// The entry used; `None` takes all.
    pub alias: Option<String>,
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStore {
    /// PEM: certificate chain and key.
    Pem {
        /// The certificate chain.
        certificate: StoreSource,
        /// The private key.
        key: StoreSource,
    },
    /// JKS or PKCS#12.
    Archive {
        /// The format.
        format: StoreFormat,
        /// Where it comes from.
        source: StoreSource,
        /// What opens it.
        password: Option<Secret<String>>,
        /// What opens the key in it.
        key_password: Option<Secret<String>>,
        /// The entry used.
        alias: Option<String>,
    },
}

/// The format of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFormat {
    /// Java key store.
    Jks,
    /// PKCS#12.
    Pkcs12,
    /// PEM.
    Pem,
}

/// The types as written; `""` and `NONE` mean that there is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreLabel {
    None,
    Some(StoreFormat),
}

impl Label for StoreLabel {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("NONE", Self::None),
        ("JKS", Self::Some(StoreFormat::Jks)),
        ("PKCS12", Self::Some(StoreFormat::Pkcs12)),
        ("PEM", Self::Some(StoreFormat::Pem)),
        ("", Self::None),
    ];
}

impl HttpEndpointConfiguration {
    pub(crate) fn read(own: &At<'_>, shared: &At<'_>) -> Self {
        let header = |at: &At<'_>| {
            at.members()?;
            Some(EndpointHeader {
                name: at.required_text("name", limits::SHORT_TEXT),
                value: at.text("value", limits::LONG_TEXT).unwrap_or_default(),
            })
        };
        let empty = Value::Null;
        let part = |name: &str| shared.member(name).filter(|part| part.members().is_some());
        let or_empty = |name: &str| part(name).unwrap_or_else(|| shared.replaced_by(&empty));
        Self {
            target: own.required_text("target", limits::URL),
            http: HttpOptions::read(&or_empty("http")),
            headers: shared
                .list("headers", limits::ENDPOINT_HEADERS)
                .iter()
                .filter_map(header)
                .collect(),
            proxy: part("proxy")
                .map(|proxy| HttpProxy::read(&proxy))
                .unwrap_or_default(),
            ssl: SslOptions::read(&or_empty("ssl")),
        }
    }
}

impl HttpOptions {
    fn read(at: &At<'_>) -> Self {
        let duration = |name, default| at.natural(name, (0, DURATION_MS_MAX), default);
        Self {
            version: at.label("version", HttpVersion::default()),
            connect_timeout_ms: duration("connectTimeout", CONNECT_TIMEOUT_MS),
            read_timeout_ms: duration("readTimeout", READ_TIMEOUT_MS),
            idle_timeout_ms: duration("idleTimeout", IDLE_TIMEOUT_MS),
            keep_alive: at.flag("keepAlive", true),
            keep_alive_timeout_ms: duration("keepAliveTimeout", KEEP_ALIVE_TIMEOUT_MS),
            pipelining: at.flag("pipelining", false),
            max_concurrent_connections: at.natural(
                "maxConcurrentConnections",
                (1, CONNECTIONS_MAX),
                CONNECTIONS,
            ),
            use_compression: at.flag("useCompression", true),
            propagate_client_accept_encoding: at.flag("propagateClientAcceptEncoding", false),
            follow_redirects: at.flag("followRedirects", false),
            clear_text_upgrade: at.flag("clearTextUpgrade", true),
            http2: Http2Options::read(at),
        }
    }
}

impl Http2Options {
    fn read(at: &At<'_>) -> Self {
        let setting = |name| {
            let number = at.integer(name, (-1, i64::from(i32::MAX)), -1);
            u32::try_from(number).ok().filter(|number| *number > 0)
        };
        Self {
            multiplexing_limit: setting("http2MultiplexingLimit"),
            connection_window_bytes: setting("http2ConnectionWindowSize"),
            stream_window_bytes: setting("http2StreamWindowSize"),
            max_frame_bytes: at.natural(
                "http2MaxFrameSize",
                (HTTP2_FRAME_BYTES, HTTP2_FRAME_BYTES_MAX),
                HTTP2_FRAME_BYTES,
            ),
        }
    }
}

impl HttpProxy {
    pub(crate) fn read(at: &At<'_>) -> Self {
        if !at.flag("enabled", false) {
            return Self::Direct;
        }
        if at.flag("useSystemProxy", false) {
            return Self::System;
        }
        if at.member("port").is_none() {
            at.missing("port", "a port from 1 to 65535");
        }
        Self::Server {
            kind: at.label("type", ProxyKind::default()),
            host: at.required_text("host", limits::SHORT_TEXT),
            port: u16::try_from(at.natural("port", (1, 65_535), 1)).unwrap_or(1),
            username: at.text("username", limits::SHORT_TEXT),
            password: at.text("password", limits::SHORT_TEXT).map(Secret::new),
        }
    }
}

impl SslOptions {
    pub(crate) fn read(at: &At<'_>) -> Self {
        let store = |name: &str, old_name: &str| {
            at.member(name)
                .or_else(|| at.member(old_name))
                .filter(|store| store.members().is_some())
        };
        Self {
            hostname_verifier: at.flag("hostnameVerifier", true),
            trust_all: at.flag("trustAll", false),
            trust_store: store("trustStore", "truststore").and_then(|at| TrustStore::read(&at)),
            key_store: store("keyStore", "keystore").and_then(|at| KeyStore::read(&at)),
        }
    }
}

/// The source named by `path` or `content`; it is reported when both are absent.
fn source(at: &At<'_>, path: &str, content: &str) -> Option<StoreSource> {
    let not_blank = |text: &String| !text.trim().is_empty();
    if let Some(content) = at.text(content, limits::LONG_TEXT).filter(not_blank) {
        return Some(StoreSource::Content(Secret::new(content)));
    }
    let found = at
        .text(path, limits::URL)
        .filter(not_blank)
        .map(StoreSource::Path);
    if found.is_none() {
        at.missing(path, &format!("{path} or {content}"));
    }
    found
}

impl TrustStore {
    fn read(at: &At<'_>) -> Option<Self> {
        let StoreLabel::Some(format) = at.label("type", StoreLabel::None) else {
            return None;
        };
        Some(Self {
            format,
            source: source(at, "path", "content")?,
            password: at.text("password", limits::SHORT_TEXT).map(Secret::new),
            alias: at.text("alias", limits::SHORT_TEXT),
        })
    }
}

impl KeyStore {
    fn read(at: &At<'_>) -> Option<Self> {
        let StoreLabel::Some(format) = at.label("type", StoreLabel::None) else {
            return None;
        };
        if format == StoreFormat::Pem {
            let certificate = source(at, "certPath", "certContent");
            let key = source(at, "keyPath", "keyContent");
            return Some(Self::Pem {
                certificate: certificate?,
                key: key?,
            });
        }
        Some(Self::Archive {
            format,
            source: source(at, "path", "content")?,
            password: at.text("password", limits::SHORT_TEXT).map(Secret::new),
            key_password: at.text("keyPassword", limits::SHORT_TEXT).map(Secret::new),
            alias: at.text("alias", limits::SHORT_TEXT),
        })
    }
}
