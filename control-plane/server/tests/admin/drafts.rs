//! What applying documents stores and refuses.

use serde_json::json;
use tidegate_proto::admin::v1::{ListApisRequest, apply_result::Outcome};
use tidegate_wire::status::{conflict_of, field_violations};
use tonic::Code;

use crate::{
    api,
    support::{Node, apply, definition},
};

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
async fn an_import_without_id_is_about_the_api_and_the_plans_with_its_cross_ids() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut known = definition("known", "Known", "/known");
    known["crossId"] = json!("cross-\"known\"");
    known["plans"][0]["crossId"] = json!("cross-free");
    let other = definition("other", "Other", "/other");
    admin
        .apis
        .apply(apply(&[&known, &other], false))
        .await
        .unwrap();
    let mut import = known.clone();
    let members = import.as_object_mut().unwrap();
    members.remove("id");
    members.insert("name".to_owned(), json!("Renamed"));
    for plan in import["plans"].as_array_mut().unwrap() {
        plan.as_object_mut().unwrap().remove("id");
    }
    import["plans"][0]["name"] = json!("Renamed as well");
    let result = admin.apis.apply(apply(&[&import], false)).await.unwrap();
    let result = result.into_inner().results.remove(0);
    assert_eq!(
        (result.id.as_str(), result.outcome()),
        ("known", Outcome::Updated)
    );
    let stored = admin.apis.get_api(api("known")).await.unwrap().into_inner();
    let plans: Vec<&str> = stored.plans.iter().map(|plan| plan.id.as_str()).collect();
    assert_eq!(plans, ["known-free", "known-gold"]);

    import["name"] = json!("Other");
    let refused = admin
        .apis
        .apply(apply(&[&import], false))
        .await
        .unwrap_err();
    assert_eq!(field_violations(&refused)[0].field, "name");

    // Without a known cross id it is another API, with ids of its own; nothing is served before it is deployed.
    import["crossId"] = json!("cross-unknown");
    import["name"] = json!("New");
    import["listeners"][0]["paths"][0]["path"] = json!("/new");
    let result = admin.apis.apply(apply(&[&import], false)).await.unwrap();
    let result = result.into_inner().results.remove(0);
    assert_eq!(result.outcome(), Outcome::Created);
    assert_ne!(result.id, "known");
    let stored = admin.apis.get_api(api("New")).await.unwrap().into_inner();
    assert_eq!(stored.deployment_number, 0);
    assert!(
        stored
            .plans
            .iter()
            .all(|plan| !plan.id.starts_with("known"))
    );
}

#[tokio::test]
async fn a_plan_of_a_manifest_keeps_its_id_when_it_is_renamed() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path()).unwrap();
    let mut admin = node.admin().await.unwrap();
    let mut spec = definition("unused", "Stock", "/stock");
    spec.as_object_mut().unwrap().remove("id");
    let manifest = |name: &str| {
        let plan = json!({"name": name, "security": {"type": "KEY_LESS"}});
        let mut spec = spec.clone();
        spec["plans"] = json!({"free-plan": plan});
        json!({"apiVersion": "gravitee.io/v1alpha1", "kind": "ApiV4Definition",
               "metadata": {"name": "stock"}, "spec": spec})
    };
    let mut ids = Vec::new();
    for name in ["Free plan", "Open to all"] {
        admin
            .apis
            .apply(apply(&[&manifest(name)], false))
            .await
            .unwrap();
        let stored = admin.apis.get_api(api("Stock")).await.unwrap().into_inner();
        assert_eq!(stored.plans[0].name, name);
        ids.push(stored.plans[0].id.clone());
    }
    assert_eq!(ids[0], ids[1]);
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
