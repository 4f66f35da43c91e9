//! DNS: a real name server (hickory-server) on this machine.

use std::{net::SocketAddr, sync::Arc};

use hickory_server::{
    Server,
    net::runtime::TokioRuntimeProvider,
    proto::rr::{
        LowerName, Name, RData, Record, RecordType, RrKey,
        rdata::{A, SOA, SRV},
    },
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, ZoneType},
};
use serde_json::{Value, json};
use tokio::{net::UdpSocket, runtime::Runtime};

use super::{Traffic, answering, current, discovered, known, wait_for, wait_until};
use crate::{edge::Edge, upstream::Upstream};

const TTL: u32 = 1;

struct NameServer {
    runtime: Runtime,
    zone: Arc<InMemoryZoneHandler<TokioRuntimeProvider>>,
    address: SocketAddr,
    server: Option<Server<Catalog>>,
}

impl NameServer {
    /// Answers for `test.`.
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let origin = name("test.");
        let zone = InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        let zone = Arc::new(zone);
        let mut server = Self {
            runtime,
            zone,
            address: "127.0.0.1:0".parse().unwrap(),
            server: None,
        };
        let soa = SOA::new(origin.clone(), origin.clone(), 1, 60, 60, 600, 1);
        server.add("test.", RData::SOA(soa));
        server.listen();
        server
    }

    fn listen(&mut self) {
        let mut catalog = Catalog::new();
        catalog.upsert(
            LowerName::new(&name("test.")),
            vec![Arc::clone(&self.zone) as _],
        );
        let _entered = self.runtime.enter();
        let socket = std::net::UdpSocket::bind(self.address).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.address = socket.local_addr().unwrap();
        let mut server = Server::new(catalog);
        server.register_socket(UdpSocket::from_std(socket).unwrap());
        self.server = Some(server);
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            self.runtime.block_on(server.shutdown_gracefully()).unwrap();
        }
    }

    fn add(&self, of: &str, data: RData) {
        let record = Record::from_rdata(name(of), TTL, data);
        self.runtime.block_on(self.zone.upsert(record, 1));
    }

    fn remove(&self, of: &str, kind: RecordType) {
        let key = RrKey::new(LowerName::new(&name(of)), kind);
        self.runtime
            .block_on(async { self.zone.records_mut().await.remove(&key) });
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn address(last: u8) -> RData {
    RData::A(A::new(127, 0, 0, last))
}

fn dns(server: &NameServer, more: &Value) -> Value {
    let mut configuration = more.clone();
    configuration["servers"] = json!([server.address.to_string()]);
    discovered("dns-service-discovery", &configuration)
}

#[test]
fn addresses_come_and_go_with_their_time_to_live() {
    let one = Upstream::echo("one");
    let mut server = NameServer::start();
    server.add("web.test.", address(1));
    let api = dns(
        &server,
        &json!({"name": "web.test", "port": one.address.port()}),
    );
    let edge = Edge::serving(vec![api]);
    wait_for(&edge, &known("dns", 1));
    let answer = crate::client::get(edge.address, "/a", &[]);
    let host = format!("host: web.test:{}", one.address.port());
    assert!(
        answer.body.to_ascii_lowercase().contains(&host),
        "endpoints are called by the name: {}",
        answer.body
    );
    server.add("web.test.", address(2));
    wait_for(&edge, &known("dns", 2));
    server.remove("web.test.", RecordType::A);
    wait_for(&edge, &known("dns", 0));
    assert_eq!(crate::client::get(edge.address, "/a", &[]).status, 503);
    server.add("web.test.", address(1));
    wait_for(&edge, &known("dns", 1));
    let traffic = Traffic::start(edge.address);
    server.stop();
    wait_for(&edge, &current("dns", 0));
    wait_for(&edge, &known("dns", 1));
    server.listen();
    wait_for(&edge, &current("dns", 1));
    traffic.stop();
}

#[test]
fn services_bring_ports_weights_and_priorities() {
    let (one, two, spare) = (
        Upstream::echo("one"),
        Upstream::echo("two"),
        Upstream::echo("spare"),
    );
    let server = NameServer::start();
    server.add("host.test.", address(1));
    let service = |priority, weight, upstream: &Upstream| {
        let port = upstream.address.port();
        RData::SRV(SRV::new(priority, weight, port, name("host.test.")))
    };
    server.add("_web._tcp.test.", service(10, 3, &one));
    server.add("_web._tcp.test.", service(10, 1, &two));
    server.add("_web._tcp.test.", service(20, 1, &spare));
    let mut api = dns(&server, &json!({"name": "_web._tcp.test.", "type": "SRV"}));
    api["endpointGroups"][0]["loadBalancer"]["type"] = json!("weighted-round-robin");
    let edge = Edge::serving(vec![api]);
    wait_for(&edge, &known("dns", 3));
    let answers: Vec<_> = (0..8).filter_map(|_| answering(&edge)).collect();
    let count = |name: &str| answers.iter().filter(|answer| *answer == name).count();
    // Two workers count on their own or together: either way three quarters go to the heavier one.
    assert_eq!((count("one"), count("two"), count("spare")), (6, 2, 0));
    server.remove("_web._tcp.test.", RecordType::SRV);
    server.add("_web._tcp.test.", service(20, 1, &spare));
    wait_until("what is left is the primary one", || {
        answering(&edge).as_deref() == Some("spare")
    });
}
