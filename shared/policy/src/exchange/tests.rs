//! What expressions see of an exchange.

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_expression::{Condition, EvalErrorKind, Template, Text, Value};

use super::{ErrorFacts, Exchange, PathParameter, Query};
use crate::testing::exchange;
use crate::{PlanFacts, SubscriptionFacts};

fn full() -> Exchange {
    let mut exchange = exchange("/shop/a/b?x=1&y&x=2;z=%20");
    let request = &mut exchange.request;
    request.id = "r1".into();
    request.timestamp_ms = 5;
    request.authority = Some("shop.example:8082".parse().unwrap());
    request.headers.append("x-a", "1".parse().unwrap());
    request.headers.append("x-a", "2".parse().unwrap());
    request.path_parameters.push(PathParameter {
        name: "id".into(),
        value: "b".into(),
    });
    request
        .content
        .set(Bytes::from_static(br#"{"a": {"b": [1, 2]}}"#));
    exchange.plan = Some(
        PlanFacts {
            id: "p".into(),
            name: "Plan".into(),
        }
        .into(),
    );
    exchange.subscription = Some(
        SubscriptionFacts {
            id: "s".into(),
            application: "app".into(),
            client_id: None,
            metadata: [("tier".to_owned(), "gold".to_owned())].into(),
        }
        .into(),
    );
    exchange
}

fn eval(exchange: &Exchange, source: &str) -> Result<Value, EvalErrorKind> {
    let template = Template::compile(source).unwrap();
    template.evaluate(exchange).map_err(|error| error.kind)
}

#[test]
fn variables_answer_as_documented() {
    let exchange = full();
    for (source, expected) in [
        ("{#request.id}", Value::from("r1")),
        ("{#request.uri}", Value::from("/shop/a/b?x=1&y&x=2;z=%20")),
        ("{#request.path}", Value::from("/shop/a/b")),
        ("{#request.pathInfo}", Value::from("/a/b")),
        ("{#request.pathInfos[2]}", Value::from("b")),
        ("{#request.contextPath}", Value::from("/shop/")),
        ("{#request.params['x'][1]}", Value::from("2")),
        ("{#request.params['x'].size()}", Value::from(2)),
        ("{#request.params['y'][0]}", Value::Null),
        ("{#request.params['none']}", Value::Null),
        ("{#request.params.containsKey('z')}", Value::from(true)),
        ("{#request.pathParams['id'][0]}", Value::from("b")),
        ("{#request.headers['X-A'][0]}", Value::from("1")),
        ("{#request.headers['X-A'][1]}", Value::from("2")),
        ("{#request.headers.get('X-A').size()}", Value::from(2)),
        ("{#request.headers.getFirst('X-A')}", Value::from("1")),
        (
            "{#request.headers['Host'][0]}",
            Value::from("shop.example:8082"),
        ),
        ("{#request.host}", Value::from("shop.example:8082")),
        (
            "{#request.method + ' ' + #request.version}",
            Value::from("GET HTTP_1_1"),
        ),
        ("{#request.timestamp + 1}", Value::from(6)),
        ("{#request.remoteAddress}", Value::from("127.0.0.1")),
        ("{#request.ssl.client.defined}", Value::from(false)),
        ("{#request.ssl.client.attributes['ou']}", Value::Null),
        ("{#request.jsonContent.a.b[1]}", Value::from(2)),
        ("{#jsonPath(#request.content, '$.a.b[0]')}", Value::from(1)),
        ("{#response.status}", Value::from(200)),
        ("{#context.attributes['plan']}", Value::from("p")),
        (
            "{#context.attributes['gravitee.attribute.application']}",
            Value::from("app"),
        ),
        ("{#context.attributes['user-id']}", Value::from("s")),
        ("{#context.attributes['api.name']}", Value::from("Shop")),
        ("{#context.attributes['none']}", Value::Null),
        ("{#api.properties['limit']}", Value::from("10")),
        ("{#properties['limit']}", Value::from("10")),
        ("{#dictionaries['a']}", Value::Null),
        (
            "{#endpoints['eu']}{#request.pathInfo}",
            Value::from("eu:/a/b"),
        ),
        (
            "{#subscription.metadata['tier'] == 'gold'}",
            Value::from(true),
        ),
        ("{#node.shardingTags.contains('!b')}", Value::from(true)),
        ("{#error}", Value::Null),
    ] {
        assert_eq!(eval(&exchange, source), Ok(expected), "{source}");
    }
}

#[test]
fn a_missing_header_is_null_and_its_first_value_fails_so_that_conditions_do_not_hold() {
    let exchange = full();
    assert_eq!(
        eval(&exchange, "{#request.headers['none']}"),
        Ok(Value::Null)
    );
    let first = eval(&exchange, "{#request.headers['none'][0]}");
    assert!(matches!(first, Err(EvalErrorKind::NullTarget { .. })));
    let beyond = eval(&exchange, "{#request.headers['x-a'][2]}");
    assert!(matches!(
        beyond,
        Err(EvalErrorKind::OutOfRange {
            index: 2,
            length: 2
        })
    ));
    let condition = Condition::compile("{#request.headers['none'][0] == 'x'}").unwrap();
    assert!(!condition.holds(&exchange));
    let unknown = eval(&exchange, "{#request.nothing}");
    assert!(matches!(unknown, Err(EvalErrorKind::NoProperty { .. })));
}

#[test]
fn changed_content_is_seen_and_invalid_json_is_an_empty_map() {
    let mut exchange = full();
    assert_eq!(
        eval(&exchange, "{#request.jsonContent.a != null}"),
        Ok(true.into())
    );
    exchange.request.content.set(Bytes::from_static(b"{"));
    assert_eq!(eval(&exchange, "{#request.jsonContent.a}"), Ok(Value::Null));
    assert_eq!(eval(&exchange, "{#request.content}"), Ok("{".into()));
    assert_eq!(exchange.request.content.take().unwrap(), "{");
    assert_eq!(eval(&exchange, "{#request.content.length()}"), Ok(0.into()));
}

#[test]
fn failures_being_rendered_are_visible() {
    let mut exchange = full();
    exchange.error = Some(Box::new(ErrorFacts {
        status: http::StatusCode::UNAUTHORIZED,
        key: Some("KEY".into()),
        message: None,
        parameters: vec![("p".into(), 1.into())],
    }));
    assert_eq!(eval(&exchange, "{#error.statusCode}"), Ok(401.into()));
    assert_eq!(
        eval(&exchange, "{#error.key}-{#error.message}"),
        Ok("KEY-".into())
    );
    assert_eq!(eval(&exchange, "{#parameters['p'] + 1}"), Ok(2.into()));
}

#[test]
fn the_context_path_without_its_slash_has_an_empty_rest() {
    for (target, info) in [("/shop", ""), ("/shop/", "/"), ("/shop/x", "/x")] {
        assert_eq!(exchange(target).request.path.info(), info, "{target}");
    }
}

#[test]
fn attributes_are_found_as_given_and_then_by_prefix() {
    let mut attributes = full().attributes;
    attributes.set(&Text::from("x"), 1.into());
    attributes.set_platform("x", 2);
    assert_eq!(attributes.get("x"), Some(&1.into()));
    assert_eq!(attributes.get("gravitee.attribute.x"), Some(&2.into()));
    attributes.set(&Text::from("x"), Value::Null);
    assert_eq!(attributes.get("x"), Some(&2.into()));
    assert_eq!(attributes.iter().count(), 1);
}

#[test]
fn attributes_are_bounded() {
    let mut attributes = super::Attributes::default();
    let refused = (0..2000).filter(|i| !attributes.set(&Text::from(i.to_string()), 1.into()));
    assert_eq!(refused.count(), 2000 - 1024);
}

#[test]
fn queries_change_in_place_and_stay_raw() {
    let mut query = Query::new(Some("a=1&b&a=%20;c=&"));
    query.set(&"a".into(), Some("9".into()));
    query.append("d".into(), None);
    assert!(query.remove("c"));
    assert!(!query.remove("none"));
    assert_eq!(query.to_text().as_deref(), Some("a=9&b&d"));
    assert_eq!(query.first("a"), Some("9"));
    query.clear();
    assert_eq!(query.to_text(), None);
}

#[test]
fn a_query_can_be_read_with_ampersands_alone() {
    let mut query = Query::new(Some("filter=a;b&c"));
    assert_eq!(query.first("filter"), Some("a"));
    query.clear();
    query.reread_without_semicolons();
    assert_eq!(query.first("filter"), Some("a;b"));
    assert_eq!(query.parameters().len(), 2);
    assert_eq!(query.to_text().as_deref(), Some("filter=a;b&c"));
}

proptest! {
    #[test]
    fn a_query_that_nobody_changes_is_sent_as_received(raw in "[ -~]{0,40}") {
        let query = Query::new(Some(&raw));
        let _ = query.parameters();
        let text = query.to_text();
        prop_assert_eq!(text.as_deref(), Some(raw.as_str()));
    }

    #[test]
    fn rewriting_a_query_keeps_its_parameters(raw in "[a-c=&;%]{0,40}") {
        let mut query = Query::new(Some(&raw));
        let before = query.parameters().to_vec();
        query.append("z".into(), None);
        query.remove("z");
        let text = query.to_text();
        let after = Query::new(text.as_deref());
        prop_assert_eq!(after.parameters(), &before[..]);
    }
}
