//! Consul: a stand-in that follows its HTTP API (`/v1/health/service/{name}`: token, index, blocking queries),
//! and a real agent if there is one on this machine.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    stand_in::{answer, field, parameter, serve},
    wait_until,
};
use crate::client::send;

pub const TOKEN: &str = "s3cret";
pub const SERVICE: &str = "web api";

/// Longest time the stand-in holds a query back, whatever it is asked for.
const HOLD: Duration = Duration::from_secs(2);

/// What can be registered somewhere.
pub trait Catalog {
    fn url(&self) -> String;
    /// Registers an instance of [`SERVICE`]; `more` joins what is said of it.
    fn register(&self, id: &str, address: SocketAddr, more: &Value);
    fn deregister(&self, id: &str);
}

#[derive(Default)]
struct Contents {
    index: u64,
    entries: Vec<(String, Value)>,
    is_down: bool,
    /// Queries answered or refused so far.
    asked: usize,
}

/// The stand-in.
#[derive(Clone, Default)]
pub struct StandIn {
    contents: Arc<(Mutex<Contents>, Condvar)>,
    address: Option<SocketAddr>,
}

impl StandIn {
    pub fn start() -> Self {
        let catalog = Self::default();
        catalog.contents.0.lock().unwrap().index = 10;
        let served = catalog.clone();
        let address = serve(None, move |head, wire| {
            let (status, fields, body) = served.respond(head);
            answer(wire, status, &fields, &body)
        });
        Self {
            address: Some(address),
            ..catalog
        }
    }

    fn respond(&self, head: &str) -> (&'static str, String, String) {
        let (contents, changed) = &*self.contents;
        let mut contents = contents.lock().unwrap();
        contents.asked += 1;
        let is_asked = head.starts_with("GET /v1/health/service/web%20api?passing=true");
        if !is_asked {
            return ("404 Not Found", String::new(), String::new());
        }
        if field(head, "x-consul-token") != Some(TOKEN) {
            return (
                "403 Forbidden",
                String::new(),
                "Permission denied".to_owned(),
            );
        }
        if let Some(index) = parameter(head, "index") {
            assert!(parameter(head, "wait").is_some(), "{head}");
            let index: u64 = index.parse().unwrap();
            let is_known = |contents: &mut Contents| !contents.is_down && contents.index <= index;
            (contents, _) = changed
                .wait_timeout_while(contents, HOLD, is_known)
                .unwrap();
        }
        if contents.is_down {
            let body = "No cluster leader".to_owned();
            return ("500 Internal Server Error", String::new(), body);
        }
        let entries: Vec<&Value> = contents.entries.iter().map(|(_, entry)| entry).collect();
        let fields = format!("x-consul-index: {}\r\n", contents.index);
        ("200 OK", fields, json!(entries).to_string())
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        let (contents, changed) = &*self.contents;
        let mut contents = contents.lock().unwrap();
        change(&mut contents);
        contents.index += 1;
        changed.notify_all();
    }

    pub fn set_down(&self, is_down: bool) {
        self.change(|contents| contents.is_down = is_down);
    }

    /// As after a restored snapshot.
    pub fn reset_index(&self) {
        self.change(|contents| contents.index = 1);
    }

    pub fn asked(&self) -> usize {
        self.contents.0.lock().unwrap().asked
    }
}

impl Catalog for StandIn {
    fn url(&self) -> String {
        format!("http://{}", self.address.unwrap())
    }

    fn register(&self, id: &str, address: SocketAddr, more: &Value) {
        let mut service = json!({"ID": id, "Service": SERVICE, "Tags": [], "Meta": {},
                                 "Address": address.ip().to_string(), "Port": address.port(),
                                 "Weights": {"Passing": 1, "Warning": 1}});
        for (name, value) in more.as_object().into_iter().flatten() {
            service[name] = value.clone();
        }
        let entry = json!({"Node": {"Node": "n", "Address": "192.0.2.1"}, "Service": service, "Checks": []});
        self.change(|contents| {
            contents.entries.retain(|(known, _)| known != id);
            contents.entries.push((id.to_owned(), entry));
        });
    }

    fn deregister(&self, id: &str) {
        self.change(|contents| contents.entries.retain(|(known, _)| known != id));
    }
}

/// A real agent in development mode.
pub struct Agent {
    address: SocketAddr,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Agent {
    /// `None` without a Consul on this machine: its path is in `TIDEGATE_CONSUL`, or it is on the `PATH`.
    pub fn start() -> Option<Self> {
        let program = env::var_os("TIDEGATE_CONSUL").map(PathBuf::from);
        let program = program.or_else(|| {
            let paths = env::var_os("PATH")?;
            env::split_paths(&paths)
                .map(|path| path.join("consul"))
                .find(|file| file.is_file())
        })?;
        let directory = tempfile::tempdir().unwrap();
        let [http, serf, server] = [(); 3].map(|()| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        });
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(program)
            .args(["agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1"])
            .args(["-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1"])
            .args(["-serf-wan-port=-1"])
            .arg(format!("-http-port={http}"))
            .arg(format!("-serf-lan-port={serf}"))
            .arg(format!("-server-port={server}"))
            .current_dir(directory.path())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self {
            address: (Ipv4Addr::LOCALHOST, http).into(),
            process,
            _directory: directory,
        };
        wait_until("the agent has a leader", || {
            std::net::TcpStream::connect(agent.address).is_ok()
                && send(agent.address, "GET", "/v1/status/leader", &[], "")
                    .body
                    .contains(':')
        });
        Some(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Catalog for Agent {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn register(&self, id: &str, address: SocketAddr, more: &Value) {
        let mut service = json!({"ID": id, "Name": SERVICE,
                                 "Address": address.ip().to_string(), "Port": address.port()});
        for (name, value) in more.as_object().into_iter().flatten() {
            service[name] = value.clone();
        }
        let path = "/v1/agent/service/register";
        let answer = send(self.address, "PUT", path, &[], &service.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn deregister(&self, id: &str) {
        let path = format!("/v1/agent/service/deregister/{id}");
        assert_eq!(send(self.address, "PUT", &path, &[], "").status, 200);
    }
}
