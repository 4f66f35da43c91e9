//! The admin API of a real node: bootstrap, permissions, drafts, deployments, subscriptions, restart.

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use serde_json::json;
use tidegate_proto::admin::v1::{
    ApiState, CompareApiRequest, CreateApplicationRequest, CreateSubscriptionRequest,
    CreateTokenRequest, DeleteApiRequest, DeployApiRequest, DeploymentState, ExportApiRequest,
    GetApiRequest, GetStatusRequest, KeyActionRequest, ListApisRequest, ListDeploymentsRequest,
    ListKeysRequest, ListTokensRequest, PlanRequest, RenewKeyRequest, RevokeTokenRequest, Role,
    RollbackApiRequest, StopApiRequest, SubscriptionStatus, WatchDeploymentRequest, WatchRequest,
    WhoAmIRequest, apply_result::Outcome, watch_event::Operation,
};
use tidegate_wire::status::{conflict_of, field_violations};
use tonic::Code;

use self::support::{Node, apply, definition};

fn api(name: &str) -> GetApiRequest {
    GetApiRequest {
        api: name.to_owned(),
        ..GetApiRequest::default()
    }
}

fn deploy(name: &str, label: &str) -> DeployApiRequest {
    let label = label.to_owned();
    DeployApiRequest {
        api: name.to_owned(),
        label,
        ..DeployApiRequest::default()
    }
}

