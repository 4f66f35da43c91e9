//! Settings as people write them: flags, variables `TIDEGATE_…`, or a TOML file, in this order.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// Every setting, none of them required yet.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct RawConfig {
    /// Directory for the cache and its key.
    #[arg(long, env = "TIDEGATE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Stable name of this edge; made once and kept in the data directory if absent.
    #[arg(long, env = "TIDEGATE_EDGE_ID", value_name = "ID")]
    pub(crate) edge_id: Option<String>,
    /// Region label, for display.
    #[arg(long, env = "TIDEGATE_REGION")]
    pub(crate) region: Option<String>,
    /// Sharding tags, comma-separated; `!tag` excludes.
    #[arg(long, env = "TIDEGATE_TAGS", allow_hyphen_values = true)]
    pub(crate) tags: Option<String>,
    /// Environment to serve.
    #[arg(long, env = "TIDEGATE_ENVIRONMENT", value_name = "ID")]
    pub(crate) environment: Option<String>,
    /// Control-plane nodes, comma-separated `https://host:port`.
    #[arg(long, env = "TIDEGATE_CONTROL", value_name = "URLS")]
    pub(crate) control: Option<String>,
    /// Certificate authority of the control plane, PEM.
    #[arg(long, env = "TIDEGATE_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Root pin: 64 hexadecimal digits, or a file with them.
    #[arg(long, env = "TIDEGATE_TRUST", value_name = "FILE|HEX")]
    pub(crate) trust: Option<String>,
    /// File with the token of this edge; read again at every connection.
    #[arg(long, env = "TIDEGATE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Address for HTTP clients; `ID=ADDR` names the server for `servers` of listeners.
    #[arg(long, env = "TIDEGATE_HTTP", value_name = "[ID=]ADDR")]
    pub(crate) http: Option<String>,
    /// Address for HTTPS clients; needs `--tls-cert` and `--tls-key`.
    #[arg(long, env = "TIDEGATE_HTTPS", value_name = "[ID=]ADDR")]
    pub(crate) https: Option<String>,
    /// Addresses for TLS clients of TCP APIs, comma-separated; needs `--tls-cert` and `--tls-key`.
    #[arg(long, env = "TIDEGATE_TCP", value_name = "[ID=]ADDR,…")]
    pub(crate) tcp: Option<String>,
    /// Certificate chain for HTTPS and TCP clients, PEM.
    #[arg(long, env = "TIDEGATE_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, env = "TIDEGATE_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Whether HTTPS clients show certificates: `none`, `request` or `required`.
    #[arg(long, env = "TIDEGATE_TLS_CLIENT_AUTH", value_name = "MODE")]
    pub(crate) tls_client_auth: Option<String>,
    /// Certificate authorities of HTTPS clients, PEM; needed to request their certificates.
    #[arg(long, env = "TIDEGATE_TLS_CLIENT_CA", value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Address of health, metrics and node information.
    #[arg(long, env = "TIDEGATE_TECHNICAL", value_name = "ADDR")]
    pub(crate) technical: Option<String>,
    /// Worker threads of the data plane.
    #[arg(long, env = "TIDEGATE_WORKERS", value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Tenant whose endpoints this edge uses.
    #[arg(long, env = "TIDEGATE_TENANT")]
    pub(crate) tenant: Option<String>,
    /// Lets policies call link-local addresses, where clouds serve the machine's credentials.
    #[arg(long, env = "TIDEGATE_ALLOW_LINK_LOCAL", value_name = "BOOL")]
    pub(crate) allow_link_local: Option<bool>,
    /// Proxy of calls that ask for the system's: `http`, `socks4` or `socks5` URL, with a user if needed.
    #[arg(
        long,
        env = "TIDEGATE_SYSTEM_PROXY",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) system_proxy: Option<String>,
    /// Settings that policies read by name, such as `policy.jwt.issuer.<issuer>.<key id>`; in the file only.
    #[arg(skip)]
    pub(crate) policy_settings: Option<BTreeMap<String, String>>,
    /// Access log: a file, `-` for standard output, or `off`.
    #[arg(
        long,
        env = "TIDEGATE_ACCESS_LOG",
        value_name = "FILE|-|off",
        allow_hyphen_values = true
    )]
    pub(crate) access_log: Option<String>,
    /// Time exchanges in flight have to finish at a stop, such as `30s`.
    #[arg(long, env = "TIDEGATE_DRAIN_TIMEOUT", value_name = "DURATION")]
    pub(crate) drain_timeout: Option<String>,
    /// `text` or `json`.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl RawConfig {
    /// Takes from `other` what is not set here.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            edge_id: self.edge_id.or(other.edge_id),
            region: self.region.or(other.region),
            tags: self.tags.or(other.tags),
            environment: self.environment.or(other.environment),
            control: self.control.or(other.control),
            ca: self.ca.or(other.ca),
            trust: self.trust.or(other.trust),
            token_file: self.token_file.or(other.token_file),
            http: self.http.or(other.http),
            https: self.https.or(other.https),
            tcp: self.tcp.or(other.tcp),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_client_auth: self.tls_client_auth.or(other.tls_client_auth),
            tls_client_ca: self.tls_client_ca.or(other.tls_client_ca),
            technical: self.technical.or(other.technical),
            workers: self.workers.or(other.workers),
            tenant: self.tenant.or(other.tenant),
            allow_link_local: self.allow_link_local.or(other.allow_link_local),
            system_proxy: self.system_proxy.or(other.system_proxy),
            policy_settings: self.policy_settings.or(other.policy_settings),
            access_log: self.access_log.or(other.access_log),
            drain_timeout: self.drain_timeout.or(other.drain_timeout),
            log_format: self.log_format.or(other.log_format),
        }
    }
}
