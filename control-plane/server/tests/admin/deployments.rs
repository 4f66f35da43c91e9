//! Deployments: history, comparison, rollback, refusal.

use serde_json::json;
use tidegate_proto::admin::v1::{
    CompareApiRequest, DeploymentState, ListDeploymentsRequest, RollbackApiRequest,
    WatchDeploymentRequest,
};
use tidegate_wire::status::field_violations;
use tonic::Code;

use crate::{
    api, deploy,
    support::{Node, apply, definition},
};

#[tokio::test]
async fn deployments_have_a_history() {
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
    for again in ["something new", "nothing new"] {
        let applied = admin
            .apis
            .apply(apply(&[&document], true))
            .await
            .unwrap()
            .into_inner();
        let deployment = applied.results[0].deployment.as_ref().unwrap();
        assert_eq!(deployment.number, 2, "{again} to deploy");
    }
    admin
        .apis
        .deploy_api(deploy("Echo", "third"))
        .await
        .unwrap();

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
        ..WatchDeploymentRequest::default()
    };
    let mut progress = admin
        .apis
        .watch_deployment(request)
        .await
        .unwrap()
        .into_inner();
    let last = progress.message().await.unwrap().unwrap();
    assert!(last.settled, "no edge is entitled");
}

#[tokio::test]
async fn deployments_can_be_compared_and_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut document = definition("echo", "Echo", "/echo");
    admin.apis.apply(apply(&[&document], true)).await.unwrap();
    document["tags"] = json!(["eu"]);
    admin.apis.apply(apply(&[&document], true)).await.unwrap();

    let compare = |from, to| CompareApiRequest {
        api: "Echo".to_owned(),
        from,
        to,
        ..CompareApiRequest::default()
    };
    let compared = admin
        .apis
        .compare_api(compare(1, 2))
        .await
        .unwrap()
        .into_inner();
    let mut paths = compared.differences.iter().map(|one| &one.path);
    assert!(paths.any(|path| path.starts_with("tags")), "{compared:?}");
    assert!(compared.text.contains("eu"), "{}", compared.text);

    let request = RollbackApiRequest {
        api: "Echo".to_owned(),
        number: 1,
        ..RollbackApiRequest::default()
    };
    let third = admin.apis.rollback_api(request).await.unwrap().into_inner();
    assert_eq!((third.number, third.rollback_of), (3, 1));
    let compared = admin
        .apis
        .compare_api(compare(1, 0))
        .await
        .unwrap()
        .into_inner();
    assert!(
        compared.differences.is_empty(),
        "the draft is back: {compared:?}"
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
async fn templates_of_the_kubernetes_operator_are_stored_and_named_at_deploy() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut spec = definition("stock", "Stock", "/stock");
    spec["plans"] = json!({"Free": {"name": "Free", "security": {
        "type": "[[ secret `shop/security` ]]"}}});
    spec["endpointGroups"][0]["endpoints"][0]["configuration"]["target"] =
        json!("[[ configmap `shop/target` ]]");
    let manifest = json!({"apiVersion": "gravitee.io/v1alpha1", "kind": "ApiV4Definition",
                          "metadata": {"name": "stock"}, "spec": spec});
    let results = admin.apis.apply(apply(&[&manifest], false)).await.unwrap();
    let notices = results.into_inner().results.remove(0).notices;
    let places: Vec<&str> = notices
        .iter()
        .filter(|notice| notice.code == "operator-template")
        .map(|notice| notice.path.as_str())
        .collect();
    let target = "endpointGroups[0].endpoints[0].configuration.target";
    assert_eq!(places, [target, "plans[0].security.type"]);
    let refused = admin
        .apis
        .deploy_api(deploy("Stock", ""))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let found = field_violations(&refused);
    let fields: Vec<&str> = found.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields.len(), 2, "{found:?}");
    assert!(fields.contains(&"plans[0].security.type"), "{found:?}");
}
