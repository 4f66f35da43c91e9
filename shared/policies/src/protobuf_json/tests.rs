//! Both directions, headers with indexes, and what is refused.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase};

use super::config::JsonOptions;
use super::schema::Schema;
use crate::registry::find;
use crate::schema_registry::RegisteredSchema as _;
use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "protobuf-json";
const PROTO: &str = r#"
    syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    package shop;
    message Order {
      int64 order_id = 1;
      repeated Item items = 2;
      map<string, int32> counts = 3;
      google.protobuf.Timestamp at = 4;
      State state = 5;
      bytes raw = 6;
      Order next = 7;
      message Item { string name = 1; }
      enum State { NEW = 0; PAID = 1; }
    }
    message Other { bool flag = 1; }
"#;

fn with_body(body: &[u8]) -> Exchange {
    let mut exchange = exchange();
    exchange.request.content.set(Bytes::copy_from_slice(body));
    exchange.response.content.set(Bytes::copy_from_slice(body));
    exchange
}

fn inline(conversion: &str, format: &str) -> Value {
    let schema = json!({"schemaDefinition": PROTO, "serializationFormat": format});
    json!({"conversion": conversion, "json": {"omittingInsignificantWhitespace": true},
           "protobufIn": {"schemaLocation": "inline", "inlineIn": schema},
           "protobufOut": {"schemaLocation": "inline", "inlineOut": schema}})
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = with_body(b"\x0a\x02p1\x11\x00\x00\x00\x00\x00\x00\x04\x40");
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    let body = exchange.response.content.bytes().unwrap();
    assert_eq!(body, r#"{"id":"p1","amount":2.5}"#);
    assert_eq!(exchange.response.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn json_and_back_is_the_same_in_both_formats() {
    let value = json!({"orderId": "9007199254740993", "items": [{"name": "a"}, {}],
        "counts": {"a": 1, "b": 2, "c": 3}, "at": "2024-01-02T03:04:05Z", "state": "PAID",
        "raw": "AAEC", "next": {"orderId": "1"}});
    for format in ["simple", "confluent"] {
        let mut exchange = with_body(value.to_string().as_bytes());
        let there = inline("json-to-protobuf", format);
        assert!(run(NAME, &there, Phase::Request, &mut exchange).is_continue());
        let data = exchange.request.content.bytes().unwrap().clone();
        let header: &[u8] = &[0, 0, 0, 0, 1, 0];
        assert_eq!(data.starts_with(header), format == "confluent");
        assert_eq!(
            exchange.request.headers[CONTENT_TYPE],
            "application/x-protobuf"
        );
        let mut exchange = with_body(&data);
        let back = inline("protobuf-to-json", format);
        assert!(run(NAME, &back, Phase::Response, &mut exchange).is_continue());
        let text = std::str::from_utf8(exchange.response.content.bytes().unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
        assert!(text.contains(r#"{"a":1,"b":2,"c":3}"#), "{text}");
    }
}

#[test]
fn the_header_names_the_message_and_json_has_options() {
    let schema = Schema::compile(PROTO).unwrap();
    let read = |body: &[u8], options: JsonOptions| {
        let text = schema.to_json(body, true, &options)?;
        Ok::<_, String>(String::from_utf8(text).unwrap())
    };
    let short = JsonOptions {
        omitting_insignificant_whitespace: true,
        ..JsonOptions::default()
    };
    let header = |indexes: &[u8], data: &[u8]| [&[0, 0, 0, 0, 9], indexes, data].concat();
    for (indexes, data, json) in [
        (&[0][..], &b"\x08\x07"[..], r#"{"orderId":"7"}"#),
        (&[2, 2], b"\x08\x01", r#"{"flag":true}"#),
        (&[4, 0, 0], b"\x0a\x01x", r#"{"name":"x"}"#),
    ] {
        assert_eq!(read(&header(indexes, data), short).unwrap(), json);
    }
    let long = JsonOptions {
        including_default_value_fields: true,
        preserving_proto_field_names: true,
        ..JsonOptions::default()
    };
    let text = read(&header(&[0], b""), long).unwrap();
    assert!(text.contains("\n  \"order_id\": \"0\",\n"), "{text}");
    for body in [
        &b"\x00\x00"[..],
        &header(&[8], b""),
        &header(&[2, 6], b""),
        &header(&[1], b""),
    ] {
        assert!(read(body, short).is_err(), "{body:?}");
    }
}

#[test]
fn a_body_that_does_not_fit_gives_500_and_an_empty_one_stays() {
    // A message within itself 200 times.
    let deep = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut outer = vec![0x3a];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        outer
    });
    for (conversion, body) in [
        ("protobuf-to-json", &b"\xff\xff"[..]),
        ("protobuf-to-json", &deep),
        ("json-to-protobuf", b"{"),
        ("json-to-protobuf", br#"{"orderId": "x"}"#),
        ("json-to-protobuf", b"{} {}"),
    ] {
        let configuration = inline(conversion, "simple");
        let outcome = run(NAME, &configuration, Phase::Response, &mut with_body(body));
        assert_eq!(failure(outcome).key.as_deref(), Some(super::FAILURE_KEY));
    }
    let configuration = inline("protobuf-to-json", "confluent");
    assert!(run(NAME, &configuration, Phase::Request, &mut with_body(b"")).is_continue());
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    let with = |schema: &str| {
        let mut configuration = inline("protobuf-to-json", "simple");
        configuration["protobufIn"]["inlineIn"]["schemaDefinition"] = json!(schema);
        configuration
    };
    let registry = |part: Value| {
        json!({"conversion": "json-to-protobuf",
        "protobufOut": {"schemaLocation": "schema-registry", "schemaRegistryOut": part}})
    };
    let place = "protobufIn.inlineIn.schemaDefinition";
    for (configuration, path) in [
        (json!({"conversion": "no"}), "conversion"),
        (json!({"conversion": "protobuf-to-json"}), place),
        (with("message {"), place),
        (with("syntax = \"proto3\";"), place),
        (
            with("syntax = \"proto3\"; import \"/etc/passwd\"; message A {}"),
            place,
        ),
        (with(&"message A {".repeat(10_000)), place),
        (
            registry(json!({})),
            "protobufOut.schemaRegistryOut.resourceName",
        ),
        (
            registry(json!({"resourceName": "r"})),
            "protobufOut.schemaRegistryOut.id.value",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path);
    }
    for (part, path) in [
        (
            json!({"resourceName": "r", "serializationFormat": "simple"}),
            "serializationFormat",
        ),
        (
            json!({"resourceName": "r", "id": {"origin": "header", "value": 1}}),
            "id.origin",
        ),
    ] {
        let reason = find(NAME).unwrap().undeployable(&registry(part)).unwrap();
        assert_eq!(reason.path, format!("protobufOut.schemaRegistryOut.{path}"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..100)) {
        let schema = Schema::compile(PROTO).unwrap();
        for is_framed in [false, true] {
            if let Ok(text) = schema.to_json(&data, is_framed, &JsonOptions::default()) {
                prop_assert!(serde_json::from_slice::<Value>(&text).is_ok());
            }
        }
    }
}
