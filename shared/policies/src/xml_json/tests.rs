//! The JSON that XML becomes, and XML that is refused.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::{Outcome, Phase};

use super::parse::parse;
use crate::testing::{example, exchange, run};

const NAME: &str = "xml-json";

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    let body = "<?xml version=\"1.0\"?><order id=\"7\"><item>a</item><item>b</item><note/></order>";
    exchange
        .response
        .content
        .set(Bytes::from_static(body.as_bytes()));
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(
        exchange.response.content.bytes().unwrap(),
        r#"{"order":{"id":7,"item":["a","b"],"note":""}}"#
    );
    assert_eq!(exchange.response.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn elements_attributes_and_text_become_members() {
    for (xml, expected) in [
        ("<a/>", json!({"a": ""})),
        ("<a> x </a>", json!({"a": "x"})),
        ("<a b='1'>x</a>", json!({"a": {"b": 1, "content": "x"}})),
        ("<a b='1'/>", json!({"a": {"b": 1}})),
        (
            "<a>x<b/>y</a>",
            json!({"a": {"content": ["x", "y"], "b": ""}}),
        ),
        (
            "<a b='1'><b>2</b><b><c/></b></a>",
            json!({"a": {"b": [1, 2, {"c": ""}]}}),
        ),
        (
            "<s:a xmlns:s='u'><s:b/></s:a>",
            json!({"s:a": {"xmlns:s": "u", "s:b": ""}}),
        ),
        (
            "<a>1 &lt; 2 &amp;&#x41;<!-- c -->&quot;</a>",
            json!({"a": "1 < 2 &A\""}),
        ),
        ("<a><![CDATA[<b>1</b>]]></a>", json!({"a": "<b>1</b>"})),
        ("<a><![CDATA[12]]></a>", json!({"a": "12"})),
        (
            "\u{feff}<?xml version='1.0'?>\n<!-- x --><a/>\n",
            json!({"a": ""}),
        ),
    ] {
        assert_eq!(parse(xml), Ok(expected), "{xml}");
    }
}

#[test]
fn text_becomes_the_value_it_spells() {
    for (text, expected) in [
        ("true", json!(true)),
        ("FALSE", json!(false)),
        ("null", Value::Null),
        ("-12", json!(-12)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("007", json!("007")),
        ("-", json!("-")),
        ("1-2.3", json!("1-2.3")),
        ("12345678901234567890", json!("12345678901234567890")),
        ("1e999", json!("1e999")),
        ("0x1F", json!("0x1F")),
    ] {
        assert_eq!(
            parse(&format!("<a>{text}</a>")),
            Ok(json!({"a": expected})),
            "{text}"
        );
    }
}

#[test]
fn the_charset_of_the_content_type_counts() {
    let mut exchange = exchange();
    exchange
        .request
        .content
        .set(Bytes::from_static(b"<a>\xe9</a>"));
    let content_type = "text/xml; charset=\"iso-8859-1\"".parse().unwrap();
    exchange.request.headers.insert(CONTENT_TYPE, content_type);
    assert!(run(NAME, &json!({}), Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), r#"{"a":"é"}"#);
}

#[test]
fn an_empty_body_stays_empty() {
    let mut exchange = exchange();
    exchange.request.content.set(Bytes::new());
    assert!(run(NAME, &json!({}), Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), "");
}

#[test]
fn what_is_no_xml_or_has_a_document_type_is_refused() {
    let deep = "<a>".repeat(101) + &"</a>".repeat(101);
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    let external = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    for xml in [
        "",
        "x",
        "{}",
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>x",
        "<a>&x;</a>",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a>&#0;</a>",
        "<a b='&x;'/>",
        "<!-- -- --><a/>",
        &deep,
        bomb,
        external,
    ] {
        assert!(parse(xml).is_err(), "{xml}");
    }
    for (phase, status) in [(Phase::Request, 400), (Phase::Response, 500)] {
        let mut exchange = exchange();
        exchange.request.content.set(Bytes::from_static(b"<a>"));
        exchange.response.content.set(Bytes::from_static(b"\xff"));
        let Outcome::Fail(failure) = run(NAME, &json!({}), phase, &mut exchange) else {
            panic!("it did not fail");
        };
        assert_eq!(failure.status, status);
        assert_eq!(failure.key.as_deref(), Some(super::FAILURE_KEY));
    }
}
