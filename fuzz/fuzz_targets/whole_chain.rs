//! Requests through the whole edge: routing, plans, flows and the policies of a definition that uses most of them.
//! No request may panic a worker, leave one without an answer, or get an answer that is no HTTP.
//!
//! The input is a request in a short form: `METHOD /path`, lines of fields, an empty line, the body. Framing is added
//! here, so that inputs reach the policies; heads as such are the matter of `http_head`.

#![no_main]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, LazyLock},
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use tidegate_edge_http::{
    Gateway, GatewayParts, GatewaySettings, Live,
    bind::{Binds, start_workers},
    compile::{NodeFacts, compile},
    metrics::Metrics,
    server::Limits,
};
use tidegate_model::{
    ApiId, ApiObject, ApplicationId, ConfigSnapshot, Epoch, KeyObject, PlanId, Revision, Secret,
    SubscriptionId, SubscriptionObject, TagSelector,
};
use tokio_util::sync::CancellationToken;

const DEFINITION: &str = include_str!("../definitions/whole_chain.json");
/// HMAC-SHA256 of `secret`.
const SECRET_HASH: &str = "1810e8d341b9e61e88895fba0b1aa2bd03cb6c8fff2b368e666ef8efdef5b4fb";
/// Longer than every time limit of the definition.
const PATIENCE: Duration = Duration::from_secs(10);
/// Fields that frame the message.
const FRAMING: &[&str] = &["content-length", "transfer-encoding", "connection", "expect"];

static EDGE: LazyLock<SocketAddr> = LazyLock::new(start);

fuzz_target!(|data: &[u8]| {
    let Some(request) = request(data) else { return };
    let mut stream = TcpStream::connect(*EDGE).expect("the edge listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout above zero");
    // An edge that refuses a head answers before it was sent whole.
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
        Err(error) => panic!("no answer: {error}"),
    }
    let status = answer
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.first_chunk::<3>());
    let is_status = |status: &[u8; 3]| status.iter().all(u8::is_ascii_digit) && status[0] <= b'5';
    assert!(status.is_some_and(is_status), "{:?}", String::from_utf8_lossy(&answer));
});

/// A whole message; `None` if the input has no request line.
fn request(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (data.get(..end)?, data.get(end + 2..)?);
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut message = lines.next()?.to_vec();
    message.extend_from_slice(b" HTTP/1.1\r\n");
    let mut has_host = false;
    for line in lines {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if FRAMING.contains(&name.as_str()) {
            continue;
        }
        has_host |= name == "host";
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
    }
    if !has_host {
        message.extend_from_slice(b"Host: gateway.test\r\n");
    }
    if !body.is_empty() {
        message.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    message.extend_from_slice(b"Connection: close\r\n\r\n");
    message.extend_from_slice(body);
    Some(message)
}

/// A subscription of the client `app`, whose key `secret` is known by its HMAC under a pepper of zeros.
fn subscription(id: &str, plan: &str) -> SubscriptionObject {
    SubscriptionObject {
        id: SubscriptionId::parse(id).expect("an id"),
        api: ApiId::parse("chain").expect("an id"),
        plan: PlanId::parse(plan).expect("an id"),
        application: ApplicationId::parse("app").expect("an id"),
        client_id: Some("app".to_owned()),
        client_certificate: None,
        starting_ms: None,
        ending_ms: None,
        metadata: BTreeMap::new(),
        keys: vec![KeyObject {
            id: format!("{id}-key"),
            hash: SECRET_HASH.to_owned(),
            expires_ms: None,
        }],
    }
}

fn start() -> SocketAddr {
    let definition = serde_json::from_str(DEFINITION).expect("the definition is JSON");
    let object = ApiObject {
        id: ApiId::parse("chain").expect("an id"),
        environment: "DEFAULT".to_owned(),
        definition,
        started: true,
        deployment_number: 1,
        deployed_ms: 0,
        groups: Default::default(),
    };
    let configuration = ConfigSnapshot {
        environment: "DEFAULT".to_owned(),
        epoch: Epoch(1),
        revision: Revision(1),
        root: [0; 32],
        apis: vec![Arc::new(object)],
        shared: Default::default(),
        subscriptions: vec![
            Arc::new(subscription("by-key", "keys")),
            Arc::new(subscription("by-token", "tokens")),
        ],
        api_key_pepper: Secret::new(vec![0; 32]),
    };
    let node = NodeFacts {
        id: "fuzzed".to_owned(),
        tags: TagSelector::parse::<&str>(&[]).expect("no tags"),
        tenant: None,
        region: None,
        version: "0".to_owned(),
        system_proxy: None,
    };
    let compilation = compile(&configuration, None, &node);
    assert_eq!(compilation.refused, [], "the definition is served");
    let live = Arc::new(Live::new());
    live.store(Arc::new(compilation.snapshot));
    let metrics = Metrics::new();
    let make = move |_worker| {
        Gateway::new(GatewayParts {
            live: Arc::clone(&live),
            metrics: metrics.worker(),
            access_log: None,
            node: &node,
            settings: GatewaySettings::default(),
            workers: 1,
        })
    };
    let binds = Binds {
        http: Some((Ipv4Addr::LOCALHOST, 0).into()),
        ..Binds::default()
    };
    let workers = start_workers(1, &binds, make, &Limits::default(), CancellationToken::new());
    let workers = workers.expect("a worker starts");
    let address = workers.addresses().http.expect("it listens");
    // They serve until the process ends.
    std::mem::forget(workers);
    address
}
