//! What is read of assets, and what is refused.

use serde_json::{Value, json};

use super::{Asset, AssetKind, DictionarySource, Feed, FeedSchedule};
use crate::{
    api::Service,
    document::{ExportFacts, SourceDocument, Spelling, export_asset, parse_source},
};

fn parsed(text: &str) -> crate::AssetDocument {
    let mut documents = parse_source("file", text.as_bytes()).unwrap();
    match documents.pop() {
        Some(SourceDocument::Asset(asset)) => *asset,
        other => panic!("{other:?}"),
    }
}

const GROUP: &str = "apiVersion: tidegate/v1
kind: SharedPolicyGroup
metadata:
  name: Limits
  id: limits
spec:
  crossId: cross
  apiType: PROXY
  phase: REQUEST
  steps:
    - policy: rate-limit
      configuration: '{\"rate\": {\"limit\": 1}}'
";
const DYNAMIC: &str = "apiVersion: tidegate/v1
kind: Dictionary
metadata:
  name: Routing Table
spec:
  type: DYNAMIC
  provider:
    type: HTTP
    configuration:
      url: http://config.example/pairs
      specification: '[{\"operation\": \"shift\", \"spec\": {}}]'
  trigger:
    rate: 2
    unit: MINUTES
";
const ORGANIZATION: &str = r#"{"id": "DEFAULT", "flowMode": "BEST_MATCH", "flows": [{
    "name": "all", "path-operator": {"path": "/", "operator": "STARTS_WITH"},
    "consumers": [{"consumerType": "TAG", "consumerId": "internal"}],
    "pre": [{"policy": "mock", "configuration": {}}], "post": []}]}"#;

#[test]
fn a_group_has_its_phase_and_steps() {
    let document = parsed(GROUP);
    assert_eq!(document.kind, AssetKind::SharedPolicyGroup);
    assert_eq!(document.id.as_deref(), Some("limits"));
    let asset = Asset::from_canonical(document.kind, &document.canonical).unwrap();
    let Asset::SharedPolicyGroup(group) = asset else {
        panic!("another kind");
    };
    assert_eq!(
        (group.phase.as_str(), group.cross_id.as_str()),
        ("request", "cross")
    );
    assert_eq!(
        group.steps[0].configuration,
        json!({"rate": {"limit": 1}}),
        "a configuration in a text is an object"
    );
}

#[test]
fn every_spelling_comes_back_with_the_same_meaning() {
    let facts = ExportFacts::default();
    for text in [GROUP, DYNAMIC, ORGANIZATION] {
        let before = parsed(text);
        for spelling in [Spelling::Native, Spelling::Envelope] {
            let written = export_asset(before.kind, &before.canonical, spelling, &facts).unwrap();
            let after = parsed(&written);
            assert_eq!(after.canonical, before.canonical, "{written}");
        }
    }
}

#[test]
fn the_operator_s_group_is_known_by_the_name_of_its_resource() {
    let text = "apiVersion: gravitee.io/v1alpha1
kind: SharedPolicyGroup
metadata: {name: simple-groups}
spec: {name: Simple, apiType: PROXY, phase: REQUEST, steps: [], contextRef: {name: dev}}";
    let document = parsed(text);
    assert_eq!(document.canonical["crossId"], "simple-groups");
    let written = export_asset(
        document.kind,
        &document.canonical,
        Spelling::Gko,
        &ExportFacts::default(),
    );
    assert_eq!(parsed(&written.unwrap()).canonical, document.canonical);
    assert_eq!(
        export_asset(
            AssetKind::Dictionary,
            &json!({}),
            Spelling::Gko,
            &ExportFacts::default()
        ),
        None
    );
}

#[test]
fn a_step_of_the_operator_names_its_group() {
    let document = json!({"name": "x", "type": "proxy", "flows": [{"request": [
        {"name": "s", "sharedPolicyGroupRef": {"name": "simple-groups", "namespace": "n"}},
        {"policy": "shared-policy-group-policy", "configuration": {"sharedPolicyGroupId": " limits "}},
        {"policy": "shared-policy-group-policy"},
        {"policy": "mock"},
    ]}]});
    let api = crate::Api::from_canonical(&document).unwrap();
    let steps = api.flows[0].request.iter();
    let groups: Vec<_> = steps.map(|step| step.shared_policy_group()).collect();
    assert_eq!(
        groups,
        [Some("simple-groups"), Some("limits"), Some(""), None]
    );
}

#[test]
fn flows_of_an_organisation_become_v4_with_their_tags() {
    let document = parsed(ORGANIZATION);
    let Ok(Asset::Organization(organization)) =
        Asset::from_canonical(document.kind, &document.canonical)
    else {
        panic!("refused");
    };
    assert_eq!(organization.mode, crate::api::FlowMode::BestMatch);
    let flow = &organization.flows[0];
    assert!(flow.tags.contains("internal"), "{flow:?}");
    assert_eq!(flow.request[0].policy, "mock");
    assert_eq!(flow.selectors.len(), 1);
}

