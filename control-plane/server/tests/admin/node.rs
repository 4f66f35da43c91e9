//! A node as a process: watching, death and return, health, settings.

use std::{process::Command, time::Duration};

use tidegate_proto::admin::v1::{
    ExportApiRequest, GetStatusRequest, WatchRequest, watch_event::Operation,
};
use tonic::Code;

use crate::{
    api,
    support::{Node, apply, definition},
};

#[tokio::test]
async fn a_watcher_resumes_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let before = admin
        .cluster
        .get_status(GetStatusRequest {})
        .await
        .unwrap()
        .into_inner()
        .revision;
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    let request = WatchRequest {
        after_revision: before,
        ..WatchRequest::default()
    };
    let mut events = admin.watch.watch(request).await.unwrap().into_inner();
    let first = tokio::time::timeout(Duration::from_secs(10), events.message())
        .await
        .unwrap();
    let first = first.unwrap().unwrap();
    assert_eq!(
        (first.operation(), first.kind.as_str()),
        (Operation::Put, "api")
    );
    assert!(first.revision > before);
    assert_eq!(first.actor, "admin");
    let wrong = WatchRequest {
        kind: "nothing".to_owned(),
        ..WatchRequest::default()
    };
    let refused = admin.watch.watch(wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_killed_node_comes_back_with_everything_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    let before = admin.apis.get_api(api("Echo")).await.unwrap().into_inner();
    node.kill().unwrap();

    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let after = admin.apis.get_api(api("Echo")).await.unwrap().into_inner();
    assert_eq!(before, after);
    let request = ExportApiRequest {
        api: "Echo".to_owned(),
        ..ExportApiRequest::default()
    };
    let exported = admin.apis.export_api(request).await.unwrap().into_inner();
    assert_eq!(exported.file_name, "echo-1.0.yaml");
    let text = String::from_utf8(exported.content.to_vec()).unwrap();
    assert!(text.contains("/echo"), "{text}");
    drop(admin);
    assert!(node.stop().unwrap());
}

#[tokio::test]
async fn health_and_reflection_need_no_token() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let channel = node.channel().await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let request = tonic_health::pb::HealthCheckRequest::default();
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(
        answer.status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(names.contains(&"tidegate.admin.v1.ApiService"), "{names:?}");
}

#[test]
fn check_config_prints_what_is_in_effect_and_refuses_what_is_wrong() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tidegate-control"))
            .args(arguments)
            .env("TIDEGATE_NODE_ID", "4")
            .output()
            .unwrap()
    };
    let output = run(&["--check-config", "--grpc", "127.0.0.1:9999"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(
        text.contains("node-id = 4") && text.contains("127.0.0.1:9999"),
        "{text}"
    );
    assert!(
        !run(&["--check-config", "--cluster-id", "a b"])
            .status
            .success()
    );
}

#[test]
fn a_node_that_belongs_to_no_cluster_says_so_and_ends_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate-control"))
        .args([
            "--grpc",
            "127.0.0.1:0",
            "--raft",
            "127.0.0.1:0",
            "--parent-bound",
        ])
        .arg("--data-dir")
        .arg(directory.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // Consensus was running: dropped without a shutdown it would have aborted the process.
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("--bootstrap"), "{errors}");
}
