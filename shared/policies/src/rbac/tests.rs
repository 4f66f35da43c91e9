//! Where roles come from and when they suffice.

use serde_json::json;
use tidegate_expression::{Value, ValueMap};
use tidegate_policy::Phase;

use crate::testing::{example, exchange, failure, run};

fn key_for(configuration: &serde_json::Value, roles: Value) -> Option<(u16, String)> {
    let mut exchange = exchange();
    exchange.attributes.set_platform("user.roles", roles);
    let outcome = run("rbac", configuration, Phase::Request, &mut exchange);
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    Some((failure.status.as_u16(), failure.key.unwrap().to_string()))
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    assert_eq!(key_for(&configuration, "reader".into()), None);
    assert_eq!(
        key_for(&configuration, "guest".into()),
        Some((403, "RBAC_FORBIDDEN".to_owned()))
    );
}

#[test]
fn roles_are_lists_json_or_words() {
    let configuration = json!({"roles": ["a", "b"]});
    for roles in [
        Value::list(["b".into(), "a".into(), "c".into()]),
        r#"["a","b"]"#.into(),
        "a b".into(),
        "a,b".into(),
        "c, a ,b".into(),
    ] {
        assert_eq!(key_for(&configuration, roles.clone()), None, "{roles:?}");
    }
    for roles in [
        Value::list(["b".into()]),
        Value::list([]),
        "".into(),
        "ab".into(),
    ] {
        let found = key_for(&configuration, roles.clone());
        assert_eq!(found, Some((403, "RBAC_FORBIDDEN".to_owned())), "{roles:?}");
    }
}

#[test]
fn one_role_is_enough_unless_strict_and_none_asks_only_for_the_attribute() {
    let any = json!({"roles": ["a", "b"], "strict": false});
    assert_eq!(key_for(&any, "b".into()), None);
    assert!(key_for(&any, "c".into()).is_some());
    assert_eq!(key_for(&json!({"roles": []}), "c".into()), None);
    assert_eq!(
        key_for(&json!({"roles": []}), Value::Null),
        Some((403, "RBAC_NO_USER_ROLE".to_owned()))
    );
}

#[test]
fn roles_of_another_kind_are_a_bad_request() {
    for roles in [Value::Integer(1), ValueMap::new().into()] {
        assert_eq!(
            key_for(&json!({"roles": ["a"]}), roles),
            Some((400, "RBAC_INVALID_USER_ROLES".to_owned()))
        );
    }
}
