//! The key of a configuration: where it is, and the certificates beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_keystore::{Access, Identity, identity};
use tidegate_policy::{ConfigError, Files};

use super::config::{GenerateJwtConfig, KeyResolver};
use super::signer::{Signer, SignerError};
use crate::jwt::Signature;
use crate::pem;

/// A key ready to sign, with the DER of its certificates.
#[derive(Debug)]
pub(super) struct SigningKey {
    pub(super) signer: Signer,
    pub(super) chain: Vec<Vec<u8>>,
}

impl SigningKey {
    /// Reads the key; `None` where it is in a file that only the edge has.
    pub(super) fn load(
        config: &GenerateJwtConfig,
        files: Option<&dyn Files>,
    ) -> Result<Option<Self>, ConfigError> {
        let signature = config.signature;
        if config.content.trim().is_empty() {
            return Err(wrong("nothing", signature));
        }
        if let Some(algorithm) = signature.secret_algorithm() {
            let secret = secret(config)?;
            let signer = Signer::from_secret(&secret, algorithm);
            let signer = signer.map_err(|error| wrong(error.to_string(), signature))?;
            return Ok(Some(Self {
                signer,
                chain: Vec::new(),
            }));
        }
        let key = match config.key_resolver {
            KeyResolver::Inline => from_pem(&config.content, signature),
            resolver => {
                let Some(files) = files else {
                    return Ok(None);
                };
                let path = config.content.trim();
                let content = files
                    .read(path)
                    .map_err(|error| wrong(format!("{path:?}: {error}"), signature))?;
                if resolver == KeyResolver::Pem {
                    let text = String::from_utf8(content)
                        .map_err(|_error| wrong("a file that is no text", signature))?;
                    from_pem(&text, signature)
                } else {
                    from_store(&content, config)
                }
            }
        };
        key.map(Some)
    }
}

fn secret(config: &GenerateJwtConfig) -> Result<Vec<u8>, ConfigError> {
    if config.secret_base64_encoded != Some(true) {
        return Ok(config.content.as_bytes().to_vec());
    }
    let compact: String = config.content.split_whitespace().collect();
    STANDARD
        .decode(compact)
        .map_err(|_error| wrong("text that is no Base64", config.signature))
}

fn from_pem(text: &str, signature: Signature) -> Result<SigningKey, ConfigError> {
    let mut key = None;
    let mut chain = Vec::new();
    for section in pem::sections(text) {
        match section.label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                key = key.or(Some(section.content));
            }
            "CERTIFICATE" => chain.push(section.content),
            _ => {}
        }
    }
    let key = key.ok_or_else(|| wrong("no PEM of a private key", signature))?;
    ready(&key, chain, signature)
}

fn from_store(store: &[u8], config: &GenerateJwtConfig) -> Result<SigningKey, ConfigError> {
    let access = Access {
        password: config.storepass.as_deref(),
        key_password: config.keypass.as_deref(),
        alias: config.alias.as_deref(),
    };
    let Identity { chain, key } =
        identity(store, access).map_err(|error| wrong(error.to_string(), config.signature))?;
    let chain = chain.iter().map(|certificate| certificate.to_vec());
    ready(&key, chain.collect(), config.signature)
}

fn ready(key: &[u8], chain: Vec<Vec<u8>>, signature: Signature) -> Result<SigningKey, ConfigError> {
    let signer = Signer::from_der(key, signature);
    let signer = signer.map_err(|error: SignerError| wrong(error.to_string(), signature))?;
    Ok(SigningKey { signer, chain })
}

/// Never shows the content: it may be the key.
fn wrong(found: impl Into<String>, signature: Signature) -> ConfigError {
    let expected = format!("a private key or secret for {}", signature.name());
    ConfigError::new("content", found, expected)
}
