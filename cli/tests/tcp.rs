//! TCP APIs on an edge of a real system: a client with TLS, an endpoint in clear text.

mod definitions;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use definitions::TIDEGATE;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tidegate_testkit::{System, eventually};

/// The name in the certificates that `tidegate dev` makes.
const HOST: &str = "localhost";
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends back what it gets, line by line, with its name in front.
fn echo(name: &'static str) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut asked = [0; 1024];
                while let Ok(length) = stream.read(&mut asked) {
                    let text = String::from_utf8_lossy(&asked[..length]).into_owned();
                    if length == 0
                        || stream
                            .write_all(format!("{name}: {text}").as_bytes())
                            .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

fn definition(address: SocketAddr) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: Api
metadata:
  name: Echo
spec:
  type: proxy
  apiVersion: '1.0'
  listeners:
    - type: tcp
      hosts:
        - {HOST}
      servers:
        - mqtt
      entrypoints:
        - type: tcp-proxy
  endpointGroups:
    - name: default
      type: tcp-proxy
      endpoints:
        - name: echo
          type: tcp-proxy
          configuration:
            target:
              host: {}
              port: {}
  plans:
    - name: Open
      security:
        type: key-less
      status: published
",
        address.ip(),
        address.port()
    )
}

struct Client {
    config: Arc<ClientConfig>,
    address: SocketAddr,
}

impl Client {
    fn connect(&self) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
        let connection = ClientConnection::new(Arc::clone(&self.config), HOST.try_into()?)?;
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(StreamOwned::new(connection, stream))
    }

    fn ask(&self, text: &str) -> anyhow::Result<String> {
        let mut stream = self.connect()?;
        stream.write_all(text.as_bytes())?;
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer)?;
        Ok(String::from_utf8(answer[..length].to_vec())?)
    }
}

#[test]
fn a_tcp_api_is_deployed_changed_and_undeployed() -> anyhow::Result<()> {
    let environment = [("TIDEGATE_TCP", "mqtt=127.0.0.1:0")];
    let system = System::start_with(TIDEGATE, &["--no-sample"], &environment)?;
    let endpoints = fs::read_to_string(system.data_dir().join("edge-1/endpoints.json"))?;
    let endpoints: serde_json::Value = serde_json::from_str(&endpoints)?;
    let address = endpoints["tcp"]["mqtt"].as_str().context("it listens")?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(
        system.data_dir().join("pki/ca.pem"),
    )?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client {
        config: Arc::new(config),
        address: address.parse()?,
    };

    system.deploy("echo.yaml", &definition(echo("one")?))?;
    assert_eq!(client.ask("hello")?, "one: hello");
    let mut open = client.connect()?;
    open.write_all(b"before")?;
    let mut answer = [0; 1024];
    let length = open.read(&mut answer)?;
    assert_eq!(&answer[..length], b"one: before");

    system.deploy("echo.yaml", &definition(echo("two")?))?;
    eventually("new connections reach the new endpoint", PATIENCE, || {
        Ok(client.ask("hello")? == "two: hello")
    })?;
    open.write_all(b"after")?;
    let length = open.read(&mut answer)?;
    assert_eq!(&answer[..length], b"one: after", "an open one stays");

    system.ok(&["stop", "Echo"])?;
    eventually("nobody is let in", PATIENCE, || {
        Ok(client.ask("hello").is_err())
    })?;
    let ended = open.read(&mut answer);
    assert!(!matches!(ended, Ok(1..)), "the open one ends");
    Ok(())
}
