//! Settings of an edge, checked once at the start.

mod raw;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tidegate_edge_http::{
    access_log::AccessLogTarget,
    outbound::OutboundSettings,
    upstream::{AddressRule, ProxyOptions},
};
use tidegate_model::{Secret, TagSelector};
use tidegate_telemetry::LogFormat;
use tidegate_view::RootPin;

pub(crate) use self::raw::RawConfig;

const DATA_DIR: &str = "tidegate-edge";
const ENVIRONMENT: &str = "DEFAULT";
/// Ports of the contract; clients come from anywhere, operators from this machine.
const HTTP: &str = "0.0.0.0:8082";
const TECHNICAL: &str = "127.0.0.1:18082";
/// Longer than the default request timeout of upstreams would keep a deployment waiting.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// More threads than any machine this runs on has cores.
const WORKERS_MAX: usize = 1024;
/// TCP listeners of one edge.
const TCP_MAX: usize = 32;
/// Control-plane addresses one edge tries.
const CONTROL_MAX: usize = 32;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("--{0} is needed")]
    Missing(&'static str),
    #[error("--{name} {value:?}: expected {expected}")]
    Invalid {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("--{name}: cannot read {path}")]
    Unreadable {
        name: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration file is malformed")]
    File(#[from] toml::de::Error),
    #[error(transparent)]
    Tags(#[from] tidegate_model::TagError),
    #[error(transparent)]
    LogFormat(#[from] tidegate_telemetry::LoggingError),
}

/// Checked settings.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) control: Control,
    pub(crate) listen: Listen,
    pub(crate) workers: usize,
    /// Settings that policies read by name; some are keys.
    pub(crate) policy_settings: Secret<Arc<BTreeMap<String, String>>>,
    pub(crate) outbound: OutboundSettings,
    pub(crate) access_log: Option<AccessLogTarget>,
    pub(crate) drain_timeout: Duration,
    pub(crate) log_format: LogFormat,
}

/// What this edge is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Absent until one is made.
    pub(crate) edge_id: Option<String>,
    pub(crate) region: String,
    pub(crate) environment: String,
    pub(crate) tags: Vec<String>,
    pub(crate) tenant: Option<String>,
}

/// Where configuration comes from, and what makes it believable.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) urls: Vec<String>,
    pub(crate) ca: PathBuf,
    pub(crate) pin: RootPin,
    pub(crate) token_file: PathBuf,
}

/// Where this edge listens.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) http: Server,
    pub(crate) https: Option<Server>,
    /// Empty without TCP APIs.
    pub(crate) tcp: Vec<Server>,
    /// Certificates of `https` and `tcp`; there if one of them is.
    pub(crate) tls: Option<Tls>,
    pub(crate) technical: SocketAddr,
}

/// A listener for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// What `servers` of a listener in a definition calls it.
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
}

/// Certificates of the listeners that speak TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_auth: ClientAuth,
}

/// Whether HTTPS clients show certificates, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// They are not asked.
    None,
    /// They are asked; one that shows a certificate shows one of these authorities.
    Request(PathBuf),
    /// Without a certificate of these authorities there is no connection.
    Required(PathBuf),
}

impl Config {
    /// Merges flags and variables with a file and checks the result.
    pub(crate) fn load(flags: RawConfig, file: Option<&Path>) -> Result<Self, ConfigError> {
        let raw = match file {
            Some(path) => flags.or(toml::from_str(&read("config", path)?)?),
            None => flags,
        };
        Self::check(raw)
    }

