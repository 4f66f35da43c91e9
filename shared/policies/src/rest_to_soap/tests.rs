//! The call that a request becomes.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};
use tidegate_expression::Value;
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "rest-to-soap";

fn after(configuration: &Json) -> Exchange {
    let mut exchange = exchange();
    exchange
        .request
        .content
        .set(Bytes::from_static(br#"{"id": 7}"#));
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    exchange
}

#[test]
fn the_example_of_the_readme_runs() {
    let exchange = after(&example(include_str!("README.md")));
    let request = &exchange.request;
    let body = String::from_utf8(request.content.bytes().unwrap().to_vec()).unwrap();
    assert!(body.contains("<page>2</page><id>7</id>"), "{body}");
    assert_eq!(request.headers[CONTENT_TYPE], "text/xml; charset=UTF-8");
    assert_eq!(request.headers["soapaction"], "urn:GetItems");
    assert_eq!(request.query.to_text(), None);
    let attributes = &exchange.attributes;
    assert_eq!(
        attributes.get_platform("request.method"),
        Some(&Value::from("POST"))
    );
    assert_eq!(
        attributes.get_platform("request.endpoint"),
        Some(&Value::from(""))
    );
}

#[test]
fn path_query_and_headers_stay_unless_said_otherwise() {
    let exchange =
        after(&json!({"envelope": "<e/>", "preserveQueryParams": true, "soapAction": " "}));
    assert_eq!(exchange.request.query.to_text().as_deref(), Some("page=2"));
    assert_eq!(exchange.attributes.get_platform("request.endpoint"), None);
    assert_eq!(exchange.request.headers[CONTENT_TYPE], "text/xml");
    assert!(!exchange.request.headers.contains_key("soapaction"));
}

#[test]
fn the_envelope_is_written_in_its_charset() {
    let exchange = after(&json!({"envelope": "é €", "charset": "ISO-8859-1"}));
    // The label means windows-1252 on the web, which has the euro sign.
    assert_eq!(&exchange.request.content.bytes().unwrap()[..], b"\xe9 \x80");
    let exchange = after(&json!({"envelope": "é 漢", "charset": "ISO-8859-15"}));
    assert_eq!(
        &exchange.request.content.bytes().unwrap()[..],
        b"\xe9 &#28450;"
    );
}

#[test]
fn an_envelope_that_is_null_or_fails_gives_500() {
    for envelope in ["{#nothing}", "{#nothing.name}"] {
        let configuration = json!({"envelope": envelope});
        let outcome = run(NAME, &configuration, Phase::Request, &mut exchange());
        assert!(matches!(outcome, Outcome::Fail(failure) if failure.status == 500));
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"envelope": "{#a +}"}), "envelope"),
        (json!({"envelope": "", "charset": "klingon"}), "charset"),
        (json!({"envelope": "", "charset": "UTF-16"}), "charset"),
        (json!({"envelope": "", "soapAction": "a\nb"}), "soapAction"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
