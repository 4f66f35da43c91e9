//! Caches and directories against real servers, started on free ports for one test each.
//!
//! `redis-server` and `slapd` must be installed: `deploy/setup-debian.sh`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_edge_resources::build;
use tidegate_expression::{Ambient, Lookup, Scope, Segment};
use tidegate_model::api::Resource;
use tidegate_policy::{ResourceError, Resources, Services};

#[derive(Debug)]
struct Clock;

impl Ambient for Clock {
    fn now_ms(&self) -> u64 {
        0
    }

    fn nanos(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }
}

fn services() -> Services {
    Services::isolated(Arc::new(Clock))
}

/// A server process that ends with the test.
struct Server {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(make: impl FnOnce(u16, &std::path::Path) -> Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = make(port, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server is installed: deploy/setup-debian.sh");
        let server = Self {
            child,
            port,
            _directory: directory,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resources(kind: &str, configuration: Value) -> Resources {
    let resource = Resource {
        name: "r".to_owned(),
        kind: kind.to_owned(),
        enabled: true,
        configuration,
    };
    build("shop", &[resource], &Nothing(Clock)).unwrap()
}

/// A scope without variables.
struct Nothing(Clock);

impl Scope for Nothing {
    fn lookup(&self, _variable: &str, _path: &[Segment]) -> Lookup {
        Lookup::Undefined
    }

    fn ambient(&self) -> &dyn Ambient {
        &self.0
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

fn redis() -> Server {
    Server::start(|port, directory| {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--requirepass", "hush"]);
        command.arg("--dir").arg(directory);
        command
    })
}

#[test]
fn redis_keeps_values_for_their_time_and_is_found_again() {
    let mut server = redis();
    let config = |password: &str| {
        json!({"standalone": {"enabled": true, "host": "127.0.0.1", "port": server.port},
               "password": password, "useSsl": false, "timeToLiveSeconds": 60})
    };
    let built = resources("cache-redis", config("hush"));
    let stranger = resources("cache-redis", config("wrong"));
    run(async {
        let (cache, services) = (built.cache("r").unwrap(), services());
        assert_eq!(cache.get("k", &services).await, Ok(None));
        let value = Bytes::from_static(b"\x00value\xff");
        cache
            .put("k", value.clone(), None, &services)
            .await
            .unwrap();
        assert_eq!(cache.get("k", &services).await, Ok(Some(value.clone())));
        cache.evict("k", &services).await.unwrap();
        assert_eq!(cache.get("k", &services).await, Ok(None));
        let soon = Some(Duration::from_millis(50));
        cache.put("k", value, soon, &services).await.unwrap();
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert_eq!(cache.get("k", &services).await, Ok(None));
        let refused = stranger.cache("r").unwrap().get("k", &services).await;
        assert!(
            matches!(refused, Err(ResourceError::Unavailable(_))),
            "{refused:?}"
        );
        server.stop();
        let gone = cache.get("k", &services).await;
        assert!(
            matches!(gone, Err(ResourceError::Unavailable(_))),
            "{gone:?}"
        );
    });
}

const ENTRIES: &str = "\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: uid=ann,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: Smith
mail: ann@example.org
mail: ann@example.com
userPassword: secret
";

fn slapd() -> Server {
    Server::start(|port, directory| {
        let config = directory.join("slapd.conf");
        let data = directory.join("data");
        fs::create_dir(&data).unwrap();
        let schema = "/etc/ldap/schema";
        fs::write(
            &config,
            format!(
                "include {schema}/core.schema\ninclude {schema}/cosine.schema\n\
                 include {schema}/inetorgperson.schema\nmodulepath /usr/lib/ldap\n\
                 moduleload back_mdb\npidfile {pid}\ndatabase mdb\nsuffix dc=example,dc=org\n\
                 rootdn cn=admin,dc=example,dc=org\nrootpw admin-secret\ndirectory {data}\n\
                 access to attrs=userPassword by anonymous auth by * none\naccess to * by users read by anonymous auth\n",
                pid = directory.join("pid").display(),
                data = data.display(),
            ),
        )
        .unwrap();
        let entries = directory.join("entries.ldif");
        fs::write(&entries, ENTRIES).unwrap();
        let loaded = Command::new("slapadd")
            .arg("-f")
            .arg(&config)
            .arg("-l")
            .arg(&entries)
            .output()
            .expect("slapd is installed: deploy/setup-debian.sh");
        assert!(loaded.status.success(), "{loaded:?}");
        let mut command = Command::new("slapd");
        // A level of messages keeps it in the foreground.
        command.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/"), "-f"]);
        command.arg(config);
        command
    })
}

#[test]
fn a_directory_knows_users_by_their_password_alone() {
    let server = slapd();
    let configuration = |searcher: &str| {
        json!({"contextSourceUrl": format!("ldap://127.0.0.1:{}", server.port),
               "contextSourceBase": "dc=example,dc=org", "userSearchBase": "ou=people",
               "contextSourceUsername": "cn=admin,dc=example,dc=org",
               "contextSourcePassword": searcher, "attributes": ["cn", "mail"]})
    };
    let built = resources("auth-provider-ldap-resource", configuration("admin-secret"));
    let misconfigured = resources("auth-provider-ldap-resource", configuration("wrong"));
    run(async {
        let (users, services) = (built.authentication("r").unwrap(), services());
        for (user, password, is_known) in [
            ("ann", "secret", true),
            ("ann", "wrong", false),
            ("ann", "", false),
            ("eve", "secret", false),
            ("*", "secret", false),
            ("ann)(uid=*", "secret", false),
        ] {
            let found = users.authenticate(user, password, &services).await.unwrap();
            assert_eq!(found.is_some(), is_known, "{user} {password}");
        }
        let ann = users.authenticate("ann", "secret", &services).await;
        let ann = ann.unwrap().unwrap();
        assert_eq!(ann.attributes["cn"].as_text(), Some("Ann"));
        let mail = ann.attributes["mail"].to_text();
        assert_eq!(mail.as_deref(), Some("ann@example.org,ann@example.com"));
        let unsearchable = misconfigured.authentication("r").unwrap();
        let failed = unsearchable.authenticate("ann", "secret", &services).await;
        assert!(
            matches!(failed, Err(ResourceError::Unavailable(_))),
            "{failed:?}"
        );
    });
}

/// Passes bytes on to a server and counts connections; `cut` ends those there are.
struct Counted {
    port: u16,
    made: Arc<Mutex<Vec<TcpStream>>>,
}

impl Counted {
    fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let made = Arc::<Mutex<Vec<TcpStream>>>::default();
        let counted = Self {
            port: listener.local_addr().unwrap().port(),
            made: Arc::clone(&made),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
                made.lock().unwrap().push(client.try_clone().unwrap());
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        counted
    }

    fn count(&self) -> usize {
        self.made.lock().unwrap().len()
    }

    fn cut(&self) {
        for connection in self.made.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn connections_to_a_directory_are_kept_and_replaced_when_they_are_gone() {
    let server = slapd();
    let counted = Counted::before(server.port);
    let configuration = json!({
        "contextSourceUrl": format!("ldap://127.0.0.1:{}", counted.port),
        "contextSourceBase": "dc=example,dc=org", "userSearchBase": "ou=people",
        "contextSourceUsername": "cn=admin,dc=example,dc=org",
        "contextSourcePassword": "admin-secret"
    });
    let built = resources("auth-provider-ldap-resource", configuration);
    run(async {
        let (users, services) = (built.authentication("r").unwrap(), services());
        let check = async |password: &str| {
            let found = users.authenticate("ann", password, &services).await;
            found.unwrap().is_some()
        };
        // A login that failed leaves a connection of nobody: the next check must log in anew.
        for (password, is_known) in [("secret", true), ("wrong", false), ("secret", true)] {
            assert_eq!(check(password).await, is_known);
        }
        assert_eq!(counted.count(), 1);
        counted.cut();
        assert!(check("secret").await);
        assert_eq!(counted.count(), 2);
    });
}

#[test]
fn unknown_kinds_are_refused_and_disabled_ones_ignored() {
    let unknown = |enabled| Resource {
        name: "r".to_owned(),
        kind: "ai-model-text-classification".to_owned(),
        enabled,
        configuration: json!({}),
    };
    let error = build("shop", &[unknown(true)], &Nothing(Clock)).unwrap_err();
    assert_eq!(error.path, "resources[0].type");
    assert!(build("shop", &[unknown(false)], &Nothing(Clock)).is_ok());
}
