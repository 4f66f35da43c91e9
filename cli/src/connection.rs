//! How to reach the cluster: addresses, trusted CA and token, from flags, environment, a running
//! system's `endpoints.json`, the remembered login, or the default `tidegate dev` directory.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{args::Global, dev::default_data_dir, failure::Failure};

/// A channel that adds the bearer token to every call.
pub(crate) type Cluster = InterceptedService<Channel, Bearer>;

/// The time given to one address before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Adds the bearer token and the deadline to every call.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    token: MetadataValue<Ascii>,
    timeout: Option<Duration>,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.token.clone());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(request)
    }
}

/// What is remembered by `tidegate login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub servers: Vec<String>,
    pub ca_pem: String,
    pub token: String,
}

/// The part of `endpoints.json` that a client needs.
#[derive(Debug, Deserialize)]
struct Endpoints {
    control: Vec<ControlEndpoint>,
    admin_token_file: PathBuf,
    ca_file: PathBuf,
}

#[derive(Debug, Deserialize)]
struct ControlEndpoint {
    grpc: String,
}

/// Connects to the first address that answers; every call then ends within the given timeout.
pub(crate) async fn connect(global: &Global) -> Result<Cluster, Failure> {
    open(global, Some(global.timeout)).await
}

/// Connects for calls that last until the user has seen enough.
pub(crate) async fn connect_unbounded(global: &Global) -> Result<Cluster, Failure> {
    open(global, None).await
}

async fn open(global: &Global, timeout: Option<Duration>) -> Result<Cluster, Failure> {
    let login = resolve(global)?;
    let mut token: MetadataValue<Ascii> = format!("Bearer {}", login.token)
        .parse()
        .map_err(|_invalid| Failure::usage("the token contains characters no token has"))?;
    token.set_sensitive(true);
    let mut reasons = Vec::new();
    for server in &login.servers {
        match dial(server, &login.ca_pem).await {
            Ok(channel) => {
                return Ok(InterceptedService::new(channel, Bearer { token, timeout }));
            }
            Err(reason) => reasons.push(format!("{server}: {reason}")),
        }
    }
    let reasons = reasons.join("\n  ");
    Err(Failure::unreachable(format!(
        "no control-plane node can be reached\n  {reasons}"
    )))
}

async fn dial(server: &str, ca_pem: &str) -> Result<Channel, String> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca_pem));
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|error| format!("not an address: {error}"))?
        .tls_config(tls)
        .map_err(|error| format!("unusable CA certificate: {}", chain(&error)))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| chain(&error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Finds out how to reach the cluster, most explicit source first.
pub(crate) fn resolve(global: &Global) -> Result<Login, Failure> {
    if let Some(path) = &global.endpoints {
        return from_endpoints(path);
    }
    if !global.server.is_empty() {
        return from_flags(global);
    }
    let remembered = login_file()?;
    if remembered.exists() {
        let text = read(&remembered)?;
        return serde_json::from_str(&text).map_err(|error| {
            Failure::refused(format!("{} is damaged: {error}", remembered.display()))
        });
    }
    let running = default_data_dir()?.join("endpoints.json");
    if running.exists() {
        return from_endpoints(&running);
    }
    Err(Failure::usage(
        "which cluster? Start one with `tidegate dev`, or give --server, --ca and --token-file \
         (once, with `tidegate login`)",
    ))
}

fn from_flags(global: &Global) -> Result<Login, Failure> {
    let missing = |flag| Failure::usage(format!("--server also needs {flag}"));
    let ca = global.ca.as_ref().ok_or_else(|| missing("--ca"))?;
    let token = global
        .token_file
        .as_ref()
        .ok_or_else(|| missing("--token-file"))?;
    Ok(Login {
        servers: global
            .server
            .iter()
            .map(|server| with_scheme(server))
            .collect(),
        ca_pem: read(ca)?,
        token: read(token)?.trim().to_owned(),
    })
}

fn from_endpoints(path: &Path) -> Result<Login, Failure> {
    let endpoints: Endpoints = serde_json::from_str(&read(path)?)
        .map_err(|error| Failure::refused(format!("{} is damaged: {error}", path.display())))?;
    Ok(Login {
        servers: endpoints
            .control
            .iter()
            .map(|node| with_scheme(&node.grpc))
            .collect(),
        ca_pem: read(&endpoints.ca_file)?,
        token: read(&endpoints.admin_token_file)?.trim().to_owned(),
    })
}

fn with_scheme(server: &str) -> String {
    if server.contains("://") {
        server.to_owned()
    } else {
        format!("https://{server}")
    }
}

/// Writes the login where only its owner can read it.
pub(crate) fn remember(login: &Login) -> Result<PathBuf, Failure> {
    let path = login_file()?;
    let text = serde_json::to_string_pretty(login)
        .map_err(|error| Failure::refused(format!("cannot write the login: {error}")))?;
    write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// Replaces a file by one only its owner can read, never leaving a half-written one.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let explain = |error| Failure::refused(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(explain)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(explain)?;
    }
    let draft = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(explain)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(explain)?;
    fs::rename(&draft, path).map_err(explain)
}

fn login_file() -> Result<PathBuf, Failure> {
    let base = match std::env::var_os("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => home()?.join(".config"),
    };
    Ok(base.join("tidegate").join("login.json"))
}

/// The user's home directory.
pub(crate) fn home() -> Result<PathBuf, Failure> {
    std::env::home_dir().ok_or_else(|| Failure::usage("no home directory: set HOME"))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))
}
