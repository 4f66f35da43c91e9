//! Paths against one document.

use super::JsonPath;
use crate::error::EvalErrorKind;
use crate::value::{Value, parse_json};

const DOCUMENT: &str = r#"{
    "store": {"book": [
        {"title": "A", "price": 8.5, "tags": ["x"]},
        {"title": "B", "price": 12, "isbn": "1"},
        {"title": "C", "price": 20}
    ], "odd name": {"k-1": true}},
    "max": 10, "nothing": null
}"#;

fn read(path: &str) -> Result<Value, EvalErrorKind> {
    JsonPath::compile(path)?.read(&Value::from(DOCUMENT))
}

fn check(path: &str, expected: &str) {
    let expected = parse_json(expected.as_bytes()).unwrap();
    assert_eq!(read(path), Ok(expected), "{path}");
}

#[test]
fn definite_paths_give_the_value() {
    check("$.max", "10");
    check("$.store.book[0].title", r#""A""#);
    check("$['store']['odd name'].k-1", "true");
    check("$.store.book[-1].title", r#""C""#);
    check("$.store.book.length()", "3");
    check("$.nothing", "null");
}

#[test]
fn a_missing_leaf_is_null_and_a_missing_parent_fails() {
    check("$.missing", "null");
    check("$.store.missing", "null");
    assert!(matches!(
        read("$.missing.leaf"),
        Err(EvalErrorKind::NoProperty { .. })
    ));
    assert!(matches!(
        read("$.store.book[7]"),
        Err(EvalErrorKind::NoProperty { .. })
    ));
}

#[test]
fn indefinite_paths_give_lists() {
    check("$.store.book[*].title", r#"["A","B","C"]"#);
    check("$..title", r#"["A","B","C"]"#);
    check("$.store.book[0,2].title", r#"["A","C"]"#);
    check("$.store.book[1:].title", r#"["B","C"]"#);
    check("$.store.book[:2].title", r#"["A","B"]"#);
    check("$.store.book[0]['title','price']", r#"["A",8.5]"#);
    check("$.missing[*].x", "[]");
}

#[test]
fn filters_pick_elements() {
    check("$.store.book[?(@.price < 10)].title", r#"["A"]"#);
    check("$.store.book[?(@.price > $.max)].title", r#"["B","C"]"#);
    check("$.store.book[?(@.isbn)].title", r#"["B"]"#);
    check(
        "$.store.book[?(!(@.isbn) && @.price >= 8.5)].title",
        r#"["A","C"]"#,
    );
    check("$.store.book[?(@.title =~ /[ab]/i)].title", r#"["A","B"]"#);
    check(
        "$.store.book[?(@.title in ['A', 'C'])].title",
        r#"["A","C"]"#,
    );
    check(
        "$.store.book[?(@.title == 'B' || @.tags[0] == 'x')].price",
        "[8.5,12]",
    );
}

#[test]
fn wrong_paths_and_documents_are_refused() {
    for path in [
        "",
        "store",
        "$.",
        "$[",
        "$[?(@.a",
        "$['a",
        "$.a b",
        "$[::0]",
        "$.a[?(@ =~ 1)]",
    ] {
        assert!(JsonPath::compile(path).is_err(), "{path}");
    }
    let path = JsonPath::compile("$.a").unwrap();
    assert!(matches!(
        path.read(&Value::from("{")),
        Err(EvalErrorKind::Unparsable { .. })
    ));
    assert!(matches!(
        path.read(&Value::Null),
        Err(EvalErrorKind::NullTarget { .. })
    ));
    let nested = format!("$[?({}@.a{})]", "(".repeat(1000), ")".repeat(1000));
    assert!(JsonPath::compile(&nested).is_err());
}
