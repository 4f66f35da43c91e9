//! What is refused, and with which key.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::Phase;

use crate::testing::{example, exchange, failure, run};

fn key(configuration: &Value, content_type: &str, body: &str) -> Option<String> {
    let mut exchange = exchange();
    exchange
        .request
        .headers
        .insert(CONTENT_TYPE, content_type.parse().unwrap());
    exchange.request.content = Bytes::from(body.to_owned()).into();
    let outcome = run(
        "xml-threat-protection",
        configuration,
        Phase::Request,
        &mut exchange,
    );
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 400);
    assert_eq!(failure.message.as_deref(), Some("Bad Request"));
    failure.key.map(|key| key.to_string())
}

fn xml_key(configuration: &Value, body: &str) -> Option<String> {
    key(configuration, "application/xml", body)
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    assert_eq!(
        xml_key(&configuration, "<?xml version=\"1.0\"?><a><b>x</b></a>"),
        None
    );
    let deep = "<a>".repeat(21);
    assert_eq!(
        xml_key(&configuration, &deep).as_deref(),
        Some("XML_THREAT_MAX_DEPTH")
    );
}

#[test]
fn each_limit_has_its_key() {
    let configuration = json!({"maxElements": 5, "maxDepth": 3, "maxLength": 200,
        "maxAttributesPerElement": 2, "maxAttributeValueLength": 3, "maxChildrenPerElement": 3,
        "maxTextValueLength": 6, "maxEntities": 3, "maxEntityDepth": 2});
    for (body, expected) in [
        ("<a b='1' c='2'>text<d/><e/></a>", None),
        ("<a>&lt;&#65;&amp;</a>", None),
        ("<a><b/><b/><b><c/><c/></b></a>", Some("MAX_ELEMENTS")),
        ("<a><b><c><d/></c></b></a>", Some("MAX_DEPTH")),
        (
            &format!("<a>{}</a>", " <!-- -->".repeat(30)),
            Some("MAX_LENGTH"),
        ),
        ("<a b='' c='' d=''/>", Some("MAX_ATTRIBUTES")),
        ("<a b='1234'/>", Some("MAX_ATTRIBUTE_VALUE_LENGTH")),
        ("<a><b/><b/><b/><b/></a>", Some("MAX_CHILD_ELEMENTS")),
        ("<a>1234567</a>", Some("MAX_TEXT_VALUE_LENGTH")),
        ("<a>1234<![CDATA[567]]></a>", Some("MAX_TEXT_VALUE_LENGTH")),
        ("<a>&x;&x;&x;&x;</a>", Some("MAX_ENTITIES")),
        ("<a b='&x;'>&x;&x;&x;</a>", Some("MAX_ENTITIES")),
    ] {
        let expected = expected.map(|key| format!("XML_THREAT_{key}"));
        assert_eq!(xml_key(&configuration, body), expected, "{body}");
    }
}

#[test]
fn entities_are_counted_as_if_they_were_expanded() {
    let configuration = json!({"maxLength": -1, "maxEntityDepth": 3});
    let document = |declarations: &str| format!("<!DOCTYPE a [{declarations}]><a>&z;</a>");
    for (declarations, expected) in [
        ("<!ENTITY z \"fine\">", None),
        ("<!ENTITY y 'a'><!ENTITY z '&y;&y;'>", None),
        (
            "<!ENTITY w 'a'><!ENTITY x '&w;'><!ENTITY y '&x;'><!ENTITY z '&y;'>",
            Some("XML_THREAT_MAX_ENTITY_DEPTH"),
        ),
        ("<!ENTITY z '&z;'>", Some("XML_THREAT_MAX_ENTITY_DEPTH")),
        ("<!ENTITY % p 'x'>", Some("XML_THREAT_DETECTED")),
        ("<!ENTITY z>", Some("XML_THREAT_DETECTED")),
    ] {
        let found = xml_key(&configuration, &document(declarations));
        assert_eq!(found.as_deref(), expected, "{declarations}");
    }
    let laughs: String = (1..20)
        .map(|level| {
            format!(
                "<!ENTITY l{level} \"{}\">",
                format!("&l{};", level - 1).repeat(10)
            )
        })
        .collect();
    let laughs = format!("<!DOCTYPE a [<!ENTITY l0 'lol'>{laughs}]><a>&l19;</a>");
    let free_depth = json!({"maxLength": -1, "maxEntityDepth": -1});
    assert_eq!(
        xml_key(&free_depth, &laughs).as_deref(),
        Some("XML_THREAT_MAX_ENTITIES")
    );
}

#[test]
fn nothing_outside_of_the_document_is_named_unless_allowed() {
    let allowed = json!({"allowExternalEntities": true});
    for body in [
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM 'http://example.org/a.dtd'><a/>",
        "<!DOCTYPE a PUBLIC 'a' 'http://example.org/a.dtd' []><a/>",
    ] {
        assert_eq!(
            xml_key(&json!({}), body).as_deref(),
            Some("XML_THREAT_EXTERNAL_ENTITY_FORBIDDEN"),
            "{body}"
        );
        assert_eq!(xml_key(&allowed, body), None, "{body}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for body in [
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<a b='1' b='2'/>",
        "</a>",
    ] {
        assert_eq!(
            xml_key(&json!({}), body).as_deref(),
            Some("XML_THREAT_DETECTED"),
            "{body}"
        );
    }
}

#[test]
fn only_xml_is_looked_at_whatever_its_parameters() {
    for (content_type, is_checked) in [
        ("text/xml", true),
        ("application/soap+xml; charset=utf-8", true),
        ("APPLICATION/XML", true),
        ("application/json", false),
        ("x", false),
    ] {
        let found = key(&json!({}), content_type, "<a>");
        assert_eq!(found.is_some(), is_checked, "{content_type}");
    }
}
