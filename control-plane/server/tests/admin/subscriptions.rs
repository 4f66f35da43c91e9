//! Plans, subscriptions and their keys.

use tidegate_proto::admin::v1::{
    ApiState, Application, CreateApplicationRequest, CreateSubscriptionRequest, DeleteApiRequest,
    KeyActionRequest, ListKeysRequest, PlanRequest, RenewKeyRequest, StopApiRequest,
    SubscriptionStatus,
};
use tonic::{Code, Status};

use crate::{
    api,
    support::{Clients, Node, apply, definition},
};

/// Applies an API with an API-key plan and makes an application for it.
async fn prepare(admin: &mut Clients) -> Result<Application, Status> {
    let document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await?;
    let request = CreateApplicationRequest {
        name: "App".to_owned(),
        ..CreateApplicationRequest::default()
    };
    let made = admin.applications.create_application(request).await?;
    Ok(made.into_inner())
}

fn subscribe(plan: &str, idempotency_key: &str) -> CreateSubscriptionRequest {
    CreateSubscriptionRequest {
        api: "Echo".to_owned(),
        plan: plan.to_owned(),
        application: "App".to_owned(),
        idempotency_key: idempotency_key.to_owned(),
        ..CreateSubscriptionRequest::default()
    }
}

#[tokio::test]
async fn a_subscription_gives_one_key_once() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let application = prepare(&mut admin).await.unwrap();
    let request = subscribe("Gold", "s1");
    let made = admin
        .subscriptions
        .create_subscription(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.api_key.len(), 64);
    let subscription = made.subscription.unwrap();
    assert_eq!(subscription.status(), SubscriptionStatus::Accepted);
    assert_eq!(subscription.application_id, application.id);
    let again = admin
        .subscriptions
        .create_subscription(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        again.api_key, made.api_key,
        "a repeated call shows the same key"
    );
    for (plan, code) in [
        ("Gold", Code::AlreadyExists),
        ("Free", Code::FailedPrecondition),
    ] {
        let refused = admin
            .subscriptions
            .create_subscription(subscribe(plan, ""))
            .await;
        assert_eq!(refused.unwrap_err().code(), code, "{plan}");
    }
}

#[tokio::test]
async fn keys_are_renewed_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    prepare(&mut admin).await.unwrap();
    let made = admin
        .subscriptions
        .create_subscription(subscribe("Gold", ""))
        .await
        .unwrap();
    let subscription = made.into_inner().subscription.unwrap().id;
    let own = || "my-own-key-1".to_owned();
    let request = RenewKeyRequest {
        subscription: subscription.clone(),
        api_key: own(),
        ..RenewKeyRequest::default()
    };
    let renewed = admin
        .subscriptions
        .renew_key(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(renewed.api_key, own());
    let request = KeyActionRequest {
        key: own(),
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
        subscription,
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
}

#[tokio::test]
async fn an_api_goes_only_with_its_plans_closed() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    prepare(&mut admin).await.unwrap();
    let request = PlanRequest {
        api: "Echo".to_owned(),
        plan: "Gold".to_owned(),
        ..PlanRequest::default()
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
    let delete = DeleteApiRequest {
        close_plans: true,
        ..delete
    };
    admin.apis.delete_api(delete).await.unwrap();
    let missing = admin.apis.get_api(api("Echo")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}
