//! TCP APIs over real sockets and real TLS.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tidegate_edge_http::{
    access_log::{AccessLog, AccessLogTarget, AccessLogWriter},
    compile::{NodeFacts, ServerIds},
};
use tidegate_edge_tcp::{
    Routes, TcpEdge, TcpLimits, TcpListen, TcpLive, TcpMetrics, TcpParts, compile,
};
use tidegate_model::{
    ApiId, ApiObject, ConfigSnapshot, Epoch, Revision, Secret, SharedObjects, TagSelector,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

const BRIGHT: &str = "bright.side.force";
const DARK: &str = "dark.side.force";
const PATIENCE: Duration = Duration::from_secs(10);

struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    server: ServerConfig,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn identity(names: &[&str]) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    Identity {
        certificate,
        pem: made.cert.pem(),
        server,
    }
}

fn api(id: &str, hosts: &[&str], target: &Value, shared: &Value) -> Value {
    json!({
        "id": id, "name": id, "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "proxy",
        "listeners": [{"type": "tcp", "hosts": hosts,
                       "entrypoints": [{"type": "tcp-proxy", "configuration": {}}]}],
        "endpointGroups": [{"name": "default-group", "type": "tcp-proxy", "sharedConfiguration": shared,
            "endpoints": [{"name": "default", "type": "tcp-proxy", "inheritConfiguration": true,
                           "configuration": {"target": target}}]}],
        "plans": [{"id": format!("{id}-open"), "name": "open", "status": "published",
                   "security": {"type": "key-less"}}]
    })
}

fn target(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port()})
}

fn compiled(definitions: Vec<Value>, previous: &Routes) -> (Routes, Vec<String>) {
    let objects = definitions.into_iter().map(|definition| {
        Arc::new(ApiObject {
            id: ApiId::parse(definition["id"].as_str().unwrap()).unwrap(),
            environment: "default".to_owned(),
            definition,
            groups: Default::default(),
            started: true,
            deployment_number: 1,
            deployed_ms: 0,
        })
    });
    let snapshot = ConfigSnapshot {
        environment: "default".to_owned(),
        epoch: Epoch(1),
        revision: Revision(1),
        root: [0; 32],
        apis: objects.collect(),
        subscriptions: Vec::new(),
        shared: SharedObjects::default(),
        api_key_pepper: Secret::new(Vec::new()),
    };
    let node = NodeFacts {
        id: "edge-1".to_owned(),
        tags: TagSelector::parse::<&str>(&[]).unwrap(),
        tenant: None,
        region: None,
        version: "test".to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    };
    let (routes, refused) = compile(&snapshot, previous, &node);
    let refused = refused
        .into_iter()
        .map(|refused| format!("{} {}", refused.path, refused.message));
    (routes, refused.collect())
}

struct Rig {
    edge: Option<TcpEdge>,
    /// The server `tcp`.
    address: SocketAddr,
    /// The server `internal`.
    internal: SocketAddr,
    live: Arc<TcpLive>,
    metrics: TcpMetrics,
    certificate: CertificateDer<'static>,
    log: Option<(tempfile::TempDir, AccessLogWriter)>,
}

impl Rig {
    fn start(definitions: Vec<Value>) -> Self {
        let Identity {
            certificate,
            server,
            ..
        } = identity(&[BRIGHT, DARK, "other.test"]);
        let (metrics, live) = (TcpMetrics::new(), Arc::new(TcpLive::new()));
        let tls = Arc::new(ArcSwap::from_pointee(server));
        let directory = tempfile::tempdir().unwrap();
        let target = AccessLogTarget::File(directory.path().join("access.log"));
        let (log, writer) = AccessLog::start(target).unwrap();
        let listeners = ["tcp", "internal"].map(|id| TcpListen {
            id: id.to_owned(),
            address: "127.0.0.1:0".parse().unwrap(),
            tls: Arc::clone(&tls),
        });
        let edge = TcpEdge::start(TcpParts {
            listeners: listeners.into(),
            live: Arc::clone(&live),
            metrics: metrics.clone(),
            access_log: Some(log),
            edge_id: "edge-1".to_owned(),
            limits: TcpLimits {
                drain_timeout: Duration::from_secs(5),
                retire_grace: Duration::from_millis(100),
                ..TcpLimits::default()
            },
            threads: 1,
        });
        let edge = edge.unwrap();
        let rig = Self {
            address: edge.addresses()[0].1,
            internal: edge.addresses()[1].1,
            edge: Some(edge),
            live,
            metrics,
            certificate,
            log: Some((directory, writer)),
        };
        rig.swap(definitions);
        rig
    }

