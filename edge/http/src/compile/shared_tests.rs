//! What APIs share: what is compiled again for it, what is not, and what is refused.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_model::{
    ApiId, ApiObject, ConfigSnapshot, DictionaryObject, ObjectKind, OrganizationObject,
    PropertiesObject, SharedPolicyGroupObject,
};

use super::{CompiledSnapshot, ServedApi, compile, tests};

fn user(id: &str, reference: &str) -> Arc<ApiObject> {
    let mut definition = tests::definition(id, &format!("/{id}"));
    definition["flows"] = json!([{"request": [{"policy": "shared-policy-group-policy",
        "configuration": {"sharedPolicyGroupId": reference}}]}]);
    let mut object = ApiObject::clone(&tests::object(definition));
    object
        .groups
        .insert(reference.to_owned(), "group".to_owned());
    Arc::new(object)
}

fn group(number: u64, steps: &Value) -> Arc<SharedPolicyGroupObject> {
    Arc::new(SharedPolicyGroupObject {
        id: "group".to_owned(),
        definition: json!({"name": "Group", "apiType": "proxy", "phase": "request", "steps": steps}),
        deployment_number: number,
    })
}

fn dictionary(value: &str) -> Arc<DictionaryObject> {
    Arc::new(DictionaryObject {
        id: "d".to_owned(),
        key: "routing".to_owned(),
        entries: [("DE".to_owned(), value.to_owned())].into(),
    })
}

fn properties(value: &str) -> Arc<PropertiesObject> {
    let entries = [("given", "no"), ("stale", value), ("fetched", value)];
    Arc::new(PropertiesObject {
        api: ApiId::parse("a").unwrap(),
        entries: entries.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
    })
}

fn snapshot(apis: &[Arc<ApiObject>]) -> ConfigSnapshot {
    tests::snapshot(apis.to_vec(), vec![])
}

fn compiled(snapshot: &ConfigSnapshot, previous: Option<&CompiledSnapshot>) -> super::Compilation {
    compile(snapshot, previous, &tests::node(&[]))
}

fn api<'s>(snapshot: &'s CompiledSnapshot, id: &str) -> &'s ServedApi {
    tests::api_of(snapshot, id)
}

fn is_same(before: &CompiledSnapshot, after: &CompiledSnapshot, id: &str) -> bool {
    Arc::ptr_eq(&api(before, id).api, &api(after, id).api)
}

#[test]
fn a_changed_group_is_compiled_into_the_apis_that_run_it_and_no_others() {
    let apis = [
        user("a", "group"),
        user("b", "cross"),
        tests::object(tests::definition("c", "/c")),
    ];
    let mut first = snapshot(&apis);
    first.shared.groups = vec![group(1, &json!([{"policy": "mock"}]))];
    let before = compiled(&first, None);
    assert_eq!(before.refused, []);
    let mut second = snapshot(&apis);
    second.shared.groups = vec![group(
        2,
        &json!([{"policy": "mock"}, {"policy": "latency"}]),
    )];
    let after = compiled(&second, Some(&before.snapshot)).snapshot;
    for (id, expected) in [("a", false), ("b", false), ("c", true)] {
        assert_eq!(is_same(&before.snapshot, &after, id), expected, "{id}");
    }
    let mut third = snapshot(&apis);
    third.shared.groups = vec![group(
        2,
        &json!([{"policy": "mock"}, {"policy": "latency"}]),
    )];
    let again = compiled(&third, Some(&after)).snapshot;
    assert!(is_same(&after, &again, "a"), "equal content is no change");
}

#[test]
fn a_broken_group_is_refused_alone_and_its_last_version_stays() {
    let apis = [user("a", "group")];
    let mut first = snapshot(&apis);
    first.shared.groups = vec![group(1, &json!([{"policy": "mock"}]))];
    let before = compiled(&first, None).snapshot;
    let mut second = snapshot(&apis);
    second.shared.groups = vec![group(2, &json!([{"policy": "unheard-of"}]))];
    let after = compiled(&second, Some(&before));
    assert_eq!(after.refused.len(), 1);
    let refusal = &after.refused[0];
    assert_eq!(refusal.kind, ObjectKind::SharedPolicyGroup);
    assert!(refusal.path.starts_with("steps[0]"), "{refusal:?}");
    assert!(is_same(&before, &after.snapshot, "a"));

    let missing = compiled(&snapshot(&apis), None);
    assert_eq!(missing.refused[0].kind, ObjectKind::Api);
    assert!(missing.snapshot.apis().is_empty());
}

