//! The settings of a node: read from flags, environment and file, validated once, then fixed.
//!
//! Precedence: flag, then `TIDEGATE_…` variable, then TOML file, then the default named here.

mod peers;
mod raw;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tidegate_telemetry::LogFormat;

pub(crate) use self::{
    peers::{Peer, PeersError},
    raw::RawConfig,
};

/// Where a node keeps its data unless told otherwise: relative, so that a trial needs no root.
const DATA_DIR: &str = "tidegate-data/control";
/// Port of the operator and edge API; loopback until an operator decides to expose it.
const GRPC: &str = "127.0.0.1:7400";
/// Port between nodes.
const RAFT: &str = "127.0.0.1:7401";
/// Number of a lone node.
const NODE_ID: u64 = 1;
/// Longest accepted cluster name; it travels in every message between nodes.
const CLUSTER_ID_CHARS_MAX: usize = 64;
/// Largest accepted configuration file, in bytes; a real one has a few hundred.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a node does not start with the settings given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is no configuration.
    #[error("configuration file {path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge { path: PathBuf },
    /// The file is not TOML or has a key it must not have.
    #[error("configuration file {path} is invalid")]
    Parse {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// One setting is out of its range.
    #[error("{setting}: {reason}")]
    Invalid {
        setting: &'static str,
        reason: String,
    },
    /// The list of nodes does not parse.
    #[error("peers: {0}")]
    Peers(#[from] PeersError),
    /// A setting needs another one.
    #[error("{setting} is needed {reason}")]
    Missing {
        setting: &'static str,
        reason: &'static str,
    },
}

/// The pace of the consensus protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    Lan,
    Dev,
}

/// TLS material given by the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where the files of [`crate::bootstrap`] live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFiles {
    pub signing_key: PathBuf,
    /// Private key of the trust root; made at bootstrap and taken offline by the operator.
    pub root_key: PathBuf,
    pub trust_pin: PathBuf,
    pub admin_token: PathBuf,
    pub edge_token: PathBuf,
}

/// This node's place in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    pub node_id: u64,
    /// `None` only for a lone node, which makes one up.
    pub cluster_id: Option<String>,
    /// All members, this node included; empty for a lone node.
    pub peers: Vec<Peer>,
    pub bootstrap: bool,
    pub timing: Timing,
}

/// Validated settings of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub data_dir: PathBuf,
    pub grpc: SocketAddr,
    pub raft: SocketAddr,
    pub placement: Placement,
    pub tls: Option<TlsFiles>,
    pub keys: KeyFiles,
    pub log_format: LogFormat,
    /// Whether link-local addresses may be called.
    pub allows_link_local: bool,
}

impl Config {
    /// Merges `flags` (which already hold the environment) over the file and validates the result.
    pub(crate) fn load(flags: RawConfig, file: Option<&Path>) -> Result<Self, ConfigError> {
        let merged = match file {
            Some(path) => flags.or(read_file(path)?),
            None => flags,
        };
        Self::validate(&merged)
    }

    fn validate(raw: &RawConfig) -> Result<Self, ConfigError> {
        let data_dir = raw
            .data_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let log_format = match raw.log_format.as_deref() {
            None => LogFormat::default(),
            Some(text) => text
                .parse()
                .map_err(
                    |error: tidegate_telemetry::LoggingError| ConfigError::Invalid {
                        setting: "log-format",
                        reason: error.to_string(),
                    },
                )?,
        };
        let grpc = address(raw.grpc, GRPC, "grpc")?;
        let raft = address(raw.raft, RAFT, "raft")?;
        if grpc == raft && grpc.port() != 0 {
            return Err(ConfigError::Invalid {
                setting: "raft",
                reason: format!("{raft} is the gRPC address too"),
            });
        }
        let tls = tls_files(raw)?;
        let placement = placement(raw)?;
        if !placement.peers.is_empty() && tls.is_none() {
            return Err(ConfigError::Missing {
                setting: "tls-ca, tls-cert and tls-key",
                reason: "with peers: all nodes must share one certificate authority",
            });
        }
        let keys = key_files(raw, &data_dir);
        Ok(Self {
            data_dir,
            grpc,
            raft,
            placement,
            tls,
            keys,
            log_format,
            allows_link_local: raw.allow_link_local.unwrap_or(false),
        })
    }

