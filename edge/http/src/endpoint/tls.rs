//! TLS of an endpoint: from the stores its definition names to certificates and keys.

use tidegate_keystore::{self as stores, Access, StoreError};
use tidegate_model::api::{KeyStore, SslOptions, StoreFormat, StoreSource};

use super::BuildError;
use crate::upstream::{TlsOptions, Verification};

/// TLS towards a backend as `ssl` at `path` says, files included.
///
/// # Errors
/// A store that cannot be read or used.
pub fn tls_options(ssl: &SslOptions, path: &str) -> Result<TlsOptions, BuildError> {
    let verification = match (ssl.trust_all, ssl.hostname_verifier) {
        (true, _) => Verification::TrustAll,
        (false, true) => Verification::Full,
        (false, false) => Verification::AnyName,
    };
    let mut options = TlsOptions {
        verification,
        ..TlsOptions::default()
    };
    if let Some(store) = &ssl.trust_store {
        let place = format!("{path}.ssl.trustStore");
        let content = read(&store.source, &place)?;
        let access = Access {
            password: store.password.as_ref().map(|text| text.expose().as_str()),
            key_password: None,
            alias: store.alias.as_deref(),
        };
        let roots = match store.format {
            StoreFormat::Pem => stores::pem_certificates(&content),
            StoreFormat::Jks | StoreFormat::Pkcs12 => stores::trusted(&content, access),
        };
        options.roots = Some(roots.map_err(unusable(&place))?);
    }
    if let Some(store) = &ssl.key_store {
        let place = format!("{path}.ssl.keyStore");
        let identity = match store {
            KeyStore::Pem { certificate, key } => {
                stores::pem_identity(&read(certificate, &place)?, &read(key, &place)?)
            }
            KeyStore::Archive {
                source,
                password,
                key_password,
                alias,
                ..
            } => {
                let access = Access {
                    password: password.as_ref().map(|text| text.expose().as_str()),
                    key_password: key_password.as_ref().map(|text| text.expose().as_str()),
                    alias: alias.as_deref(),
                };
                stores::identity(&read(source, &place)?, access)
            }
        };
        options.client_identity = Some(identity.map_err(unusable(&place))?);
    }
    Ok(options)
}

fn unusable(path: &str) -> impl FnOnce(StoreError) -> BuildError {
    move |source| BuildError::Store {
        path: path.to_owned(),
        source,
    }
}

fn read(source: &StoreSource, path: &str) -> Result<Vec<u8>, BuildError> {
    match source {
        StoreSource::Content(content) => {
            stores::decode_content(content.expose()).map_err(unusable(path))
        }
        StoreSource::Path(file) => stores::read_file(file).map_err(|source| BuildError::File {
            path: path.to_owned(),
            file: file.clone(),
            source,
        }),
    }
}
