//! The upstream side alone: pools, retries, timeouts, TLS, against upstreams of a few lines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tidegate_edge_http::body::{Body, BodyError};
use tidegate_edge_http::upstream::{
    TargetOptions, TimeoutPhase, TlsOptions, UpstreamError, UpstreamPools, UpstreamTarget,
    UpstreamVersion, Verification,
};
use tidegate_keystore::pem_certificates;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap()
        .block_on(future)
}

/// Starts an upstream whose connections are served by `serve`, which is told the connection's number.
async fn upstream<F: Future<Output = ()> + 'static>(
    serve: impl Fn(usize, tokio::net::TcpStream) -> F + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(serve(number, stream));
        }
    });
    address
}

/// Reads one request without a body; false at the end of the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => seen.push(byte),
            Err(_) => return false,
        }
    }
    true
}

async fn answer_all(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    while read_request(stream).await && stream.write_all(OK).await.is_ok() {}
}

fn options(address: SocketAddr) -> TargetOptions {
    let mut options = TargetOptions::new(address.ip().to_string(), address.port());
    options.connect_timeout = Duration::from_millis(400);
    options.read_timeout = Duration::from_millis(400);
    options.idle_timeout = Duration::from_millis(300);
    options
}

fn request(method: Method) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri("/")
        .body(Body::Empty)
        .unwrap()
}

async fn get(
    pools: &UpstreamPools,
    target: &Arc<UpstreamTarget>,
) -> Result<Vec<u8>, UpstreamError> {
    let reply = pools.send(target, request(Method::GET)).await?;
    Ok(reply.response.body.collect(1 << 20).await.unwrap().to_vec())
}

#[test]
fn a_busy_pool_makes_exchanges_wait_and_fail_in_time() {
    run(async {
        let address = upstream(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe")
                .await
                .unwrap();
            read_request(&mut stream).await;
        })
        .await;
        let mut options = options(address);
        options.connections_max = 1;
        let target = UpstreamTarget::intern(options).unwrap();
        let pools = UpstreamPools::new(1);
        let open = pools.send(&target, request(Method::GET)).await.unwrap();
        let started = Instant::now();
        let refused = pools.send(&target, request(Method::GET)).await.unwrap_err();
        assert!(matches!(
            refused,
            UpstreamError::PoolExhausted { connections_max: 1 }
        ));
        assert!(started.elapsed() >= Duration::from_millis(400));
        let waiting = tokio::task::spawn_local({
            let (pools, target) = (pools.clone(), Arc::clone(&target));
            async move { pools.send(&target, request(Method::GET)).await.is_ok() }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(open);
        assert!(
            waiting.await.unwrap(),
            "the freed place goes to whoever waits"
        );
    });
}

#[test]
fn a_get_on_a_kept_connection_that_dies_is_sent_again() {
    run(async {
        // The first connection answers once, takes a second request and closes without a word.
        let address = upstream(|number, mut stream| async move {
            if number == 0 {
                read_request(&mut stream).await;
                stream.write_all(OK).await.unwrap();
                read_request(&mut stream).await;
            } else {
                answer_all(&mut stream).await;
            }
        });
        let target = UpstreamTarget::intern(options(address.await)).unwrap();
        let pools = UpstreamPools::new(1);
        for _ in 0..2 {
            assert_eq!(get(&pools, &target).await.unwrap(), b"ok");
        }
    });
}

#[test]
fn a_post_on_a_connection_that_dies_is_not_sent_twice() {
    run(async {
        let address = upstream(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(OK).await.unwrap();
            read_request(&mut stream).await;
        });
        let target = UpstreamTarget::intern(options(address.await)).unwrap();
        let pools = UpstreamPools::new(1);
        assert_eq!(get(&pools, &target).await.unwrap(), b"ok");
        let second = pools.send(&target, request(Method::POST)).await;
        assert!(matches!(
            second,
            Err(UpstreamError::Closed | UpstreamError::Io(_))
        ));
    });
}