    /// Describes the settings in effect as TOML. Holds paths of secrets, never secrets.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        };
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        line("data-dir", quoted(&self.data_dir));
        line("node-id", self.placement.node_id.to_string());
        if let Some(id) = &self.placement.cluster_id {
            line("cluster-id", format!("{id:?}"));
        }
        line("grpc", format!("{:?}", self.grpc.to_string()));
        line("raft", format!("{:?}", self.raft.to_string()));
        if !self.placement.peers.is_empty() {
            let peers: Vec<String> = self
                .placement
                .peers
                .iter()
                .map(ToString::to_string)
                .collect();
            line("peers", format!("{:?}", peers.join(",")));
        }
        line("bootstrap", self.placement.bootstrap.to_string());
        if let Some(tls) = &self.tls {
            line("tls-ca", quoted(&tls.ca));
            line("tls-cert", quoted(&tls.cert));
            line("tls-key", quoted(&tls.key));
        }
        line("signing-key", quoted(&self.keys.signing_key));
        line("admin-token-file", quoted(&self.keys.admin_token));
        line("edge-token-file", quoted(&self.keys.edge_token));
        line("trust-pin-file", quoted(&self.keys.trust_pin));
        line("timing", format!("{:?}", self.placement.timing.as_str()));
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        line("log-format", format!("{format:?}"));
        line("allow-link-local", self.allows_link_local.to_string());
        text
    }
}

impl Timing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Dev => "dev",
        }
    }
}

fn read_file(path: &Path) -> Result<RawConfig, ConfigError> {
    let read = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = fs::read_to_string(path).map_err(read)?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn address(
    given: Option<SocketAddr>,
    default: &str,
    setting: &'static str,
) -> Result<SocketAddr, ConfigError> {
    match given {
        Some(address) => Ok(address),
        None => default
            .parse()
            .map_err(|error: std::net::AddrParseError| ConfigError::Invalid {
                setting,
                reason: error.to_string(),
            }),
    }
}

fn tls_files(raw: &RawConfig) -> Result<Option<TlsFiles>, ConfigError> {
    match (&raw.tls_ca, &raw.tls_cert, &raw.tls_key) {
        (None, None, None) => Ok(None),
        (Some(ca), Some(cert), Some(key)) => Ok(Some(TlsFiles {
            ca: ca.clone(),
            cert: cert.clone(),
            key: key.clone(),
        })),
        _ => Err(ConfigError::Missing {
            setting: "each of tls-ca, tls-cert and tls-key",
            reason: "when one of them is given",
        }),
    }
}

fn placement(raw: &RawConfig) -> Result<Placement, ConfigError> {
    let node_id = raw.node_id.unwrap_or(NODE_ID);
    if node_id == 0 {
        return Err(ConfigError::Invalid {
            setting: "node-id",
            reason: "0 is not a node number".to_owned(),
        });
    }
    let peers = peers::parse(raw.peers.as_deref().unwrap_or_default())?;
    if !peers.is_empty() {
        if !peers.iter().any(|peer| peer.id == node_id) {
            return Err(PeersError::SelfMissing(node_id).into());
        }
        if raw.cluster_id.is_none() {
            return Err(ConfigError::Missing {
                setting: "cluster-id",
                reason: "with peers: every node must name the same cluster",
            });
        }
    }
    if let Some(id) = &raw.cluster_id {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > CLUSTER_ID_CHARS_MAX || !id.chars().all(fine) {
            return Err(ConfigError::Invalid {
                setting: "cluster-id",
                reason: format!(
                    "expected 1 to {CLUSTER_ID_CHARS_MAX} letters, digits, '-', '_' or '.'"
                ),
            });
        }
    }
    let timing = match raw.timing.as_deref() {
        None | Some("lan") => Timing::Lan,
        Some("dev") => Timing::Dev,
        Some(other) => {
            return Err(ConfigError::Invalid {
                setting: "timing",
                reason: format!("{other:?} is neither \"lan\" nor \"dev\""),
            });
        }
    };
    Ok(Placement {
        node_id,
        cluster_id: raw.cluster_id.clone(),
        peers,
        bootstrap: raw.bootstrap.unwrap_or(false),
        timing,
    })
}

fn key_files(raw: &RawConfig, data_dir: &Path) -> KeyFiles {
    let or =
        |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| data_dir.join(name));
    KeyFiles {
        signing_key: or(&raw.signing_key, "signing.key"),
        root_key: data_dir.join("root.key"),
        trust_pin: or(&raw.trust_pin_file, "trust.pin"),
        admin_token: or(&raw.admin_token_file, "admin-token"),
        edge_token: or(&raw.edge_token_file, "edge-token"),
    }
}
