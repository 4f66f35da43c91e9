//! Settings as given: one optional field per flag, environment variable and file key. No meaning yet.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

/// Every setting of a node, all optional.
///
/// The same names serve as flags (`--data-dir`), variables (`TIDEGATE_DATA_DIR`) and keys of the
/// TOML file (`data-dir`); a key the file should not have is refused.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawConfig {
    /// Directory that holds everything this node must not lose.
    #[arg(long, env = "TIDEGATE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Number of this node, unique in the cluster and never reused with an emptied directory.
    #[arg(long, env = "TIDEGATE_NODE_ID")]
    pub node_id: Option<u64>,
    /// Name shared by all nodes of the cluster; a lone node makes one up.
    #[arg(long, env = "TIDEGATE_CLUSTER_ID")]
    pub cluster_id: Option<String>,
    /// Address of the gRPC port; port 0 picks a free one.
    #[arg(long, env = "TIDEGATE_GRPC")]
    pub grpc: Option<SocketAddr>,
    /// Address of the port between nodes; port 0 picks a free one.
    #[arg(long, env = "TIDEGATE_RAFT")]
    pub raft: Option<SocketAddr>,
    /// All nodes of the cluster, this one included: `1=host:raftport/grpcport,2=…`.
    #[arg(long, env = "TIDEGATE_PEERS")]
    pub peers: Option<String>,
    /// Creates the cluster if it does not exist yet; give it to one node only.
    #[arg(long, env = "TIDEGATE_BOOTSTRAP", num_args = 0..=1, default_missing_value = "true")]
    pub bootstrap: Option<bool>,
    /// PEM file with the certificate authority of the cluster.
    #[arg(long, env = "TIDEGATE_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// PEM file with the certificate chain of this node.
    #[arg(long, env = "TIDEGATE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key of this node.
    #[arg(long, env = "TIDEGATE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// PKCS#8 file of the online key that signs manifests; the same content on every node. The
    /// node that bootstraps makes it when it is missing, the others wait for it.
    #[arg(long, env = "TIDEGATE_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// Where the first administrator's token is written at bootstrap.
    #[arg(long, env = "TIDEGATE_ADMIN_TOKEN_FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Where the first token for edges is written at bootstrap.
    #[arg(long, env = "TIDEGATE_EDGE_TOKEN_FILE")]
    pub edge_token_file: Option<PathBuf>,
    /// Where the hash of the trust roots, which edges pin, is written at bootstrap.
    #[arg(long, env = "TIDEGATE_TRUST_PIN_FILE")]
    pub trust_pin_file: Option<PathBuf>,
    /// Pace of the consensus protocol: `lan` or `dev` (shorter election timeouts, one machine).
    #[arg(long, env = "TIDEGATE_TIMING")]
    pub timing: Option<String>,
    /// Lets dynamic dictionaries and properties be fetched from link-local addresses, where clouds serve the machine's
    /// credentials.
    #[arg(long, env = "TIDEGATE_ALLOW_LINK_LOCAL", value_name = "BOOL")]
    pub allow_link_local: Option<bool>,
    /// Form of log lines on standard error: `text` or `json`.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT")]
    pub log_format: Option<String>,
}

impl RawConfig {
    /// Fills what is not set here from `weaker`.
    pub(crate) fn or(self, weaker: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(weaker.data_dir),
            node_id: self.node_id.or(weaker.node_id),
            cluster_id: self.cluster_id.or(weaker.cluster_id),
            grpc: self.grpc.or(weaker.grpc),
            raft: self.raft.or(weaker.raft),
            peers: self.peers.or(weaker.peers),
            bootstrap: self.bootstrap.or(weaker.bootstrap),
            tls_ca: self.tls_ca.or(weaker.tls_ca),
            tls_cert: self.tls_cert.or(weaker.tls_cert),
            tls_key: self.tls_key.or(weaker.tls_key),
            signing_key: self.signing_key.or(weaker.signing_key),
            admin_token_file: self.admin_token_file.or(weaker.admin_token_file),
            edge_token_file: self.edge_token_file.or(weaker.edge_token_file),
            trust_pin_file: self.trust_pin_file.or(weaker.trust_pin_file),
            timing: self.timing.or(weaker.timing),
            allow_link_local: self.allow_link_local.or(weaker.allow_link_local),
            log_format: self.log_format.or(weaker.log_format),
        }
    }
}