    /// Makes another configuration active.
    fn swap(&self, definitions: Vec<Value>) {
        let (routes, refused) = compiled(definitions, &self.live.load());
        assert_eq!(refused, Vec::<String>::new());
        self.live.store(Arc::new(routes));
    }

    /// Stops the edge and reads what it wrote about connections.
    fn records(mut self) -> Vec<Value> {
        let (directory, writer) = self.log.take().unwrap();
        drop(self);
        std::thread::spawn(move || writer.join()).join().unwrap();
        let text = std::fs::read_to_string(directory.path().join("access.log")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    async fn connect(&self, name: &'static str) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_to(self.address, name).await
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        name: &'static str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        connector
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
    }

    /// Waits until nothing is open: a connection that stays is a leak.
    async fn wait_until_closed(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.metrics.open() > 0 {
            assert!(
                Instant::now() < deadline,
                "{} connections leaked",
                self.metrics.open()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(edge) = self.edge.take() {
            std::thread::spawn(move || edge.drain()).join().unwrap();
        }
    }
}

/// Reads to the end of a connection, then answers with its name and what it read.
async fn upstream(name: &'static str, tls: Option<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor {
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            answer(name, stream).await;
                        }
                    }
                    None => answer(name, stream).await,
                }
            });
        }
    });
    address
}

async fn answer(name: &str, mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut asked = String::new();
    if stream.read_to_string(&mut asked).await.is_ok() {
        let _ = stream
            .write_all(format!("{name}: {asked}").as_bytes())
            .await;
        let _ = stream.shutdown().await;
    }
}

