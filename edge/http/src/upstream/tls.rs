//! TLS towards upstreams: whom to trust, which certificate to show, which protocol to ask for.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

pub use tidegate_keystore::Identity as ClientIdentity;

use super::target::UpstreamVersion;

/// TLS settings of a target.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// What of the upstream's certificate is checked.
    pub verification: Verification,
    /// Trusted roots; `None` trusts the system's.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// Whether the system's roots are trusted besides `roots`.
    pub adds_system_roots: bool,
    /// Certificate shown to the upstream.
    pub client_identity: Option<ClientIdentity>,
    /// Name for SNI and certificate check if it is not the target's host.
    pub server_name: Option<String>,
}

/// What of an upstream's certificate is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verification {
    /// Chain, validity and host name.
    #[default]
    Full,
    /// Chain and validity, any name.
    AnyName,
    /// Nothing (`trustAll`): the connection is encrypted but anybody may be at its end.
    TrustAll,
}

/// TLS material that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The client's key is in none of the known encodings.
    #[error("the client key is neither PKCS#8, PKCS#1 nor SEC1")]
    Key,
    /// The system's root certificates cannot be read.
    #[error("no usable root certificate on this system")]
    NoSystemRoots,
    /// rustls refuses the material.
    #[error("unusable certificate or key")]
    Rustls(#[source] rustls::Error),
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions")
            .field("verification", &self.verification)
            .field("own_roots", &self.roots.is_some())
            .field("client_identity", &self.client_identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Builds the configuration of a target's handshakes.
pub(super) fn client_config(
    options: &TlsOptions,
    version: UpstreamVersion,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?;
    let builder = match options.verification {
        Verification::Full => builder.with_root_certificates(roots(options)?),
        Verification::AnyName | Verification::TrustAll => {
            let roots = match options.verification {
                Verification::TrustAll => None,
                Verification::Full | Verification::AnyName => Some(roots(options)?),
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Lenient { roots, provider }))
        }
    };
    let mut config = match &options.client_identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key =
                PrivateKeyDer::try_from(identity.key.clone()).map_err(|_unknown| TlsError::Key)?;
            builder
                .with_client_auth_cert(identity.chain.clone(), key)
                .map_err(TlsError::Rustls)?
        }
    };
    config.alpn_protocols = match version {
        UpstreamVersion::Http1 => vec![b"http/1.1".to_vec()],
        UpstreamVersion::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}

/// Builds the configuration of handshakes that ask for no protocol, for what is not HTTP.
///
/// # Errors
/// The material cannot be used.
pub fn plain_client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let config = client_config(options, UpstreamVersion::Http1)?;
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols = Vec::new();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(provider) => Arc::clone(provider),
        None => Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
    }
}

fn roots(options: &TlsOptions) -> Result<Arc<RootCertStore>, TlsError> {
    match &options.roots {
        Some(roots) => {
            let mut store = if options.adds_system_roots {
                RootCertStore::clone(&*system_roots()?)
            } else {
                RootCertStore::empty()
            };
            for certificate in roots {
                store.add(certificate.clone()).map_err(TlsError::Rustls)?;
            }
            Ok(Arc::new(store))
        }
        None => system_roots(),
    }
}

/// Reads the system's roots once per process: it costs milliseconds and file reads.
fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        // Single unreadable or odd certificates are common in system stores; what matters is whether any is left.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if store.is_empty() {
        Err(TlsError::NoSystemRoots)
    } else {
        Ok(Arc::clone(store))
    }
}

/// Checks no name, and the chain only if there are roots; always that the peer holds the key of the
/// certificate it shows.
#[derive(Debug)]
struct Lenient {
    roots: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
