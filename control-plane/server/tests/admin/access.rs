//! Who may do what, and how the first secrets are left.

use std::{fs, os::unix::fs::PermissionsExt as _};

use tidegate_proto::admin::v1::{
    CreateTokenRequest, GetStatusRequest, ListApisRequest, ListTokensRequest, RevokeTokenRequest,
    Role, WhoAmIRequest,
};
use tonic::Code;

use crate::support::{Node, apply, definition};

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
    let list = ListApisRequest::default;
    for token in [None, Some("tdg_abc.def")] {
        let mut stranger = node.clients(token).await.unwrap();
        let refused = stranger.apis.list_apis(list()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token:?}");
    }

    let mut admin = node.admin().await.unwrap();
    let wanted = CreateTokenRequest {
        name: "reader".to_owned(),
        role: Role::Viewer.into(),
        ..CreateTokenRequest::default()
    };
    let made = admin
        .tokens
        .create_token(wanted)
        .await
        .unwrap()
        .into_inner();
    let mut viewer = node.clients(Some(&made.secret)).await.unwrap();
    viewer.apis.list_apis(list()).await.unwrap();
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
    let refused = edge.apis.list_apis(list()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_and_the_last_administrator_stays() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
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
    let revoke = |id: &str| RevokeTokenRequest {
        id: id.to_owned(),
        ..RevokeTokenRequest::default()
    };
    let id = made.token.unwrap().id;
    admin.tokens.revoke_token(revoke(&id)).await.unwrap();
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
        .unwrap();
    let refused = admin
        .tokens
        .revoke_token(revoke(&last.id))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
