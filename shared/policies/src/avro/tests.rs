//! Both directions against bytes of the specification, hostile data, and the library's own encoder.

use apache_avro::reader::datum::GenericDatumReader;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DataError, Schema};

fn schema(value: &Value) -> Schema {
    Schema::compile(&value.to_string()).unwrap()
}

fn binary(schema: &Schema, value: &Value) -> Result<Vec<u8>, DataError> {
    let mut out = Vec::new();
    schema.to_binary(value, &mut out).map(|()| out)
}

/// The examples of the specification and one value of each type.
#[test]
fn values_have_the_bytes_of_the_specification() {
    let record = json!({"type": "record", "name": "test", "fields": [
        {"name": "a", "type": "long"}, {"name": "b", "type": "string"}]});
    let cases: [(Value, Value, &[u8]); 16] = [
        (
            record,
            json!({"a": 27, "b": "foo"}),
            &[0x36, 0x06, 0x66, 0x6f, 0x6f],
        ),
        (
            json!({"type": "array", "items": "long"}),
            json!([3, 27]),
            &[0x04, 0x06, 0x36, 0x00],
        ),
        (json!({"type": "array", "items": "long"}), json!([]), &[0]),
        (json!(["null", "string"]), json!(null), &[0]),
        (
            json!(["null", "string"]),
            json!({"string": "a"}),
            &[0x02, 0x02, 0x61],
        ),
        (json!("int"), json!(-64), &[0x7f]),
        (json!("int"), json!(64), &[0x80, 0x01]),
        (
            json!("long"),
            json!(i64::MIN),
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ),
        (json!("boolean"), json!(true), &[1]),
        (json!("null"), json!(null), &[]),
        (json!("float"), json!(1.5), &[0, 0, 0xc0, 0x3f]),
        (
            json!("double"),
            json!("NaN"),
            &[0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
        ),
        (json!("bytes"), json!("\u{0}\u{ff}"), &[0x04, 0, 0xff]),
        (
            json!({"type": "fixed", "name": "f", "size": 2}),
            json!("ab"),
            b"ab",
        ),
        (
            json!({"type": "enum", "name": "e", "symbols": ["A", "B"]}),
            json!("B"),
            &[2],
        ),
        (
            json!({"type": "map", "values": "int"}),
            json!({"k": 1}),
            &[2, 2, b'k', 2, 0],
        ),
    ];
    for (source, value, bytes) in cases {
        let schema = schema(&source);
        assert_eq!(binary(&schema, &value).unwrap(), bytes, "{source}");
        let read: Value = serde_json::from_str(&schema.to_json(bytes).unwrap()).unwrap();
        assert_eq!(read, value, "{source}");
    }
}

#[test]
fn branches_need_no_name_and_missing_members_take_defaults() {
    let schema = schema(
        &json!({"type": "record", "name": "r", "namespace": "n", "fields": [
        {"name": "maybe", "type": ["null", "long", "string"], "default": null},
        {"name": "next", "type": ["null", "r"], "default": null},
        {"name": "count", "type": "int", "default": 7}]}),
    );
    for (value, read) in [
        (
            json!({"unknown": 1}),
            json!({"maybe": null, "next": null, "count": 7}),
        ),
        (
            json!({"maybe": 3}),
            json!({"maybe": {"long": 3}, "next": null, "count": 7}),
        ),
        (
            json!({"maybe": "x", "next": {"count": 1}}),
            json!({"maybe": {"string": "x"}, "count": 7,
                   "next": {"n.r": {"maybe": null, "next": null, "count": 1}}}),
        ),
    ] {
        let bytes = binary(&schema, &value).unwrap();
        let back: Value = serde_json::from_str(&schema.to_json(&bytes).unwrap()).unwrap();
        assert_eq!(back, read, "{value}");
    }
    let error = binary(&schema, &json!({"next": {"maybe": []}})).unwrap_err();
    assert!(matches!(error, DataError::Expected { place, .. } if place == "next"));
}

#[test]
fn hostile_data_is_refused_and_bounded() {
    let nulls = schema(&json!({"type": "array", "items": "null"}));
    let list = schema(&json!({"type": "record", "name": "l", "fields": [
        {"name": "n", "type": ["null", "l"]}]}));
    let text = schema(&json!("string"));
    let cases: [(&Schema, Vec<u8>, DataError); 6] = [
        (&nulls, vec![0xff; 9], DataError::CutOff),
        (
            &nulls,
            [&[0xfe][..], &[0xff; 8], &[1]].concat(),
            DataError::Size,
        ),
        (&list, vec![2; 100_000], DataError::Depth),
        (&text, vec![0xfe, 0xff, 0xff, 0xff, 0x0f], DataError::CutOff),
        (&text, vec![2, 0xff], DataError::Invalid("UTF-8 text")),
        (&text, vec![0, 0], DataError::Rest(1)),
    ];
    for (schema, data, error) in cases {
        assert_eq!(schema.to_json(&data).unwrap_err(), error);
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for text in [
        "",
        "{",
        "\"unknown\"",
        "{\"type\": \"record\"}",
        &"[".repeat(200),
    ] {
        assert!(Schema::compile(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let schema = schema(&json!({"type": "record", "name": "r", "fields": [
            {"name": "a", "type": ["null", "long", {"type": "array", "items": ["r", "bytes"]}]},
            {"name": "b", "type": {"type": "map", "values": ["double", "string"]}}]}));
        if let Ok(text) = schema.to_json(&data) {
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert!(binary(&schema, &value).is_ok());
        }
    }

    #[test]
    fn the_library_reads_what_is_written(number in any::<i64>(), text in ".{0,20}", flag in any::<bool>()) {
        let source = json!({"type": "record", "name": "r", "fields": [
            {"name": "number", "type": "long"}, {"name": "text", "type": ["null", "string"]},
            {"name": "flag", "type": "boolean"}]}).to_string();
        let value = json!({"number": number, "text": text, "flag": flag});
        let bytes = binary(&Schema::compile(&source).unwrap(), &value).unwrap();
        let parsed = apache_avro::Schema::parse_str(&source).unwrap();
        let reader = GenericDatumReader::builder(&parsed).build().unwrap();
        let read = reader.read_value(&mut bytes.as_slice()).unwrap();
        prop_assert_eq!(Value::try_from(read).unwrap(), value);
    }
}