    fn check(raw: RawConfig) -> Result<Self, ConfigError> {
        let tags: Vec<String> = raw
            .tags
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        TagSelector::parse(&tags)?;
        let listen = listen(&raw)?;
        let workers = raw.workers.unwrap_or_else(available_workers);
        if workers == 0 || workers > WORKERS_MAX {
            return Err(invalid("workers", &workers.to_string(), "1 to 1024"));
        }
        let drain_timeout = match raw.drain_timeout.as_deref() {
            None => DRAIN_TIMEOUT,
            Some(text) => humantime::parse_duration(text)
                .map_err(|_malformed| invalid("drain-timeout", text, "a duration such as 30s"))?,
        };
        Ok(Self {
            data_dir: raw.data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR)),
            identity: Identity {
                edge_id: raw.edge_id.map(|id| check_id("edge-id", id)).transpose()?,
                region: raw.region.unwrap_or_default(),
                environment: check_id(
                    "environment",
                    raw.environment.unwrap_or_else(|| ENVIRONMENT.to_owned()),
                )?,
                tags,
                tenant: raw.tenant,
            },
            control: Control {
                urls: control_urls(raw.control.as_deref())?,
                ca: raw.ca.ok_or(ConfigError::Missing("ca"))?,
                pin: root_pin(&raw.trust.ok_or(ConfigError::Missing("trust"))?)?,
                token_file: raw.token_file.ok_or(ConfigError::Missing("token-file"))?,
            },
            listen,
            workers,
            policy_settings: policy_settings(raw.policy_settings.unwrap_or_default())?,
            outbound: OutboundSettings {
                addresses: if raw.allow_link_local.unwrap_or(false) {
                    AddressRule::Any
                } else {
                    AddressRule::NotLinkLocal
                },
                system_proxy: raw.system_proxy.as_deref().map(system_proxy).transpose()?,
            },
            access_log: match raw.access_log.as_deref() {
                None | Some("" | "off") => None,
                Some("-") => Some(AccessLogTarget::Stdout),
                Some(path) => Some(AccessLogTarget::File(PathBuf::from(path))),
            },
            drain_timeout,
            log_format: raw.log_format.as_deref().unwrap_or("text").parse()?,
        })
    }

    /// The settings in effect, for people. They hold no secrets, only where those are.
    pub(crate) fn describe(&self) -> String {
        format!("{self:#?}\n")
    }
}

fn available_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn invalid(name: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Invalid {
        name,
        value: value.to_owned(),
        expected,
    }
}

/// Replaces the paths of PEM files by what is in them, so that no request reads a file.
fn policy_settings(
    mut settings: BTreeMap<String, String>,
) -> Result<Secret<Arc<BTreeMap<String, String>>>, ConfigError> {
    for value in settings.values_mut() {
        if !value.starts_with('/') || !value.ends_with(".pem") || value.contains('\n') {
            continue;
        }
        let unreadable = |source| ConfigError::Unreadable {
            name: "policy-settings",
            path: PathBuf::from(value.as_str()),
            source,
        };
        let content = tidegate_keystore::read_file(value).map_err(unreadable)?;
        *value = String::from_utf8(content)
            .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    }
    Ok(Secret::new(Arc::new(settings)))
}

fn check_id(name: &'static str, id: String) -> Result<String, ConfigError> {
    let fits = (1..=tidegate_sync::limits::EDGE_ID_CHARS_MAX).contains(&id.chars().count())
        && id.chars().all(|c| c.is_ascii_graphic() && c != '/');
    if fits {
        Ok(id)
    } else {
        Err(invalid(
            name,
            &id,
            "1 to 128 printable characters without /",
        ))
    }
}

fn address(name: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse()
        .map_err(|_malformed| invalid(name, text, "an address such as 127.0.0.1:8082"))
}

fn listen(raw: &RawConfig) -> Result<Listen, ConfigError> {
    let http = server("http", raw.http.as_deref().unwrap_or(HTTP))?;
    let https = raw.https.as_deref();
    let https = https.map(|text| server("https", text)).transpose()?;
    let tcp = tcp_servers(raw.tcp.as_deref())?;
    check_ids([&http].into_iter().chain(&https).chain(&tcp))?;
    let needed = |file: &Option<PathBuf>, name| file.clone().ok_or(ConfigError::Missing(name));
    let tls = if https.is_none() && tcp.is_empty() {
        None
    } else {
        Some(Tls {
            certificate: needed(&raw.tls_cert, "tls-cert")?,
            key: needed(&raw.tls_key, "tls-key")?,
            client_auth: client_auth(raw.tls_client_auth.as_deref(), raw.tls_client_ca.clone())?,
        })
    };
    let technical = raw.technical.as_deref().unwrap_or(TECHNICAL);
    Ok(Listen {
        http,
        https,
        tcp,
        tls,
        technical: address("technical", technical)?,
    })
}

