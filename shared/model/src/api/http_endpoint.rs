//! Configuration of the `http-proxy` connector.

use serde_json::Value;

use super::endpoint::{Endpoint, EndpointGroup};
use crate::{
    Secret, Violation,
    read::{Fields, Report},
};

/// Everything the HTTP connector needs to reach one endpoint.
#[derive(Debug, Clone)]
pub struct HttpEndpointConfiguration {
    /// URL of the backend; may hold expressions, evaluated once at deployment.
    pub target: String,
    /// Connection settings.
    pub http: HttpOptions,
    /// TLS settings.
    pub ssl: SslOptions,
    /// Set on every request, after policies.
    pub headers: Vec<EndpointHeader>,
    /// Way out through a proxy.
    pub proxy: Option<ProxyOptions>,
}

/// A header set on every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHeader {
    /// Header name.
    pub name: String,
    /// Value; may hold expressions, evaluated once at deployment.
    pub value: String,
}

/// Protocol towards the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
}

/// Connection settings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the format"
)]
pub struct HttpOptions {
    /// Protocol.
    pub version: HttpVersion,
    /// Milliseconds to connect.
    pub connect_timeout_ms: u64,
    /// Milliseconds for the whole exchange.
    pub read_timeout_ms: u64,
    /// Milliseconds a connection may be idle inside an exchange.
    pub idle_timeout_ms: u64,
    /// Whether connections are reused.
    pub keep_alive: bool,
    /// Milliseconds a connection waits for reuse.
    pub keep_alive_timeout_ms: u64,
    /// Connections per endpoint.
    pub max_concurrent_connections: u32,
    /// Whether compression is negotiated on the client's side.
    pub use_compression: bool,
    /// Whether `Accept-Encoding` of the client is passed on.
    pub propagate_client_accept_encoding: bool,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 in clear text is used for `http` targets.
    pub clear_text_upgrade: bool,
    /// Streams per HTTP/2 connection; `None` for no own limit.
    pub http2_multiplexing_limit: Option<u32>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            version: HttpVersion::Http11,
            connect_timeout_ms: 3_000,
            read_timeout_ms: 10_000,
            idle_timeout_ms: 60_000,
            keep_alive: true,
            keep_alive_timeout_ms: 30_000,
            // The parser of the reference takes 100 when nothing is said, its forms write 20.
            max_concurrent_connections: 100,
            use_compression: true,
            propagate_client_accept_encoding: false,
            follow_redirects: false,
            clear_text_upgrade: true,
            http2_multiplexing_limit: None,
        }
    }
}

/// TLS settings.
#[derive(Debug, Clone)]
pub struct SslOptions {
    /// False to accept any host name.
    pub hostname_verifier: bool,
    /// True to accept any certificate.
    pub trust_all: bool,
    /// Certificates to trust instead of the system's.
    pub trust_store: Option<TrustStore>,
    /// Certificate of the client.
    pub key_store: Option<KeyStore>,
}

impl Default for SslOptions {
    fn default() -> Self {
        Self {
            hostname_verifier: true,
            trust_all: false,
            trust_store: None,
            key_store: None,
        }
    }
}

/// Certificates to trust.
#[derive(Debug, Clone)]
pub struct TrustStore {
    /// `PEM`, `PKCS12` or `JKS`.
    pub kind: String,
    /// File on the gateway.
    pub path: Option<String>,
    /// Content: PEM text, or base64 of a binary store.
    pub content: Option<String>,
    /// Password of a binary store.
    pub password: Option<Secret<String>>,
}

/// Certificate and key of the client.
#[derive(Debug, Clone)]
pub struct KeyStore {
    /// `PEM`, `PKCS12` or `JKS`.
    pub kind: String,
    /// File of a binary store, or of the certificate.
    pub path: Option<String>,
    /// Binary store in base64, or the certificate in PEM.
    pub content: Option<String>,
    /// File of the key in PEM.
    pub key_path: Option<String>,
    /// Key in PEM.
    pub key_content: Option<Secret<String>>,
    /// Password of a binary store.
    pub password: Option<Secret<String>>,
    /// Entry of a binary store.
    pub alias: Option<String>,
    /// Password of the entry.
    pub key_password: Option<Secret<String>>,
}

/// Way out through a proxy.
#[derive(Debug, Clone)]
pub enum ProxyOptions {
    /// As the gateway is configured.
    System,
    /// A given one.
    Given {
        /// `HTTP`, `SOCKS4` or `SOCKS5`.
        kind: String,
        /// Host name.
        host: String,
        /// Port.
        port: u16,
        /// User name.
        username: Option<String>,
        /// Password.
        password: Option<Secret<String>>,
    },
}

impl Endpoint {
    /// Reads the configuration of an `http-proxy` endpoint, with that of its group if it inherits.
    ///
    /// # Errors
    /// Fails with every member that is missing or wrong; paths start at the endpoint.
    pub fn http_configuration(
        &self,
        group: &EndpointGroup,
    ) -> Result<HttpEndpointConfiguration, Vec<Violation>> {
        let report = Report::default();
        let target = read_target(&self.configuration, &report);
        let shared = self.effective_shared_configuration(group);
        let member = if self.inherit_configuration {
            "sharedConfiguration"
        } else {
            "sharedConfigurationOverride"
        };
        let configuration = read_shared(shared, member, target, &report);
        let (violations, _) = report.into_parts();
        match configuration {
            Some(configuration) if violations.is_empty() => Ok(configuration),
            _ => Err(violations),
        }
    }
}

fn read_target(configuration: &Value, report: &Report) -> String {
    let Some(mut fields) = Fields::of(configuration, "configuration", report) else {
        return String::new();
    };
    fields.required_text("target")
}

