//! Clients that speak HTTP/2.

use std::{future::Future, net::SocketAddr};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tidegate_edge_http::GatewaySettings;
use tokio::{net::TcpStream, task::JoinHandle};

use crate::{
    definition::{add_header, api, flow, object, snapshot},
    edge::{Edge, LogFile},
    upstream::Upstream,
};

pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

/// Connects with prior knowledge.
pub async fn connect(edge: SocketAddr) -> (SendRequest<Full<Bytes>>, JoinHandle<()>) {
    let stream = TcpStream::connect(edge).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(async move {
        let _: Result<(), hyper::Error> = connection.await;
    });
    (sender, driver)
}

pub fn request(path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    Request::post(format!("http://gateway.test{path}"))
        .body(Full::new(Bytes::from_static(body)))
        .unwrap()
}

async fn text(body: impl http_body::Body<Data = Bytes, Error = impl std::fmt::Debug>) -> String {
    let content = body.collect().await.unwrap().to_bytes();
    String::from_utf8(content.to_vec()).unwrap()
}

#[test]
fn requests_of_one_connection_pass_through_the_flows_to_an_http1_endpoint() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/a", &[&upstream.url()]);
    let (up, down) = (add_header("X-Up", "1"), add_header("X-Down", "2"));
    definition["flows"] = json!([flow("/", "STARTS_WITH", &json!([up]), &json!([down]))]);
    let (log, file) = LogFile::start();
    let configuration = snapshot(1, vec![object(definition)], vec![]);
    let edge = Edge::with(&configuration, GatewaySettings::default(), Some(log));
    run(async {
        let (mut sender, _driver) = connect(edge.address).await;
        for path in ["/a/one", "/a/two"] {
            let response = sender
                .send_request(request(path, b"content"))
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
            let fields = response.headers();
            assert_eq!(fields["x-down"], "2");
            assert!(fields.contains_key("x-gravitee-request-id"));
            assert!(!fields.contains_key("connection"));
            let received = text(response.into_body()).await;
            let line = format!("POST {} HTTP/1.1\r\n", &path[2..]);
            assert!(received.starts_with(&line), "{received}");
            assert!(received.to_lowercase().contains("x-up: 1"), "{received}");
            assert!(received.ends_with("content"), "{received}");
        }
        let unknown = sender.send_request(request("/b", b"")).await.unwrap();
        assert_eq!(unknown.status(), 404);
        assert_eq!(
            text(unknown.into_body()).await,
            "No context-path matches the request URI."
        );
    });
    let records = file.records(edge);
    let told: Vec<_> = records
        .iter()
        .map(|record| (&record["http-version"], &record["status"], &record["host"]))
        .collect();
    let (version, host) = (json!("HTTP/2"), json!("gateway.test"));
    let (found, unknown) = (json!(200), json!(404));
    let expected = [&found, &found, &unknown].map(|status| (&version, status, &host));
    assert_eq!(told, expected);
}

#[test]
fn requests_of_one_connection_are_answered_side_by_side() {
    let (go_on, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = Upstream::scripted(move |received, stream| {
        if received.head.starts_with("POST /slow ") {
            gate.lock().unwrap().recv().unwrap();
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        std::io::Write::write_all(stream, answer).is_ok()
    });
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    run(async {
        let (mut sender, _driver) = connect(edge.address).await;
        let slow = sender.send_request(request("/slow", b""));
        let fast = sender.send_request(request("/fast", b""));
        assert_eq!(fast.await.unwrap().status(), 200);
        go_on.send(()).unwrap();
        assert_eq!(slow.await.unwrap().status(), 200);
    });
}