async fn ask(rig: &Rig, name: &'static str, text: &str) -> String {
    let mut client = rig.connect(name).await.unwrap();
    client.write_all(text.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answered = String::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_string(&mut answered)).await;
    read.unwrap().unwrap();
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_a_client_asks_for_chooses_the_api() {
    let (one, two) = (upstream("one", None).await, upstream("two", None).await);
    let rig = Rig::start(vec![
        api(
            "one",
            &[BRIGHT, "Dark.Side.Force"],
            &target(one),
            &json!({}),
        ),
        api("two", &["other.test"], &target(two), &json!({})),
    ]);
    assert_eq!(ask(&rig, BRIGHT, "hello").await, "one: hello");
    assert_eq!(ask(&rig, DARK, "hello").await, "one: hello");
    let long = "x".repeat(300_000);
    assert_eq!(ask(&rig, "other.test", &long).await, format!("two: {long}"));
    rig.wait_until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_no_known_name_gets_no_handshake() {
    let one = upstream("one", None).await;
    let rig = Rig::start(vec![api("one", &[BRIGHT], &target(one), &json!({}))]);
    assert!(rig.connect(DARK).await.is_err());
    let mut clear = TcpStream::connect(rig.address).await.unwrap();
    clear.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut received = Vec::new();
    let read = tokio::time::timeout(PATIENCE, clear.read_to_end(&mut received)).await;
    assert!(read.is_ok(), "the edge closes the connection");
    rig.wait_until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secured_endpoint_is_checked_and_spoken_to_in_tls() {
    let Identity { pem, server, .. } = identity(&["localhost"]);
    let secure = upstream("secure", Some(server)).await;
    let target = json!({"host": "localhost", "port": secure.port(), "secured": true});
    let trusting = json!({"ssl": {"trustStore": {"type": "PEM", "content": pem}}});
    let quick = json!({"tcp": {"reconnectAttempts": 0}});
    let rig = Rig::start(vec![
        api("trusting", &[BRIGHT], &target, &trusting),
        api("doubting", &[DARK], &target, &quick),
    ]);
    assert_eq!(ask(&rig, BRIGHT, "hello").await, "secure: hello");
    let mut client = rig.connect(DARK).await.unwrap();
    let mut received = Vec::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_end(&mut received)).await;
    assert!(
        read.is_ok() && received.is_empty(),
        "an unknown certificate gets nothing"
    );
    rig.wait_until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_comes_back_is_tried_again() {
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let patient = json!({"tcp": {"reconnectAttempts": 20, "reconnectInterval": 50}});
    let rig = Rig::start(vec![api("one", &[BRIGHT], &target(address), &patient)]);
    let mut client = rig.connect(BRIGHT).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = tokio::time::timeout(PATIENCE, listener.accept())
        .await
        .unwrap()
        .unwrap();
    client.write_all(b"late").await.unwrap();
    let mut asked = [0; 4];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"late");
    drop((client, stream));
    rig.wait_until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_ends_at_its_limit_and_a_stop_waits_for_the_others() {
    let one = upstream("one", None).await;
    let idle = json!({"tcp": {"idleTimeout": 100}});
    let mut rig = Rig::start(vec![
        api("idle", &[BRIGHT], &target(one), &idle),
        api("calm", &[DARK], &target(one), &json!({})),
    ]);
    let mut client = rig.connect(BRIGHT).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, client.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "idle connections end");
    let mut calm = rig.connect(DARK).await.unwrap();
    let edge = rig.edge.take().unwrap();
    let drained = std::thread::spawn(move || edge.drain());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(rig.connect(DARK).await.is_err(), "nothing new is taken");
    calm.write_all(b"last").await.unwrap();
    calm.shutdown().await.unwrap();
    let mut answered = String::new();
    calm.read_to_string(&mut answered).await.unwrap();
    assert_eq!(answered, "one: last");
    assert!(drained.join().unwrap(), "in time");
}

#[test]
fn what_cannot_be_used_is_refused_alone_with_its_place() {
    let address = json!({"host": "127.0.0.1", "port": 1});
    let proxied = json!({"proxy": {"enabled": true, "useSystemProxy": true}});
    let mut stopped_plan = api("staging", &["staging.test"], &address, &json!({}));
    stopped_plan["plans"][0]["status"] = json!("staging");
    let definitions = vec![
        api("good", &[BRIGHT], &address, &json!({})),
        api("same", &[BRIGHT], &address, &json!({})),
        api(
            "bad-host",
            &["a.test"],
            &json!({"host": "a b", "port": 1}),
            &json!({}),
        ),
        api("no-port", &["b.test"], &json!({"host": "a"}), &json!({})),
        api("proxied", &["c.test"], &address, &proxied),
        stopped_plan,
    ];
    let (routes, refused) = compiled(definitions, &Routes::default());
    assert_eq!(
        routes.find("tcp", "BRIGHT.side.force").unwrap().id.as_str(),
        "good"
    );
    for name in ["a.test", "b.test", "c.test", "staging.test"] {
        assert!(routes.find("tcp", name).is_none(), "{name}");
    }
    assert_eq!(refused.len(), 4, "{refused:?}");
    assert!(refused[0].contains("belongs to API good"), "{refused:?}");
    assert!(
        refused[2].starts_with("endpointGroups[0].endpoints[0].configuration.target.port"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_belongs_to_an_api_on_its_servers_only() {
    let (one, two) = (upstream("one", None).await, upstream("two", None).await);
    let on = |id: &str, server: &str, address| {
        let mut api = api(id, &[BRIGHT], &target(address), &json!({}));
        api["listeners"][0]["servers"] = json!([server]);
        api
    };
    let rig = Rig::start(vec![on("one", "tcp", one), on("two", "internal", two)]);
    assert_eq!(ask(&rig, BRIGHT, "hello").await, "one: hello");
    let mut client = rig.connect_to(rig.internal, BRIGHT).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answered = String::new();
    client.read_to_string(&mut answered).await.unwrap();
    assert_eq!(answered, "two: hello");
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_endpoint_takes_over_for_one_that_is_gone() {
    let (gone, spare) = (nobody().await, upstream("spare", None).await);
    let quick = json!({"tcp": {"reconnectAttempts": 0}});
    let mut failing = api("one", &[BRIGHT], &target(gone), &quick);
    let mut second = failing["endpointGroups"][0]["endpoints"][0].clone();
    second["name"] = json!("spare");
    second["secondary"] = json!(true);
    second["configuration"]["target"] = target(spare);
    failing["endpointGroups"][0]["endpoints"]
        .as_array_mut()
        .unwrap()
        .push(second);
    let rig = Rig::start(vec![failing]);
    for _ in 0..3 {
        assert_eq!(ask(&rig, BRIGHT, "hello").await, "spare: hello");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_keeps_connections_and_an_undeployment_ends_them_after_a_grace() {
    let one = upstream("one", None).await;
    let definition = || api("one", &[BRIGHT], &target(one), &json!({}));
    let rig = Rig::start(vec![definition()]);
    let mut kept = rig.connect(BRIGHT).await.unwrap();
    rig.swap(vec![definition()]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    kept.write_all(b"still here").await.unwrap();
    kept.shutdown().await.unwrap();
    let mut answered = String::new();
    kept.read_to_string(&mut answered).await.unwrap();
    assert_eq!(answered, "one: still here");
    let mut open = rig.connect(BRIGHT).await.unwrap();
    open.write_all(b"half a question").await.unwrap();
    rig.swap(Vec::new());
    assert!(rig.connect(BRIGHT).await.is_err(), "nothing new is taken");
    let read = tokio::time::timeout(PATIENCE, open.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "the connection ends");
    rig.wait_until_closed().await;
    let records = rig.records();
    let told: Vec<(&str, u64, u64)> = records
        .iter()
        .map(|record| {
            let number = |name: &str| record[name].as_u64().unwrap();
            let key = record["error-key"].as_str().unwrap_or_default();
            (
                key,
                number("request-content-length"),
                number("response-content-length"),
            )
        })
        .collect();
    assert_eq!(told, [("", 10, 15), ("TCP_API_UNDEPLOYED", 15, 0)]);
    let first = &records[0];
    assert_eq!(first["endpoint"], json!(format!("tcp://{one}")));
    assert_eq!(
        (&first["host"], &first["api-id"]),
        (&json!(BRIGHT), &json!("one"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socks_proxy_stands_between_if_the_definition_says_so() {
    let one = upstream("one", None).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    // SOCKS 5 without authentication (RFC 1928), one connection.
    let served = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 10];
        client.read_exact(&mut request).await.unwrap();
        let port = u16::from_be_bytes([request[8], request[9]]);
        let mut endpoint = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        client
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut endpoint).await;
        request[..4].to_vec()
    });
    let shared = json!({"proxy": {"enabled": true, "type": "SOCKS5",
                                  "host": "127.0.0.1", "port": address.port()}});
    let rig = Rig::start(vec![api("one", &[BRIGHT], &target(one), &shared)]);
    assert_eq!(ask(&rig, BRIGHT, "hello").await, "one: hello");
    assert_eq!(
        served.await.unwrap(),
        [5, 1, 0, 1],
        "CONNECT to an IPv4 address"
    );
}
