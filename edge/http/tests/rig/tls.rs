//! A TLS server whose certificate can be replaced.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tidegate_edge_http::bind::{Binds, start_workers};
use tidegate_edge_http::server::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{Behaviour, TestHandler, read_head};

pub(crate) struct TlsRig {
    address: SocketAddr,
    config: Arc<ArcSwap<ServerConfig>>,
    trusted: std::sync::Mutex<CertificateDer<'static>>,
    _drain: tokio_util::sync::DropGuard,
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certified() -> (CertificateDer<'static>, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (certificate, config)
}

pub(crate) async fn tls_rig() -> TlsRig {
    let (certificate, config) = certified();
    let config = Arc::new(ArcSwap::from_pointee(config));
    let binds = Binds {
        http: None,
        https: Some(("127.0.0.1:0".parse().unwrap(), Arc::clone(&config))),
    };
    let drain = CancellationToken::new();
    let refused = Arc::new(AtomicUsize::new(0));
    let make = move |_| TestHandler::new(Behaviour::Echo, Arc::clone(&refused));
    let workers = start_workers(1, &binds, make, &Limits::default(), drain.clone()).unwrap();
    let address = workers.addresses().https.unwrap();
    TlsRig {
        address,
        config,
        trusted: std::sync::Mutex::new(certificate),
        _drain: drain.drop_guard(),
    }
}

impl TlsRig {
    async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.lock().unwrap().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    /// The version in which a request over `alpn` is answered.
    pub(crate) async fn version_over_tls(&self, alpn: &[u8]) -> String {
        let mut stream = self.connect(alpn).await;
        if alpn == b"h2" {
            let io = hyper_util::rt::TokioIo::new(stream);
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
                .await
                .unwrap();
            tokio::spawn(connection);
            let request = http::Request::get("https://localhost/")
                .body(http_body_util::Empty::<bytes::Bytes>::new())
                .unwrap();
            return format!(
                "{:?}",
                sender.send_request(request).await.unwrap().version()
            );
        }
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        read_head(&mut stream)
            .await
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    }

    /// The certificate that a new connection is shown.
    pub(crate) async fn certificate(&self) -> Vec<u8> {
        let stream = self.connect(b"http/1.1").await;
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) fn replace_certificate(&self) {
        let (certificate, config) = certified();
        *self.trusted.lock().unwrap() = certificate;
        self.config.store(Arc::new(config));
    }
}