#[test]
fn a_dynamic_dictionary_says_where_and_when() {
    let document = parsed(DYNAMIC);
    let Ok(Asset::Dictionary(dictionary)) =
        Asset::from_canonical(document.kind, &document.canonical)
    else {
        panic!("refused");
    };
    let DictionarySource::Dynamic(feed) = dictionary.source else {
        panic!("manual");
    };
    assert_eq!(feed.schedule, FeedSchedule::EveryMs(120_000));
    assert!(feed.transformation.is_some());
    assert_eq!(feed.method, "GET");
}

#[test]
fn an_answer_of_management_is_recognised() {
    for (text, kind, deployed) in [
        (
            r#"{"id": "g", "crossId": "c", "name": "G", "version": 3, "apiType": "PROXY", "phase": "RESPONSE",
               "steps": [], "lifecycleState": "DEPLOYED", "createdAt": "x"}"#,
            AssetKind::SharedPolicyGroup,
            Some(true),
        ),
        (
            r#"{"id": "d", "key": "d", "name": "D", "type": "MANUAL", "properties": {"a": "b"}, "state": "STOPPED"}"#,
            AssetKind::Dictionary,
            Some(false),
        ),
        (ORGANIZATION, AssetKind::Organization, None),
    ] {
        let document = parsed(text);
        assert_eq!(
            (document.kind, document.desired_deployed),
            (kind, deployed),
            "{text}"
        );
        assert!(document.notices.iter().all(|n| n.code != "unknown-field"));
        Asset::from_canonical(kind, &document.canonical).unwrap();
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_makes_no_sense_is_refused_with_its_place() {
    let group = |change: Value| {
        let mut group = json!({"name": "g", "apiType": "proxy", "phase": "request", "steps": []});
        group
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        (AssetKind::SharedPolicyGroup, group)
    };
    let dynamic = |configuration: Value, trigger: Value| {
        let provider = json!({"type": "HTTP", "configuration": configuration});
        (
            AssetKind::Dictionary,
            json!({"name": "d", "type": "dynamic", "provider": provider, "trigger": trigger}),
        )
    };
    let ok = json!({"url": "http://x"});
    for ((kind, document), path) in [
        (group(json!({"phase": "subscribe"})), "phase"),
        (group(json!({"phase": null})), "phase"),
        (group(json!({"apiType": "x"})), "apiType"),
        (
            group(json!({"steps": [{"policy": "shared-policy-group-policy"}]})),
            "steps[0]",
        ),
        (
            group(json!({"steps": [{"sharedPolicyGroupRef": {"name": "other"}}]})),
            "steps[0]",
        ),
        (
            (
                AssetKind::Dictionary,
                json!({"name": "d", "properties": {"a": {"b": 1}}}),
            ),
            "properties.a",
        ),
        (
            (
                AssetKind::Dictionary,
                json!({"name": "d", "properties": {"a": "x".repeat(200_000), "b": "x".repeat(200_000),
                    "c": "x".repeat(200_000), "d": "x".repeat(200_000), "e": "x".repeat(200_000),
                    "f": "x".repeat(200_000)}}),
            ),
            "properties",
        ),
        (
            dynamic(json!({"url": "file:///etc/passwd"}), json!({"rate": 1})),
            "provider.configuration.url",
        ),
        (
            dynamic(ok.clone(), json!({"rate": 1, "unit": "MILLISECONDS"})),
            "trigger.rate",
        ),
        (dynamic(ok.clone(), json!({"rate": 0})), "trigger.rate"),
        (
            dynamic(
                json!({"url": "http://x", "specification": "no json"}),
                json!({"rate": 1}),
            ),
            "provider.configuration.specification",
        ),
        (
            (
                AssetKind::Dictionary,
                json!({"name": "d", "type": "dynamic"}),
            ),
            "provider",
        ),
        (
            (AssetKind::Organization, json!({"id": "other", "flows": []})),
            "id",
        ),
        (
            (
                AssetKind::Organization,
                json!({"flows": [{"publish": [{"policy": "x"}]}]}),
            ),
            "flows[0].publish",
        ),
    ] {
        let violations = Asset::from_canonical(kind, &document).unwrap_err();
        assert_eq!(violations[0].path, path, "{document}");
    }
}

#[test]
fn the_service_of_dynamic_properties_has_the_defaults_of_the_reference() {
    let service = |configuration| Service {
        kind: "http-dynamic-properties".to_owned(),
        enabled: true,
        override_configuration: false,
        configuration,
    };
    let feed = Feed::of_service(&service(json!({"url": "https://x/y"})))
        .unwrap()
        .unwrap();
    assert_eq!(feed.schedule.next_after(1_000), Some(30_000));
    let off = Service {
        enabled: false,
        ..service(json!({}))
    };
    assert_eq!(Feed::of_service(&off), Ok(None));
    for (configuration, path) in [
        (json!({}), "configuration.url"),
        (
            json!({"url": "http://x", "schedule": "nonsense"}),
            "configuration.schedule",
        ),
    ] {
        let found = Feed::of_service(&service(configuration)).unwrap_err();
        assert_eq!(found[0].path, path);
    }
}
