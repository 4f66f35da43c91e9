//! Kubernetes: a stand-in of the EndpointSlice API over TLS: bearer tokens, pages, watches from a version,
//! bookmarks, versions that are gone, connections that break.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};

use super::{
    Traffic, answering, current, discovered, known,
    stand_in::{Wire, answer, field, parameter, serve},
    wait_for, wait_until,
};
use crate::{edge::Edge, upstream::Upstream};

const SLICES: &str = "GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices\
                      ?labelSelector=kubernetes.io%2Fservice-name%3Dweb&";

#[derive(Default)]
struct Contents {
    token: String,
    version: u64,
    slices: BTreeMap<String, Value>,
    /// What happened at which version.
    events: Vec<(u64, Value)>,
    /// Watches can begin at this version or later.
    oldest: u64,
    /// Watches of earlier generations break off.
    generation: u64,
    is_down: bool,
    lists: usize,
    watches: usize,
}

#[derive(Clone)]
struct Cluster {
    contents: Arc<(Mutex<Contents>, Condvar)>,
    address: SocketAddr,
    directory: Arc<tempfile::TempDir>,
}

impl Cluster {
    fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let contents: Arc<(Mutex<Contents>, Condvar)> = Arc::default();
        let served = Arc::clone(&contents);
        let address = serve(Some(Arc::new(config)), move |head, wire| {
            respond(&served, head, wire)
        });
        let directory = Arc::new(tempfile::tempdir().unwrap());
        fs::write(directory.path().join("ca.crt"), issuer.pem()).unwrap();
        let cluster = Self {
            contents,
            address,
            directory,
        };
        cluster.set_token("first");
        cluster
    }

    fn token_file(&self) -> PathBuf {
        self.directory.path().join("token")
    }

    /// As Kubernetes replaces the token of a pod.
    fn set_token(&self, token: &str) {
        fs::write(self.token_file(), format!("{token}\n")).unwrap();
        self.change(|contents| contents.token = token.to_owned());
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        let (contents, changed) = &*self.contents;
        change(&mut contents.lock().unwrap());
        changed.notify_all();
    }

    fn put(&self, slice: &str, upstreams: &[&Upstream]) {
        // All upstreams have the same address; a slice has one port.
        let port = upstreams
            .first()
            .map_or(80, |upstream| upstream.address.port());
        let endpoints: Vec<Value> = upstreams
            .iter()
            .map(|upstream| {
                json!({"addresses": [upstream.address.ip().to_string()], "conditions": {"ready": true}})
            })
            .collect();
        self.change(|contents| {
            contents.version += 1;
            let object = json!({
                "metadata": {"name": slice, "resourceVersion": contents.version.to_string()},
                "addressType": "IPv4", "endpoints": endpoints,
                "ports": [{"name": "http", "port": port, "protocol": "TCP"}]});
            let is_new = contents
                .slices
                .insert(slice.to_owned(), object.clone())
                .is_none();
            let kind = if is_new { "ADDED" } else { "MODIFIED" };
            let event = json!({"type": kind, "object": object});
            contents.events.push((contents.version, event));
        });
    }

    fn delete(&self, slice: &str) {
        self.change(|contents| {
            contents.version += 1;
            let mut object = contents.slices.remove(slice).unwrap();
            object["metadata"]["resourceVersion"] = json!(contents.version.to_string());
            let event = json!({"type": "DELETED", "object": object});
            contents.events.push((contents.version, event));
        });
    }

    /// Breaks all watches off.
    fn break_watches(&self) {
        self.change(|contents| contents.generation += 1);
    }

    /// Forgets what happened, as a server does after some minutes, and breaks all watches off.
    fn compact(&self) {
        self.change(|contents| {
            contents.version += 1;
            contents.oldest = contents.version;
            contents.events.clear();
            contents.generation += 1;
        });
    }

    fn counts(&self) -> (usize, usize) {
        let contents = self.contents.0.lock().unwrap();
        (contents.lists, contents.watches)
    }

    fn api(&self) -> Value {
        let configuration = json!({
            "url": format!("https://localhost:{}", self.address.port()),
            "namespace": "shop", "service": "web", "port": "http",
            "tokenFile": self.token_file(), "caFile": self.directory.path().join("ca.crt")});
        discovered("kubernetes-service-discovery", &configuration)
    }
}

fn respond(shared: &(Mutex<Contents>, Condvar), head: &str, wire: &mut dyn Wire) -> bool {
    let mut contents = shared.0.lock().unwrap();
    if contents.is_down {
        return answer(wire, "503 Service Unavailable", "", "");
    }
    let bearer = format!("Bearer {}", contents.token);
    if field(head, "authorization") != Some(&bearer) {
        return answer(wire, "401 Unauthorized", "", "");
    }
    assert!(head.starts_with(SLICES), "{head}");
    if parameter(head, "watch") == Some("true") {
        contents.watches += 1;
        drop(contents);
        watch(shared, head, wire);
        return false;
    }
    contents.lists += 1;
    // One slice a page, so that pages are followed.
    let page: usize = parameter(head, "continue").map_or(0, |token| token.parse().unwrap());
    let items: Vec<&Value> = contents.slices.values().skip(page).take(1).collect();
    let more = if contents.slices.len() > page + 1 {
        (page + 1).to_string()
    } else {
        String::new()
    };
    let metadata = json!({"resourceVersion": contents.version.to_string(), "continue": more});
    let list = json!({"kind": "EndpointSliceList", "metadata": metadata, "items": items});
    answer(wire, "200 OK", "", &list.to_string())
}

