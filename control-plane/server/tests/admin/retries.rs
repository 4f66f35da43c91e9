//! Calls that are repeated because their answer was lost.

use tidegate_proto::admin::v1::{
    CreateTokenRequest, DeleteApiRequest, DeployApiRequest, ListDeploymentsRequest,
    RevokeTokenRequest, Role,
};
use tonic::Code;

use crate::{
    api, deploy,
    support::{Node, apply, definition},
};

#[tokio::test]
async fn a_repeated_deployment_gives_the_first_one_whatever_came_between() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], false)).await.unwrap();
    let stored = admin.apis.get_api(api("Echo")).await.unwrap().into_inner();
    let request = DeployApiRequest {
        if_match: stored.etag,
        idempotency_key: "d1".to_owned(),
        ..deploy("Echo", "first")
    };
    let first = admin
        .apis
        .deploy_api(request.clone())
        .await
        .unwrap()
        .into_inner();
    admin
        .apis
        .deploy_api(deploy("Echo", "second"))
        .await
        .unwrap();

    let again = admin
        .apis
        .deploy_api(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((again.number, again.label), (first.number, first.label));
    let list = ListDeploymentsRequest {
        api: "Echo".to_owned(),
        ..Default::default()
    };
    let listed = admin
        .apis
        .list_deployments(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.deployments.len(), 2, "nothing was deployed again");

    let other = DeployApiRequest {
        label: "other".to_owned(),
        ..request
    };
    let refused = admin.apis.deploy_api(other).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "one key, two requests: {refused}"
    );
}

#[tokio::test]
async fn a_repeated_delete_or_revoke_succeeds_and_does_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    let key = || "k".to_owned();

    let request = CreateTokenRequest {
        name: "reader".to_owned(),
        role: Role::Viewer.into(),
        ..CreateTokenRequest::default()
    };
    let made = admin
        .tokens
        .create_token(request)
        .await
        .unwrap()
        .into_inner();
    let id = made.token.unwrap().id;
    let revoke = RevokeTokenRequest {
        id,
        idempotency_key: key(),
    };
    let delete = DeleteApiRequest {
        api: "Echo".to_owned(),
        close_plans: true,
        idempotency_key: key(),
        ..DeleteApiRequest::default()
    };
    for _time in 0..2 {
        admin.tokens.revoke_token(revoke.clone()).await.unwrap();
        admin.apis.delete_api(delete.clone()).await.unwrap();
    }
    // Under the same name, but not what the first call was about.
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    admin.apis.delete_api(delete.clone()).await.unwrap();
    admin.apis.get_api(api("Echo")).await.unwrap();

    let new = DeleteApiRequest {
        idempotency_key: "l".to_owned(),
        ..delete
    };
    admin.apis.delete_api(new.clone()).await.unwrap();
    let missing = DeleteApiRequest {
        idempotency_key: "m".to_owned(),
        ..new
    };
    let refused = admin.apis.delete_api(missing).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}