fn read_shared(
    shared: &Value,
    path: &str,
    target: String,
    report: &Report,
) -> Option<HttpEndpointConfiguration> {
    let mut fields = Fields::of(shared, path, report)?;
    Some(HttpEndpointConfiguration {
        target,
        http: read_http(&mut fields),
        ssl: read_ssl(&mut fields),
        headers: fields.each("headers", |value, path, report| {
            let mut header = Fields::of(value, path, report)?;
            let name = header.required_text("name");
            Some(EndpointHeader {
                name,
                value: header.text("value").unwrap_or_default(),
            })
        }),
        proxy: read_proxy(&mut fields),
    })
}

fn read_http(fields: &mut Fields<'_, '_>) -> HttpOptions {
    let default = HttpOptions::default();
    let Some(mut http) = open(fields, "http") else {
        return default;
    };
    let versions = &[
        ("HTTP_1_1", HttpVersion::Http11),
        ("HTTP_2", HttpVersion::Http2),
    ];
    let connections = http
        .count(
            "maxConcurrentConnections",
            u64::from(default.max_concurrent_connections),
        )
        .clamp(1, 100_000);
    HttpOptions {
        version: http.label("version", versions).unwrap_or_default(),
        connect_timeout_ms: http.count("connectTimeout", default.connect_timeout_ms),
        read_timeout_ms: http.count("readTimeout", default.read_timeout_ms),
        idle_timeout_ms: http.count("idleTimeout", default.idle_timeout_ms),
        keep_alive: http.flag("keepAlive", default.keep_alive),
        keep_alive_timeout_ms: http.count("keepAliveTimeout", default.keep_alive_timeout_ms),
        max_concurrent_connections: u32::try_from(connections).unwrap_or(u32::MAX),
        use_compression: http.flag("useCompression", default.use_compression),
        propagate_client_accept_encoding: http.flag("propagateClientAcceptEncoding", false),
        follow_redirects: http.flag("followRedirects", false),
        clear_text_upgrade: http.flag("clearTextUpgrade", default.clear_text_upgrade),
        http2_multiplexing_limit: http
            .number("http2MultiplexingLimit")
            .and_then(|limit| u32::try_from(limit).ok())
            .filter(|limit| *limit > 0),
    }
}

fn read_ssl(fields: &mut Fields<'_, '_>) -> SslOptions {
    let Some(mut ssl) = open(fields, "ssl") else {
        return SslOptions::default();
    };
    SslOptions {
        hostname_verifier: ssl.flag("hostnameVerifier", true),
        trust_all: ssl.flag("trustAll", false),
        trust_store: open_any(&mut ssl, &["trustStore", "truststore"]).and_then(|mut store| {
            Some(TrustStore {
                kind: store_kind(&mut store)?,
                path: some_text(&mut store, "path"),
                content: some_text(&mut store, "content"),
                password: store.text("password").map(Secret::new),
            })
        }),
        key_store: open_any(&mut ssl, &["keyStore", "keystore"]).and_then(|mut store| {
            let kind = store_kind(&mut store)?;
            let certificate_path = some_text(&mut store, "certPath");
            let certificate = some_text(&mut store, "certContent");
            Some(KeyStore {
                kind,
                path: some_text(&mut store, "path").or(certificate_path),
                content: some_text(&mut store, "content").or(certificate),
                key_path: some_text(&mut store, "keyPath"),
                key_content: some_text(&mut store, "keyContent").map(Secret::new),
                password: store.text("password").map(Secret::new),
                alias: some_text(&mut store, "alias"),
                key_password: store.text("keyPassword").map(Secret::new),
            })
        }),
    }
}

fn read_proxy(fields: &mut Fields<'_, '_>) -> Option<ProxyOptions> {
    let mut proxy = open(fields, "proxy")?;
    if !proxy.flag("enabled", false) {
        return None;
    }
    if proxy.flag("useSystemProxy", false) {
        return Some(ProxyOptions::System);
    }
    let port = proxy.count("port", 0);
    let valid = u16::try_from(port).ok().filter(|port| *port > 0);
    if valid.is_none() {
        let path = proxy.path_of("port");
        proxy
            .report()
            .violation(Violation::new(path, port, "a port, 1 to 65535"));
    }
    let kinds = &[("HTTP", "HTTP"), ("SOCKS4", "SOCKS4"), ("SOCKS5", "SOCKS5")];
    Some(ProxyOptions::Given {
        kind: proxy.label("type", kinds).unwrap_or("HTTP").to_owned(),
        host: proxy.required_text("host"),
        port: valid.unwrap_or_default(),
        username: some_text(&mut proxy, "username"),
        password: proxy.text("password").map(Secret::new),
    })
}

/// `None` for the empty and the explicit "no store".
fn store_kind(store: &mut Fields<'_, '_>) -> Option<String> {
    let kind = store.text("type")?.to_uppercase();
    (!kind.is_empty() && kind != "NONE").then_some(kind)
}

fn some_text(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<String> {
    fields.text(name).filter(|text| !text.is_empty())
}

fn open<'v, 'r>(fields: &mut Fields<'v, 'r>, name: &'static str) -> Option<Fields<'v, 'r>> {
    open_any(fields, &[name])
}

fn open_any<'v, 'r>(fields: &mut Fields<'v, 'r>, names: &[&'static str]) -> Option<Fields<'v, 'r>> {
    let name = names
        .iter()
        .copied()
        .find(|name| fields.value(name).is_some())?;
    let value = fields.value(name)?;
    Fields::of(value, fields.path_of(name), fields.report())
}