/// Sends what happens from a version on, until the watch is broken off.
fn watch((contents, changed): &(Mutex<Contents>, Condvar), head: &str, wire: &mut dyn Wire) {
    assert_eq!(parameter(head, "allowWatchBookmarks"), Some("true"));
    let mut known: u64 = parameter(head, "resourceVersion").unwrap().parse().unwrap();
    let begin = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut send =
        move |text: &str| wire.write_all(text.as_bytes()).is_ok() && wire.flush().is_ok();
    let chunk = |event: &Value| {
        let line = format!("{event}\n");
        format!("{:x}\r\n{line}\r\n", line.len())
    };
    if !send(begin) {
        return;
    }
    let mut guard = contents.lock().unwrap();
    let generation = guard.generation;
    if known < guard.oldest {
        let status = json!({"kind": "Status", "code": 410, "reason": "Expired"});
        send(&chunk(&json!({"type": "ERROR", "object": status})));
        send("0\r\n\r\n");
        return;
    }
    loop {
        let later = guard.events.iter().filter(|(version, _)| *version > known);
        let text: String = later.map(|(_, event)| chunk(event)).collect();
        known = guard.version;
        let bookmark = json!({"type": "BOOKMARK",
                              "object": {"metadata": {"resourceVersion": known.to_string()}}});
        if !send(&format!("{text}{}", chunk(&bookmark))) {
            return;
        }
        let is_quiet = |contents: &mut Contents| {
            contents.version == known && contents.generation == generation
        };
        (guard, _) = changed
            .wait_timeout_while(guard, Duration::from_secs(1), is_quiet)
            .unwrap();
        if guard.generation != generation {
            return;
        }
    }
}

#[test]
fn slices_are_listed_once_and_watched_under_traffic() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let cluster = Cluster::start();
    cluster.put("web-1", &[&one]);
    let edge = Edge::serving(vec![cluster.api()]);
    wait_for(&edge, &known("kubernetes", 1));
    let traffic = Traffic::start(edge.address);
    cluster.put("web-2", &[&two]);
    wait_for(&edge, &known("kubernetes", 2));
    wait_until("the new one is called", || two.served() > 0);
    cluster.put("web-1", &[]);
    wait_for(&edge, &known("kubernetes", 1));
    assert_eq!(answering(&edge).as_deref(), Some("two"));
    cluster.put("web-1", &[&one]);
    wait_for(&edge, &known("kubernetes", 2));
    cluster.delete("web-2");
    wait_for(&edge, &known("kubernetes", 1));
    assert_eq!(answering(&edge).as_deref(), Some("one"));
    traffic.stop();
    let (lists, watches) = cluster.counts();
    assert_eq!(lists, 1, "a watch follows the only list");
    assert_eq!(watches, 1);
}

#[test]
fn a_broken_watch_goes_on_from_its_version() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let cluster = Cluster::start();
    cluster.put("web-1", &[&one]);
    let edge = Edge::serving(vec![cluster.api()]);
    wait_for(&edge, &current("kubernetes", 1));
    wait_until("it watches", || cluster.counts().1 == 1);
    cluster.set_token("second");
    cluster.put("web-2", &[&two]);
    cluster.break_watches();
    wait_for(&edge, &known("kubernetes", 2));
    wait_until("it watches again", || cluster.counts().1 >= 2);
    cluster.put("web-1", &[]);
    wait_for(&edge, &known("kubernetes", 1));
    assert_eq!(cluster.counts().0, 1, "nothing was listed again");
}

#[test]
fn a_version_that_is_gone_is_listed_anew() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let cluster = Cluster::start();
    cluster.put("web-1", &[&one]);
    let edge = Edge::serving(vec![cluster.api()]);
    wait_until("it watches", || cluster.counts().1 == 1);
    let traffic = Traffic::start(edge.address);
    cluster.put("web-2", &[&two]);
    cluster.compact();
    wait_for(&edge, &known("kubernetes", 2));
    wait_until("it lists again", || cluster.counts().0 >= 2);
    cluster.delete("web-1");
    wait_for(&edge, &known("kubernetes", 1));
    traffic.stop();
}

#[test]
fn an_outage_of_the_api_server_keeps_what_is_known() {
    let one = Upstream::echo("one");
    let cluster = Cluster::start();
    cluster.put("web-1", &[&one]);
    let edge = Edge::serving(vec![cluster.api()]);
    wait_for(&edge, &known("kubernetes", 1));
    let traffic = Traffic::start(edge.address);
    cluster.change(|contents| contents.is_down = true);
    cluster.break_watches();
    wait_for(&edge, &current("kubernetes", 0));
    wait_for(&edge, &known("kubernetes", 1));
    cluster.change(|contents| contents.is_down = false);
    cluster.put("web-1", &[&one]);
    wait_for(&edge, &current("kubernetes", 1));
    traffic.stop();
}

#[test]
fn an_api_server_of_another_authority_is_not_trusted() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    let mut api = cluster.api();
    let configuration = &mut api["endpointGroups"][0]["services"]["discovery"]["configuration"];
    configuration["caFile"] = json!(other.directory.path().join("ca.crt"));
    let edge = Edge::serving(vec![api]);
    let cause = || {
        tidegate_edge_http::discovery::report(&edge.live)[0]
            .cause
            .clone()
    };
    wait_until("the handshake fails", || cause().contains("certificate"));
    assert_eq!(cluster.counts(), (0, 0), "no token is shown");
}
