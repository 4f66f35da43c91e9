//! Certificates of this node: given by the operator, or made by the node itself when it is alone.
//!
//! The gRPC port shows the node certificate; the Raft port shows it and demands one from the peer
//! that chains to the same authority.

mod authority;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::{
    config::TlsFiles,
    private_file::{self, FileError},
};

/// Why there is no TLS material.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0} does not exist")]
    Missing(PathBuf),
    #[error("cannot make directory {path}")]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
}

/// The authority of the cluster and this node's certificate and key, all PEM.
#[derive(Clone)]
pub(crate) struct Material {
    pub ca_pem: Vec<u8>,
    pub cert_pem: Vec<u8>,
    pub key_pem: Vec<u8>,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

impl Material {
    /// Loads the operator's files, or the node's own under `<data_dir>/tls`, made when missing.
    pub(crate) fn load(
        given: Option<&TlsFiles>,
        data_dir: &Path,
        listens: &[SocketAddr],
    ) -> Result<Self, TlsError> {
        if let Some(files) = given {
            let need = |path: &Path| {
                private_file::read(path)?.ok_or_else(|| TlsError::Missing(path.to_owned()))
            };
            return Ok(Self {
                ca_pem: need(&files.ca)?,
                cert_pem: need(&files.cert)?,
                key_pem: need(&files.key)?,
            });
        }
        let directory = data_dir.join("tls");
        fs::create_dir_all(&directory).map_err(|source| TlsError::Directory {
            path: directory.clone(),
            source,
        })?;
        authority::load_or_create(&directory, &host_names(listens))
    }

    /// The gRPC port: clients check the node and prove themselves by token.
    pub(crate) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(self.identity())
    }

    /// The Raft port: both sides prove themselves by certificate.
    pub(crate) fn mutual_server(&self) -> ServerTlsConfig {
        self.server()
            .client_ca_root(Certificate::from_pem(&self.ca_pem))
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.cert_pem, &self.key_pem)
    }
}

/// Names and addresses under which clients reach the node.
fn host_names(listens: &[SocketAddr]) -> Vec<String> {
    let mut hosts = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if let Ok(name) = fs::read_to_string("/proc/sys/kernel/hostname") {
        let name = name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if !name.is_empty() && name.chars().all(plain) {
            hosts.push(name.to_owned());
        }
    }
    hosts.extend(
        listens
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !ip.is_unspecified())
            .map(|ip| ip.to_string()),
    );
    hosts.sort();
    hosts.dedup();
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_material_is_made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let listens = ["127.0.0.1:0".parse().unwrap()];
        let first = Material::load(None, directory.path(), &listens).unwrap();
        let second = Material::load(None, directory.path(), &listens).unwrap();
        assert_eq!(first.ca_pem, second.ca_pem);
        assert_eq!(first.cert_pem, second.cert_pem);
    }

    #[test]
    fn a_new_address_gets_a_new_certificate_of_the_same_authority() {
        let directory = tempfile::tempdir().unwrap();
        let first =
            Material::load(None, directory.path(), &["127.0.0.1:0".parse().unwrap()]).unwrap();
        let second =
            Material::load(None, directory.path(), &["10.1.2.3:0".parse().unwrap()]).unwrap();
        assert_eq!(first.ca_pem, second.ca_pem);
        assert_ne!(first.cert_pem, second.cert_pem);
    }

    #[test]
    fn a_missing_file_of_the_operator_is_named() {
        let files = TlsFiles {
            ca: "/nowhere/ca".into(),
            cert: "c".into(),
            key: "k".into(),
        };
        let error = Material::load(Some(&files), Path::new("/nowhere"), &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/ca"), "{error}");
    }
}
