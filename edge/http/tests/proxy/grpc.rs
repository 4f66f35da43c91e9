//! gRPC through the edge, with a real client and server: statuses travel in trailers, streams stay open.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::{
    Code,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response, health_client::HealthClient},
    server::{HealthReporter, health_reporter},
};

use crate::{definition::api, edge::Edge, http2::run};

/// The standard health service, which has a unary and a streaming method.
async fn server() -> (SocketAddr, HealthReporter) {
    let (reporter, service) = health_reporter();
    reporter
        .set_service_status("known", ServingStatus::Serving)
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(serving);
    (address, reporter)
}

async fn client(edge: &Edge) -> HealthClient<Channel> {
    let channel = Channel::from_shared(format!("http://{}", edge.address));
    HealthClient::new(channel.unwrap().connect().await.unwrap())
}

fn asking(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[test]
fn answers_statuses_and_streams_of_a_grpc_target_reach_the_client() {
    // Stopped outside: it blocks, and the client has to go on to end its stream.
    let _edge = run(async {
        let (address, reporter) = server().await;
        let edge = Edge::serving(vec![api("a", "/", &[&format!("grpc://{address}")])]);
        let mut client = client(&edge).await;
        let answer = client.check(asking("known")).await.unwrap();
        let serving = health_check_response::ServingStatus::Serving as i32;
        assert_eq!(answer.into_inner().status, serving);
        let status = client.check(asking("unknown")).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let watch = client.watch(asking("known")).await.unwrap();
        let mut updates = watch.into_inner();
        let first = updates.message().await.unwrap().unwrap();
        assert_eq!(first.status, serving);
        reporter
            .set_service_status("known", ServingStatus::NotServing)
            .await;
        let second = updates.message().await.unwrap().unwrap();
        assert_ne!(second.status, serving);
        edge
    });
}
