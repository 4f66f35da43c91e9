//! Dynamic dictionaries and properties: fetched by the leader, the same on every edge.

mod definitions;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use definitions::{TIDEGATE, keyless_with};
use serde_json::Value;
use tidegate_testkit::{System, Upstream, eventually, http};

const SOON: Duration = Duration::from_secs(60);

/// Answers every request with what the test says at the time.
struct Provider {
    address: SocketAddr,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Provider {
    fn start(body: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let answer = Arc::new(Mutex::new((200, body.to_owned())));
        let answers = Arc::clone(&answer);
        // Ends with the process: it only waits for connections.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (status, body) = answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                // A caller that is gone needs no answer.
                let _ = serve(stream, status, &body);
            }
        });
        Ok(Self { address, answer })
    }

    fn says(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_owned());
    }
}

fn serve(mut stream: TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn dictionary(provider: SocketAddr) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: Dictionary
metadata:
  name: Rates
spec:
  type: dynamic
  provider:
    type: HTTP
    configuration:
      url: http://{provider}/rates
      specification:
        - operation: shift
          spec:
            rates: ''
  trigger:
    rate: 1
    unit: SECONDS
"
    )
}

fn reader(upstream: SocketAddr, provider: SocketAddr) -> String {
    let rest = format!(
        "  properties:
    - key: owned
      value: by-the-definition
  services:
    dynamicProperty:
      type: http-dynamic-properties
      configuration:
        schedule: '* * * * * *'
        url: http://{provider}/properties
  flows:
    - name: read
      response:
        - policy: transform-headers
          configuration:
            addHeaders:
              - name: X-Rate
                value: \"{{#dictionaries['rates'] != null ? #dictionaries['rates']['EUR'] : 'none'}}\"
              - name: X-Limit
                value: \"{{#api.properties['limit'] ?: 'none'}}\"
              - name: X-Owned
                value: \"{{#properties['owned']}}\"
"
    );
    keyless_with("reader", "/reader", upstream, &rest)
}

fn shows(system: &System, edge: usize, name: &str, value: &str) -> anyhow::Result<bool> {
    let answer = http::get(system.edge(edge)?, "/reader")?;
    Ok(answer.header(name) == Some(value))
}

fn stored(system: &System) -> anyhow::Result<Value> {
    system.json(&["get", "dictionary", "Rates"])
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn fetched_entries_reach_every_edge_and_outlive_their_provider() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample", "--edges", "2"])?;
    let upstream = Upstream::start("hello")?;
    let rates = Provider::start(r#"{"rates": {"EUR": "1.10"}}"#)?;
    let properties =
        Provider::start(r#"[{"key": "limit", "value": 5}, {"key": "owned", "value": "no"}]"#)?;
    let file = system.write("rates.yaml", &dictionary(rates.address))?;
    system.ok(&["apply", "-f", &file, "--deploy"])?;
    system.deploy(
        "reader.yaml",
        &reader(upstream.address(), properties.address),
    )?;
    for edge in [0, 1] {
        for (name, value) in [("x-rate", "1.10"), ("x-limit", "5")] {
            eventually(name, SOON, || shows(&system, edge, name, value))?;
        }
        assert!(shows(&system, edge, "x-owned", "by-the-definition")?);
    }
    rates.says(200, r#"{"rates": {"EUR": "1.20"}}"#);
    properties.says(200, r#"[{"key": "limit", "value": 6}]"#);
    for edge in [0, 1] {
        for (name, value) in [("x-rate", "1.20"), ("x-limit", "6")] {
            eventually(name, SOON, || shows(&system, edge, name, value))?;
        }
    }
    let api = system.json(&["get", "api", "reader"])?;
    assert_eq!(
        api["deploymentNumber"], 1,
        "nothing was deployed again: {api}"
    );
    assert_eq!(api["deploymentState"], "DEPLOYED");
    assert_eq!(api["dynamicProperties"]["entries"]["limit"], "6", "{api}");

    // A failure keeps the last values and is shown; the next success ends it.
    rates.says(503, "");
    eventually("the failure is shown", SOON, || {
        Ok(stored(&system)?["error"]
            .as_str()
            .is_some_and(|error| error.contains("503")))
    })?;
    assert!(shows(&system, 0, "x-rate", "1.20")?);
    let failing = stored(&system)?;
    assert_eq!(failing["entries"]["EUR"], "1.20", "{failing}");
    assert!(failing["failingSince"].is_string(), "{failing}");
    rates.says(200, r#"{"rates": [1]}"#);
    eventually("what makes no sense is no success", SOON, || {
        Ok(stored(&system)?["error"]
            .as_str()
            .is_some_and(|error| error.contains("entry 0")))
    })?;
    rates.says(200, r#"{"rates": {"EUR": "1.30"}}"#);
    eventually("it goes on", SOON, || shows(&system, 1, "x-rate", "1.30"))?;
    assert_eq!(stored(&system)?["error"], "");

    // Values outlive the control plane and an edge's restart.
    let control = system.kill("control-1")?;
    let edge = system.kill("edge-1")?;
    system.revive(&edge)?;
    for (name, value) in [("x-rate", "1.30"), ("x-limit", "6")] {
        eventually("the edge serves from its cache", SOON, || {
            Ok(shows(&system, 0, name, value).unwrap_or(false))
        })?;
    }
    system.revive(&control)?;
    eventually("the control plane answers", SOON, || {
        Ok(system.run(&["get", "dictionaries"])?.code == 0)
    })?;
    rates.says(200, r#"{"rates": {"EUR": "1.40"}}"#);
    eventually("fetching goes on", SOON, || {
        shows(&system, 0, "x-rate", "1.40")
    })?;

    system.ok(&["stop", "Rates", "--kind", "dictionary"])?;
    eventually("a stopped dictionary is gone", SOON, || {
        shows(&system, 0, "x-rate", "none")
    })?;
    rates.says(500, "");
    system.ok(&["start", "Rates", "--kind", "dictionary"])?;
    eventually("it begins with what was fetched last", SOON, || {
        shows(&system, 0, "x-rate", "1.40")
    })
}

#[test]
fn providers_that_must_not_be_called_are_not() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample", "--edges", "1"])?;
    let link_local = "169.254.169.254:80".parse()?;
    let file = system.write("rates.yaml", &dictionary(link_local))?;
    system.ok(&["apply", "-f", &file, "--deploy"])?;
    eventually("the refusal is shown", SOON, || {
        Ok(stored(&system)?["error"]
            .as_str()
            .is_some_and(|error| error.contains("link-local")))
    })?;
    for (change, expected) in [
        (("operation: shift", "operation: nonsense"), "specification"),
        (("url: http", "url: gopher"), "url"),
        (
            ("      url:", "      useSystemProxy: true\n      url:"),
            "proxy",
        ),
    ] {
        let text = dictionary(link_local).replace(change.0, change.1);
        let file = system.write("bad.yaml", &text)?;
        let said = system.refused(&["apply", "-f", &file, "--deploy"])?;
        assert!(said.contains(expected), "{expected}: {said}");
    }
    Ok(())
}