#[test]
fn silence_and_refusal_are_told_apart() {
    run(async {
        let silent = upstream(|_, mut stream| async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let pools = UpstreamPools::new(1);
        let target = UpstreamTarget::intern(options(silent)).unwrap();
        let error = get(&pools, &target).await.unwrap_err();
        assert!(
            matches!(error, UpstreamError::Timeout(TimeoutPhase::Read)),
            "{error:?}"
        );
        let closed = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let target = UpstreamTarget::intern(options(closed)).unwrap();
        let error = get(&pools, &target).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Connect(_)), "{error:?}");
        let mut unknown = TargetOptions::new("no-such-name.invalid", 80);
        unknown.connect_timeout = Duration::from_secs(5);
        let target = UpstreamTarget::intern(unknown).unwrap();
        let error = get(&pools, &target).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Resolve(_)), "{error:?}");
    });
}

#[test]
fn a_body_that_stalls_ends_with_a_timeout() {
    run(async {
        let address = upstream(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
                .await
                .unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let target = UpstreamTarget::intern(options(address.await)).unwrap();
        let reply = UpstreamPools::new(1)
            .send(&target, request(Method::GET))
            .await
            .unwrap();
        let error = reply.response.body.collect(100).await.unwrap_err();
        assert!(matches!(error, BodyError::Timeout), "{error:?}");
    });
}

#[test]
fn a_body_larger_than_asked_for_is_not_collected() {
    run(async {
        let address = upstream(|_, mut stream| async move { answer_all(&mut stream).await });
        let target = UpstreamTarget::intern(options(address.await)).unwrap();
        let reply = UpstreamPools::new(1)
            .send(&target, request(Method::GET))
            .await
            .unwrap();
        let error = reply.response.body.collect(1).await.unwrap_err();
        assert!(
            matches!(error, BodyError::TooLarge { bytes_max: 1 }),
            "{error:?}"
        );
    });
}

/// A TLS upstream for `localhost` that speaks HTTP/1 only; returns its certificate as PEM.
async fn tls_upstream() -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = upstream(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer_all(&mut stream).await;
            }
        }
    });
    (address.await, made.cert.pem().into_bytes())
}

#[test]
fn certificates_are_checked_as_configured() {
    run(async {
        let (address, pem) = tls_upstream().await;
        let (_, other_pem) = tls_upstream().await;
        let full = Verification::Full;
        let cases = [
            (full, Some(&pem), Some("localhost"), true),
            (full, Some(&pem), Some("other.test"), false),
            (full, Some(&other_pem), Some("localhost"), false),
            (full, None, Some("localhost"), false),
            (Verification::AnyName, Some(&pem), Some("other.test"), true),
            (
                Verification::AnyName,
                Some(&other_pem),
                Some("localhost"),
                false,
            ),
            (Verification::TrustAll, Some(&other_pem), None, true),
        ];
        for (verification, roots, name, accepted) in cases {
            let mut options = options(address);
            options.connect_timeout = Duration::from_secs(5);
            options.tls = Some(TlsOptions {
                verification,
                roots: roots.map(|pem| pem_certificates(pem).unwrap()),
                adds_system_roots: false,
                client_identity: None,
                server_name: name.map(str::to_owned),
            });
            let Ok(target) = UpstreamTarget::intern(options) else {
                assert!(
                    roots.is_none() && !accepted,
                    "only system roots may be missing"
                );
                continue;
            };
            let got = get(&UpstreamPools::new(1), &target).await;
            match got {
                Ok(body) => assert!(accepted && body == b"ok", "{verification:?} {name:?}"),
                Err(UpstreamError::Tls(_)) => assert!(!accepted, "{verification:?} {name:?}"),
                Err(error) => panic!("{verification:?} {name:?}: {error:?}"),
            }
        }
    });
}

#[test]
fn an_upstream_that_declines_http_2_is_served_over_http_1() {
    run(async {
        let (address, pem) = tls_upstream().await;
        let mut options = options(address);
        options.connect_timeout = Duration::from_secs(5);
        options.version = UpstreamVersion::Http2;
        options.tls = Some(TlsOptions {
            roots: Some(pem_certificates(&pem).unwrap()),
            server_name: Some("localhost".to_owned()),
            ..TlsOptions::default()
        });
        let target = UpstreamTarget::intern(options).unwrap();
        let pools = UpstreamPools::new(1);
        for _ in 0..2 {
            assert_eq!(get(&pools, &target).await.unwrap(), b"ok");
        }
    });
}