#[test]
fn values_reach_the_facts_without_compiling_the_api() {
    let mut definition = tests::definition("a", "/a");
    definition["properties"] = json!([{"key": "given", "value": "yes"},
        {"key": "stale", "value": "old", "dynamic": true}]);
    let apis = [
        tests::object(definition),
        tests::object(tests::definition("b", "/b")),
    ];
    let mut first = snapshot(&apis);
    first.shared.dictionaries = vec![dictionary("1")];
    let before = compiled(&first, None).snapshot;
    let mut second = snapshot(&apis);
    second.shared.dictionaries = vec![dictionary("2")];
    second.shared.properties = vec![properties("new")];
    let after = compiled(&second, Some(&before)).snapshot;
    for id in ["a", "b"] {
        assert!(is_same(&before, &after, id), "{id}");
        assert_eq!(entry(api(&before, id)), "1");
        assert_eq!(entry(api(&after, id)), "2");
    }
    let property = |key: &str| {
        let value = api(&after, "a").facts.properties.get(key).cloned();
        value
            .and_then(|value| value.to_text())
            .map(|text| text.to_string())
    };
    let expected = [
        ("given", Some("yes")),
        ("stale", Some("new")),
        ("fetched", Some("new")),
    ];
    for (key, value) in expected {
        assert_eq!(property(key).as_deref(), value, "{key}");
    }
    let mut third = snapshot(&apis);
    third.shared = second.shared.clone();
    let again = compiled(&third, Some(&after)).snapshot;
    assert!(Arc::ptr_eq(
        &api(&after, "b").facts,
        &api(&again, "b").facts
    ));
}

fn entry(served: &ServedApi) -> String {
    let Some(tidegate_expression::Value::Map(entries)) = served.facts.dictionaries.get("routing")
    else {
        panic!("no dictionary");
    };
    entries.get("DE").unwrap().to_text().unwrap().to_string()
}

#[test]
fn endpoints_that_read_values_are_made_again() {
    let mut definition = tests::definition("a", "/a");
    definition["endpointGroups"][0]["endpoints"][0]["configuration"]["target"] =
        json!("http://127.0.0.1:{#dictionaries['routing']['DE']}");
    let apis = [tests::object(definition)];
    let mut first = snapshot(&apis);
    first.shared.dictionaries = vec![dictionary("1")];
    let before = compiled(&first, None);
    assert_eq!(before.refused, []);
    let mut second = snapshot(&apis);
    second.shared.dictionaries = vec![dictionary("2")];
    let after = compiled(&second, Some(&before.snapshot)).snapshot;
    assert!(!is_same(&before.snapshot, &after, "a"));
}

#[test]
fn flows_of_the_organisation_are_for_edges_that_accept_their_tags() {
    let organization = |policy: &str| {
        Some(Arc::new(OrganizationObject {
            id: "DEFAULT".to_owned(),
            definition: json!({"name": "o", "flows": [
                {"tags": ["internal"], "request": [{"policy": policy}]}]}),
            deployment_number: 1,
        }))
    };
    let mut snapshot = snapshot(&[]);
    snapshot.shared.organization = organization("mock");
    for (tags, is_empty) in [(&["internal"][..], false), (&["other"], true), (&[], false)] {
        let compiled = compile(&snapshot, None, &tests::node(tags));
        assert_eq!(
            compiled.snapshot.platform().is_empty(),
            is_empty,
            "{tags:?}"
        );
    }
    let before = compiled(&snapshot, None).snapshot;
    snapshot.shared.organization = organization("unheard-of");
    let after = compiled(&snapshot, Some(&before));
    assert_eq!(after.refused[0].kind, ObjectKind::Organization);
    assert!(!after.snapshot.platform().is_empty(), "the last one stays");
}