/// `ADDR`, or `ID=ADDR`; without an id the server is called like its setting.
fn server(name: &'static str, text: &str) -> Result<Server, ConfigError> {
    let (id, text) = match text.split_once('=') {
        None => (name.to_owned(), text),
        Some((id, text)) => (check_id(name, id.trim().to_owned())?, text.trim()),
    };
    let address = address(name, text)?;
    Ok(Server { id, address })
}

/// Without an id the first is `tcp`, the others `tcp-2` and so on.
fn tcp_servers(text: Option<&str>) -> Result<Vec<Server>, ConfigError> {
    let texts = text.unwrap_or_default().split(',').map(str::trim);
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    if texts.len() > TCP_MAX {
        let count = texts.len().to_string();
        return Err(invalid("tcp", &count, "at most 32 addresses"));
    }
    let servers = texts.into_iter().enumerate().map(|(index, text)| {
        let mut server = server("tcp", text)?;
        if index > 0 && !text.contains('=') {
            server.id = format!("tcp-{}", index + 1);
        }
        Ok(server)
    });
    servers.collect()
}

/// A definition must not mean two servers by one id.
fn check_ids<'s>(servers: impl Iterator<Item = &'s Server>) -> Result<(), ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    for server in servers {
        if !seen.insert(&server.id) {
            let expected = "an id that no other server has";
            return Err(invalid("servers", &server.id, expected));
        }
    }
    Ok(())
}

/// The URL may hold a password, so that an error does not repeat it.
fn system_proxy(text: &str) -> Result<ProxyOptions, ConfigError> {
    ProxyOptions::parse(text).ok_or_else(|| {
        invalid(
            "system-proxy",
            "(not shown)",
            "a URL such as http://proxy:3128 or socks5://user:password@proxy:1080",
        )
    })
}

fn client_auth(mode: Option<&str>, ca: Option<PathBuf>) -> Result<ClientAuth, ConfigError> {
    let mode = mode.unwrap_or("none");
    let wanted = match mode {
        "none" => return Ok(ClientAuth::None),
        "request" => ClientAuth::Request,
        "required" => ClientAuth::Required,
        other => {
            let expected = "none, request or required";
            return Err(invalid("tls-client-auth", other, expected));
        }
    };
    ca.map(wanted).ok_or(ConfigError::Missing("tls-client-ca"))
}

fn control_urls(text: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let urls: Vec<String> = text
        .unwrap_or_default()
        .split(',')
        .map(|url| url.trim().trim_end_matches('/').to_owned())
        .filter(|url| !url.is_empty())
        .collect();
    if urls.is_empty() {
        return Err(ConfigError::Missing("control"));
    }
    if urls.len() > CONTROL_MAX {
        return Err(invalid(
            "control",
            &urls.len().to_string(),
            "at most 32 addresses",
        ));
    }
    match urls.iter().find(|url| !is_control_url(url)) {
        Some(url) => Err(invalid("control", url, "https://host:port")),
        None => Ok(urls),
    }
}

/// Tokens and API-key secrets travel here: never in clear.
pub(crate) fn is_control_url(url: &str) -> bool {
    let uri: Result<http::Uri, _> = url.parse();
    uri.is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.authority().is_some())
}

fn root_pin(text: &str) -> Result<RootPin, ConfigError> {
    if let Ok(pin) = text.trim().parse() {
        return Ok(pin);
    }
    let content = read("trust", Path::new(text))?;
    content
        .trim()
        .parse()
        .map_err(|_malformed| invalid("trust", text, "64 hexadecimal digits, or a file with them"))
}

fn read(name: &'static str, path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        name,
        path: path.to_owned(),
        source,
    })
}
