//! Endpoints behind TLS: whom the edge trusts, and what it shows of itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier,
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::{client::get, definition::api, edge::Edge};

/// An authority with a server's and a client's certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// A certificate for `name` and its key, as PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Answers over TLS as `name`, to clients with a certificate of this authority only.
    fn upstream(&self, name: &str) -> String {
        let (chain, key) = self.issue(name);
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let chain = rustls_pki_types::CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(
                vec![chain],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        serve(Arc::new(config))
    }
}

/// Answers one request per connection; handshakes that fail end their connection.
fn serve(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecret";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("https://localhost:{}", address.port())
}

/// The status a client gets from an API on `target` with `ssl` settings.
fn status(target: &str, ssl: &Value) -> u16 {
    let mut definition = api("api", "/", &[target]);
    definition["endpointGroups"][0]["sharedConfiguration"] = json!({"ssl": ssl});
    let edge = Edge::serving(vec![definition]);
    let answer = get(edge.address, "/", &[]);
    assert_eq!(answer.body == "secret", answer.status == 200, "{answer:?}");
    answer.status
}

fn trust_store(authority: &Authority) -> Value {
    json!({"type": "PEM", "content": authority.issuer.pem()})
}

fn key_store(authority: &Authority) -> Value {
    let (certificate, key) = authority.issue("edge");
    json!({"type": "PEM", "certContent": certificate, "keyContent": key})
}

#[test]
fn stores_decide_who_may_be_at_both_ends() {
    let (known, other) = (Authority::new(), Authority::new());
    let (trusted, shown) = (trust_store(&known), key_store(&known));
    let target = known.upstream("localhost");
    for (claim, ssl, expected) in [
        (
            "both sides know each other",
            json!({"trustStore": trusted, "keyStore": shown}),
            200,
        ),
        (
            "the endpoint's authority is not trusted",
            json!({"trustStore": trust_store(&other), "keyStore": shown}),
            502,
        ),
        (
            "without a trust store, the system's authorities hold",
            json!({"keyStore": shown}),
            502,
        ),
        (
            "whoever trusts all needs no trust store",
            json!({"trustAll": true, "keyStore": shown}),
            200,
        ),
        (
            "the endpoint refuses a client without a certificate",
            json!({"trustStore": trusted}),
            502,
        ),
        (
            "the endpoint refuses a certificate of another authority",
            json!({"trustStore": trusted, "keyStore": key_store(&other)}),
            502,
        ),
    ] {
        assert_eq!(status(&target, &ssl), expected, "{claim}");
    }
}

#[test]
fn the_name_in_the_certificate_counts_unless_it_is_waived() {
    let authority = Authority::new();
    let target = authority.upstream("elsewhere.test");
    let (trusted, shown) = (trust_store(&authority), key_store(&authority));
    for (is_checked, expected) in [(true, 502), (false, 200)] {
        let ssl = json!({
            "hostnameVerifier": is_checked, "trustStore": trusted, "keyStore": shown,
        });
        assert_eq!(status(&target, &ssl), expected, "checked: {is_checked}");
    }
}

#[test]
fn stores_may_be_files_of_the_edge() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (certificate, key) = authority.issue("edge");
    let ssl = json!({
        "trustStore": {"type": "PEM", "path": file("ca.pem", &authority.issuer.pem())},
        "keyStore": {
            "type": "PEM",
            "certPath": file("edge.pem", &certificate),
            "keyPath": file("edge.key", &key),
        },
    });
    assert_eq!(status(&authority.upstream("localhost"), &ssl), 200);
}