#[tokio::test]
async fn bootstrap_leaves_private_files_and_an_administrator() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    for file in [
        "admin-token",
        "edge-token",
        "root.key",
        "signing.key",
        "tls/node.key",
    ] {
        let mode = fs::metadata(directory.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let pin = fs::read_to_string(directory.path().join("trust.pin")).unwrap();
    assert_eq!(pin.trim().len(), 64, "{pin}");
    let mut admin = node.admin().await.unwrap();
    let me = admin
        .tokens
        .who_am_i(WhoAmIRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!((me.name.as_str(), me.role()), ("admin", Role::Admin));
    let status = admin
        .cluster
        .get_status(GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!((status.node_id, status.leader_id, status.epoch), (1, 1, 1));
    drop(admin);
    assert!(node.stop().unwrap());
}

#[tokio::test]
async fn each_role_may_do_its_own_part_only() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut nobody = node.clients(None).await.unwrap();
    let refused = nobody
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut stranger = node.clients(Some("tdg_abc.def")).await.unwrap();
    let refused = stranger
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let mut admin = node.admin().await.unwrap();
    let wanted = CreateTokenRequest {
        name: "reader".to_owned(),
        role: Role::Viewer.into(),
        idempotency_key: "one".to_owned(),
        ..CreateTokenRequest::default()
    };
    let made = admin
        .tokens
        .create_token(wanted.clone())
        .await
        .unwrap()
        .into_inner();
    let again = admin
        .tokens
        .create_token(wanted)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made, again, "a repeated call gives the same token");

    let mut viewer = node.clients(Some(&made.secret)).await.unwrap();
    viewer
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap();
    let document = definition("echo", "Echo", "/echo");
    let refused = viewer
        .apis
        .apply(apply(&[&document], true))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let mut edge = node
        .clients(Some(&node.edge_token().unwrap()))
        .await
        .unwrap();
    let refused = edge
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let id = made.token.unwrap().id;
    let revoke = RevokeTokenRequest {
        id,
        ..RevokeTokenRequest::default()
    };
    admin.tokens.revoke_token(revoke).await.unwrap();
    let refused = viewer
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let tokens = admin
        .tokens
        .list_tokens(ListTokensRequest {})
        .await
        .unwrap()
        .into_inner()
        .tokens;
    let last = tokens
        .iter()
        .find(|token| token.role() == Role::Admin)
        .unwrap()
        .id
        .clone();
    let revoke = RevokeTokenRequest {
        id: last,
        ..RevokeTokenRequest::default()
    };
    let refused = admin.tokens.revoke_token(revoke).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn apply_stores_all_documents_or_none_and_reports_every_violation() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let good = definition("good", "Good", "/good");
    let mut bad = definition("bad", "", "/bad");
    bad["endpointGroups"] = json!([]);
    let refused = admin
        .apis
        .apply(apply(&[&good, &bad], false))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let found = field_violations(&refused);
    assert!(found.len() >= 2, "{found:?}");
    assert!(
        found
            .iter()
            .any(|violation| violation.field.contains("name")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|violation| violation.field.contains("endpointGroups")),
        "{found:?}"
    );
    let list = admin
        .apis
        .list_apis(ListApisRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(list.apis.is_empty());

    let results = admin
        .apis
        .apply(apply(&[&good], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(results[0].outcome(), Outcome::Created);
    let results = admin
        .apis
        .apply(apply(&[&good], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(results[0].outcome(), Outcome::Unchanged);

    let rival = definition("rival", "Rival", "/good/below");
    let refused = admin.apis.apply(apply(&[&rival], false)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "the paths collide");
    let twin = definition("twin", "Good", "/twin");
    let refused = admin.apis.apply(apply(&[&twin], false)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "the name is taken");
    let free = definition("free", "Free", "/goodness");
    let mut dry = apply(&[&free], true);
    dry.dry_run = true;
    let results = admin.apis.apply(dry).await.unwrap().into_inner().results;
    assert!(results[0].diff.contains("/goodness"), "{}", results[0].diff);
    let missing = admin.apis.get_api(api("free")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn a_plan_id_of_another_api_is_renamed_and_kept_as_cross_id() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let first = definition("first", "First", "/first");
    let mut second = definition("second", "Second", "/second");
    second["plans"][0]["id"] = json!("first-free");
    admin.apis.apply(apply(&[&first], false)).await.unwrap();
    let results = admin
        .apis
        .apply(apply(&[&second], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    let notices = &results[0].notices;
    assert!(
        notices.iter().any(|notice| notice.code == "renamed-id"),
        "{notices:?}"
    );
    let stored = admin
        .apis
        .get_api(api("second"))
        .await
        .unwrap()
        .into_inner();
    assert_ne!(stored.plans[0].id, "first-free");
    let results = admin
        .apis
        .apply(apply(&[&second], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(results[0].outcome(), Outcome::Unchanged);
}

#[tokio::test]
async fn the_second_of_two_editors_gets_a_conflict_with_both_sides() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let document = definition("echo", "Echo", "/echo");
    let results = admin
        .apis
        .apply(apply(&[&document], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    let etag = results[0].etag.clone();
    let edit = |version: &str| {
        let mut document = document.clone();
        document["apiVersion"] = json!(version);
        let mut request = apply(&[&document], false);
        request.if_match = etag.clone();
        request
    };
    admin.apis.apply(edit("2.0")).await.unwrap();
    let refused = admin.apis.apply(edit("3.0")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    let conflict = conflict_of(&refused).unwrap();
    assert_eq!(conflict.yours, etag);
    assert_ne!(conflict.current, etag);
    assert!(
        conflict
            .changes
            .iter()
            .any(|change| change.contains("apiVersion")),
        "{conflict:?}"
    );
}

#[tokio::test]
async fn deployments_have_a_history_can_be_compared_and_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], false)).await.unwrap();
    let stored = admin.apis.get_api(api("Echo")).await.unwrap().into_inner();
    assert_eq!(stored.deployment_state(), DeploymentState::NeedRedeploy);
    let first = admin
        .apis
        .deploy_api(deploy("Echo", "first"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.number, first.author.as_str()), (1, "admin"));
    let stored = admin.apis.get_api(api("Echo")).await.unwrap().into_inner();
    assert_eq!(stored.deployment_state(), DeploymentState::Deployed);

    document["tags"] = json!(["eu"]);
    let results = admin
        .apis
        .apply(apply(&[&document], true))
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(results[0].deployment.as_ref().unwrap().number, 2);
    let results = admin
        .apis
        .apply(apply(&[&document], true))
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(
        results[0].deployment.as_ref().unwrap().number,
        2,
        "nothing new to deploy"
    );

    let request = CompareApiRequest {
        api: "Echo".to_owned(),
        from: 1,
        to: 2,
        ..Default::default()
    };
    let compared = admin.apis.compare_api(request).await.unwrap().into_inner();
    assert!(
        compared
            .differences
            .iter()
            .any(|one| one.path.starts_with("tags")),
        "{compared:?}"
    );
    assert!(compared.text.contains("eu"), "{}", compared.text);

    let request = RollbackApiRequest {
        api: "Echo".to_owned(),
        number: 1,
        ..RollbackApiRequest::default()
    };
    let third = admin.apis.rollback_api(request).await.unwrap().into_inner();
    assert_eq!((third.number, third.rollback_of), (3, 1));
    let request = CompareApiRequest {
        api: "Echo".to_owned(),
        from: 1,
        to: 0,
        ..Default::default()
    };
    let compared = admin.apis.compare_api(request).await.unwrap().into_inner();
    assert!(
        compared.differences.is_empty(),
        "the draft is back: {compared:?}"
    );

    let request = ListDeploymentsRequest {
        api: "Echo".to_owned(),
        page_size: 2,
        ..ListDeploymentsRequest::default()
    };
    let page = admin
        .apis
        .list_deployments(request.clone())
        .await
        .unwrap()
        .into_inner();
    let numbers: Vec<u64> = page.deployments.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [3, 2]);
    let request = ListDeploymentsRequest {
        page_token: page.next_page_token,
        ..request
    };
    let page = admin
        .apis
        .list_deployments(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.deployments[0].label, "first");
    assert!(page.next_page_token.is_empty());

    let request = WatchDeploymentRequest {
        api: "Echo".to_owned(),
        number: 3,
        ..Default::default()
    };
    let mut progress = admin
        .apis
        .watch_deployment(request)
        .await
        .unwrap()
        .into_inner();
    assert!(
        progress.message().await.unwrap().unwrap().settled,
        "no edge is entitled"
    );
}

#[tokio::test]
async fn an_api_that_no_edge_can_run_is_refused_at_deploy() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut document = definition("echo", "Echo", "/echo");
    document["plans"] = json!([]);
    admin.apis.apply(apply(&[&document], false)).await.unwrap();
    let refused = admin.apis.deploy_api(deploy("echo", "")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    document["plans"] = json!([{
        "id": "p", "name": "P", "status": "published", "security": {"type": "key-less"},
    }]);
    document["flows"] = json!([{
        "name": "f", "enabled": true, "selectors": [{"type": "http", "path": "/"}],
        "request": [{"name": "x", "policy": "no-such-policy", "enabled": true}],
    }]);
    let results = admin
        .apis
        .apply(apply(&[&document], false))
        .await
        .unwrap()
        .into_inner()
        .results;
    let codes: Vec<&str> = results[0]
        .notices
        .iter()
        .map(|notice| notice.code.as_str())
        .collect();
    assert!(codes.contains(&"unknown-policy"), "{codes:?}");
    let refused = admin.apis.deploy_api(deploy("echo", "")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let found = field_violations(&refused);
    assert!(
        found
            .iter()
            .any(|one| one.description.contains("no-such-policy")),
        "{found:?}"
    );
}

#[tokio::test]
async fn plans_subscriptions_and_keys_live_their_lives() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    let request = CreateApplicationRequest {
        name: "App".to_owned(),
        ..CreateApplicationRequest::default()
    };
    let application = admin
        .applications
        .create_application(request)
        .await
        .unwrap()
        .into_inner();
    let request = CreateSubscriptionRequest {
        api: "Echo".to_owned(),
        plan: "Gold".to_owned(),
        application: "App".to_owned(),
        idempotency_key: "s1".to_owned(),
        ..CreateSubscriptionRequest::default()
    };
    let made = admin
        .subscriptions
        .create_subscription(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.api_key.len(), 64);
    let subscription = made.subscription.clone().unwrap();
    assert_eq!(subscription.status(), SubscriptionStatus::Accepted);
    assert_eq!(subscription.application_id, application.id);
    let again = admin
        .subscriptions
        .create_subscription(request.clone())
        .await
        .unwrap();
    assert_eq!(
        again.into_inner().api_key,
        made.api_key,
        "a repeated call shows the same key"
    );
    let other = CreateSubscriptionRequest {
        idempotency_key: String::new(),
        ..request.clone()
    };
    let refused = admin
        .subscriptions
        .create_subscription(other)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    let keyless = CreateSubscriptionRequest {
        plan: "Free".to_owned(),
        idempotency_key: String::new(),
        ..request
    };
    let refused = admin
        .subscriptions
        .create_subscription(keyless)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    let request = RenewKeyRequest {
        subscription: subscription.id.clone(),
        api_key: "my-own-key-1".to_owned(),
        ..RenewKeyRequest::default()
    };
    let renewed = admin
        .subscriptions
        .renew_key(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(renewed.api_key, "my-own-key-1");
    let request = KeyActionRequest {
        key: "my-own-key-1".to_owned(),
        ..KeyActionRequest::default()
    };
    let revoked = admin
        .subscriptions
        .revoke_key(request)
        .await
        .unwrap()
        .into_inner();
    assert!(revoked.revoked_ms > 0);
    let request = ListKeysRequest {
        subscription: subscription.id,
        ..ListKeysRequest::default()
    };
    let keys = admin
        .subscriptions
        .list_keys(request)
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(keys.len(), 2);
    assert!(
        keys[0].expires_ms > 0,
        "the older key ends after the grace period"
    );
    assert_eq!(keys[1].hint, "ey-1");

    let request = PlanRequest {
        api: "Echo".to_owned(),
        plan: "Gold".to_owned(),
        ..Default::default()
    };
    let plan = admin
        .apis
        .close_plan(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(plan.status, "closed");
    let refused = admin.apis.publish_plan(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    let delete = DeleteApiRequest {
        api: "Echo".to_owned(),
        ..DeleteApiRequest::default()
    };
    let refused = admin.apis.delete_api(delete.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let stop = StopApiRequest {
        api: "Echo".to_owned(),
        ..StopApiRequest::default()
    };
    let stopped = admin.apis.stop_api(stop).await.unwrap().into_inner();
    assert_eq!(stopped.state(), ApiState::Stopped);
    admin
        .apis
        .delete_api(DeleteApiRequest {
            close_plans: true,
            ..delete
        })
        .await
        .unwrap();
    let missing = admin.apis.get_api(api("Echo")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

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
