//! Stores of certificates and keys: PEM, PKCS#12 and the Java key store.
//!
//! Java opens PKCS#12 files under the name JKS as well, since its tools write them by default; so do we.

#![warn(missing_docs)]

mod jks;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io::{self, Read as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use p12_keystore::{KeyStore as Pkcs12, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// A certificate chain with its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The chain, leaf first; empty if the store has none.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key in DER (PKCS#8, PKCS#1 or SEC1).
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(redacted)")
    }
}

/// A store that cannot be used. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A PEM document does not parse.
    #[error("invalid PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// Content of another format than PEM must be base64.
    #[error("the content is not base64")]
    Base64(#[source] base64::DecodeError),
    /// A PKCS#12 store does not open: it is malformed, or the password is wrong.
    #[error("the PKCS#12 store cannot be opened: {0}")]
    Pkcs12(String),
    /// A Java key store is cut off or not one.
    #[error("malformed Java key store")]
    Jks,
    /// The password of a Java key store or of a key in it is wrong, or the store was changed.
    #[error("wrong password, or the Java key store was changed")]
    Password,
    /// Nothing of what is looked for.
    #[error("there is no {what}{}", alias.as_ref().map(|alias| format!(" called {alias:?}")).unwrap_or_default())]
    Missing {
        /// What is looked for.
        what: &'static str,
        /// Under which name.
        alias: Option<String>,
    },
}

/// Keys with their chains, and certificates marked as trusted.
const LINKED: Pkcs12ImportPolicy = Pkcs12ImportPolicy::Relaxed;

/// An entry of an opened store.
struct Entry {
    alias: String,
    content: Content,
}

enum Content {
    Certificate(CertificateDer<'static>),
    Key {
        /// Leaf first.
        chain: Vec<CertificateDer<'static>>,
        key: Key,
    },
}

/// A private key as the store holds it.
enum Key {
    /// PKCS#8.
    Plain(Vec<u8>),
    /// With a password of its own.
    Sealed(Vec<u8>),
}

/// What opens a store, and what is taken from it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access<'a> {
    /// Opens the store.
    pub password: Option<&'a str>,
    /// Opens the key; the store's password if absent.
    pub key_password: Option<&'a str>,
    /// The entry; `None` takes all certificates, or the first key.
    pub alias: Option<&'a str>,
}

/// Largest file of certificates or keys, in bytes; the whole store of a system is a quarter of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a file of certificates or keys. A definition may name any file: a device or a pipe would never end.
///
/// # Errors
/// The file cannot be read, is not a regular file, or is longer than 1 MiB.
pub fn read_file(file: &str) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut content = Vec::new();
    fs::File::open(file)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut content)?;
    Ok(content)
}

/// The bytes of content that a definition carries as text: PEM as it is, or base64.
///
/// # Errors
/// [`StoreError::Base64`] if it is neither.
pub fn decode_content(text: &str) -> Result<Vec<u8>, StoreError> {
    if text.contains("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    let compact: String = text.split_whitespace().collect();
    BASE64_STANDARD.decode(compact).map_err(StoreError::Base64)
}

/// The certificates of a PEM document, at least one.
///
/// # Errors
/// [`StoreError`] if it does not parse or holds none.
pub fn pem_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(StoreError::Pem)?;
    if certificates.is_empty() {
        return Err(missing("certificate", None));
    }
    Ok(certificates)
}

/// A certificate chain and its key from two PEM documents.
///
/// # Errors
/// [`StoreError`] if one of them does not parse or is empty.
pub fn pem_identity(chain: &[u8], key: &[u8]) -> Result<Identity, StoreError> {
    let key = PrivateKeyDer::from_pem_slice(key).map_err(StoreError::Pem)?;
    Ok(Identity {
        chain: pem_certificates(chain)?,
        key: key.secret_der().to_vec(),
    })
}

/// The certificates to trust in a PKCS#12 or Java store: its certificate entries, and the first
/// certificate of key entries, as in Java.
///
/// # Errors
/// [`StoreError`] if the store does not open or has no certificate.
pub fn trusted(
    store: &[u8],
    access: Access<'_>,
) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let mut certificates = certificates(open(store, access.password, LINKED)?, access.alias);
    if certificates.is_empty() && !jks::is_jks(store) {
        // OpenSSL does not mark certificates as trusted; those of no key are left out above.
        let unlinked = open(store, access.password, Pkcs12ImportPolicy::Raw)?;
        certificates = self::certificates(unlinked, access.alias);
    }
    if certificates.is_empty() {
        return Err(missing("certificate", access.alias));
    }
    Ok(certificates)
}

fn certificates(entries: Vec<Entry>, alias: Option<&str>) -> Vec<CertificateDer<'static>> {
    let wanted = entries.into_iter().filter(|entry| is_wanted(entry, alias));
    wanted
        .filter_map(|entry| match entry.content {
            Content::Certificate(certificate) => Some(certificate),
            Content::Key { chain, .. } => chain.into_iter().next(),
        })
        .collect()
}

/// The key of a PKCS#12 or Java store with its certificate chain.
///
/// # Errors
/// [`StoreError`] if the store or the key does not open, or there is no key.
pub fn identity(store: &[u8], access: Access<'_>) -> Result<Identity, StoreError> {
    for entry in open(store, access.password, LINKED)? {
        if !is_wanted(&entry, access.alias) {
            continue;
        }
        if let Content::Key { chain, key } = entry.content {
            let password = access.key_password.or(access.password).unwrap_or_default();
            let key = match key {
                Key::Plain(key) => key,
                Key::Sealed(sealed) => jks::unseal(&sealed, password)?,
            };
            return Ok(Identity { chain, key });
        }
    }
    Err(missing("private key", access.alias))
}

fn open(
    store: &[u8],
    password: Option<&str>,
    policy: Pkcs12ImportPolicy,
) -> Result<Vec<Entry>, StoreError> {
    if jks::is_jks(store) {
        jks::open(store, password)
    } else {
        open_pkcs12(store, password.unwrap_or_default(), policy)
    }
}

fn open_pkcs12(
    store: &[u8],
    password: &str,
    policy: Pkcs12ImportPolicy,
) -> Result<Vec<Entry>, StoreError> {
    let opened = Pkcs12::from_pkcs12(store, password, policy)
        .map_err(|error| StoreError::Pkcs12(error.to_string()))?;
    let der = |certificate: &p12_keystore::Certificate| {
        CertificateDer::from(certificate.as_der().to_vec())
    };
    let entries = opened.entries().filter_map(|(alias, entry)| {
        let content = match entry {
            KeyStoreEntry::Certificate(certificate) => Content::Certificate(der(certificate)),
            KeyStoreEntry::PrivateKeyChain(key) => Content::Key {
                chain: key.certs().iter().map(der).collect(),
                key: Key::Plain(key.key().as_der().to_vec()),
            },
            KeyStoreEntry::Secret(_) => return None,
        };
        Some(Entry {
            alias: alias.clone(),
            content,
        })
    });
    Ok(entries.collect())
}

/// Java does not tell aliases apart by case.
fn is_wanted(entry: &Entry, alias: Option<&str>) -> bool {
    alias.is_none_or(|alias| alias.is_empty() || entry.alias.eq_ignore_ascii_case(alias))
}

fn missing(what: &'static str, alias: Option<&str>) -> StoreError {
    StoreError::Missing {
        what,
        alias: alias.map(str::to_owned),
    }
}
