//! Both directions, headers, registries and what is refused.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Value, json};
use tidegate_policy::{
    BoxFuture, ContentProvider, Exchange, Phase, Resource, ResourceError, Resources, Services,
};

use crate::registry::find;
use crate::testing::{chain, example, exchange, failure, refusal, run, services};

const NAME: &str = "avro-json";
const PAYMENT: &[u8] = b"\x04p1\x00\x00\x00\x00\x00\x00\x04\x40";

fn with_body(body: &[u8]) -> Exchange {
    let mut exchange = exchange();
    exchange.request.content.set(Bytes::copy_from_slice(body));
    exchange.response.content.set(Bytes::copy_from_slice(body));
    exchange
        .response
        .headers
        .insert(CONTENT_LENGTH, body.len().into());
    exchange
}

fn schema() -> String {
    let fields = json!([{"name": "id", "type": "string"}, {"name": "amount", "type": "double"}]);
    json!({"type": "record", "name": "Payment", "fields": fields}).to_string()
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = with_body(PAYMENT);
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    let body = exchange.response.content.bytes().unwrap();
    assert_eq!(body, r#"{"id":"p1","amount":2.5}"#);
    assert_eq!(exchange.response.headers[CONTENT_TYPE], "application/json");
    assert!(!exchange.response.headers.contains_key(CONTENT_LENGTH));
}

#[test]
fn the_header_of_confluent_is_taken_off_and_put_on() {
    let framed = [&[0, 0, 0, 0, 1], PAYMENT].concat();
    let mut exchange = with_body(&framed);
    let to_json = json!({"conversion": "avro-to-json", "schemaDefinition": schema()});
    assert!(run(NAME, &to_json, Phase::Request, &mut exchange).is_continue());
    let json = exchange.request.content.bytes().unwrap().clone();
    assert_eq!(json, r#"{"id":"p1","amount":2.5}"#);
    let mut exchange = with_body(&json);
    let to_avro = json!({"conversion": "json-to-avro", "schemaDefinition": schema()});
    assert!(run(NAME, &to_avro, Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), &framed);
    assert_eq!(exchange.request.headers[CONTENT_TYPE], "application/avro");
}

#[test]
fn a_body_that_does_not_fit_gives_500_and_an_empty_one_stays() {
    let to_json = json!({"conversion": "avro-to-json", "schemaDefinition": schema()});
    let to_avro = json!({"conversion": "json-to-avro", "schemaDefinition": schema()});
    let cases: [(&Value, &[u8]); 5] = [
        (&to_json, b"\x01\x00\x00\x00\x01"),
        (&to_json, b"\x00\x00"),
        (&to_json, b"\x00\x00\x00\x00\x01\x04p"),
        (&to_avro, b"{"),
        (&to_avro, br#"{"id": 1, "amount": 2}"#),
    ];
    for (configuration, body) in cases {
        let mut exchange = with_body(body);
        let outcome = run(NAME, configuration, Phase::Response, &mut exchange);
        let failure = failure(outcome);
        assert_eq!(failure.status, 500);
        assert_eq!(failure.key.as_deref(), Some(super::FAILURE_KEY), "{body:?}");
    }
    assert!(run(NAME, &to_json, Phase::Request, &mut with_body(b"")).is_continue());
}

/// A registry that knows schema 7 and counts how often it is asked.
#[derive(Debug, Default)]
struct Registry(std::sync::atomic::AtomicUsize);

impl ContentProvider for Registry {
    fn fetch<'a>(
        &'a self,
        reference: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Bytes, ResourceError>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = match reference {
            "schemas/ids/7" => Ok(Bytes::from(json!({"schema": schema()}).to_string())),
            "schemas/ids/8" => Ok(Bytes::from_static(b"{}")),
            _ => Err(ResourceError::Unexpected("status 404".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }
}

#[test]
fn a_registry_is_asked_once_for_each_id_in_front_of_data() {
    let registry = Arc::new(Registry::default());
    let mut resources = Resources::default();
    resources.insert("schemas", Resource::Content(Arc::clone(&registry) as _));
    let configuration = json!({"conversion": "avro-to-json", "schemaLocation": "schema-registry",
                               "resourceName": "schemas"});
    let chain = chain(NAME, &configuration, Phase::Request);
    let convert = |id: u8| {
        let mut exchange = with_body(&[&[0, 0, 0, 0, id], PAYMENT].concat());
        let mut api = (*exchange.api).clone();
        api.resources = Arc::new(resources.clone());
        exchange.api = Arc::new(api);
        let services = services();
        let run = chain.run(Phase::Request, &mut exchange, &services);
        futures::executor::block_on(run)
    };
    for id in [7, 7, 7] {
        assert!(convert(id).is_continue());
    }
    assert_eq!(registry.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    for id in [8, 9] {
        assert_eq!(
            failure(convert(id)).key.as_deref(),
            Some(super::FAILURE_KEY)
        );
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), ""),
        (json!({"conversion": "xml-to-json"}), "conversion"),
        (json!({"conversion": "avro-to-json"}), "schemaDefinition"),
        (
            json!({"conversion": "avro-to-json", "schemaDefinition": "{}"}),
            "schemaDefinition",
        ),
        (
            json!({"conversion": "avro-to-json", "schemaLocation": "schema-registry"}),
            "resourceName",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
    for (member, value, path) in [
        ("conversion", "json-to-avro", "conversion"),
        ("serializationFormat", "simple", "serializationFormat"),
    ] {
        let mut configuration = json!({"conversion": "avro-to-json",
            "schemaLocation": "schema-registry", "resourceName": "schemas"});
        configuration[member] = json!(value);
        let reason = find(NAME).unwrap().undeployable(&configuration).unwrap();
        assert_eq!(reason.path, path);
    }
}
