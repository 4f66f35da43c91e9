//! Bodies that fit, bodies that do not, and schemas that are refused.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::json;
use tidegate_policy::{Exchange, Phase};

use super::INVALID_PAYLOAD;
use crate::testing::{compile, example, exchange, failure, refusal, run};

const NAME: &str = "xml-validation";

const PLAIN: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>\n\
    <xs:element name='a' type='xs:string'/></xs:schema>";

fn with(body: &'static [u8]) -> Exchange {
    let mut exchange = exchange();
    exchange.request.content.set(Bytes::from_static(body));
    exchange
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    let mut good = with(b"<order id='7'><item>a</item><item>b</item></order>");
    assert!(run(NAME, &configuration, Phase::Request, &mut good).is_continue());
    for body in [
        &b"<order><item>a</item></order>"[..],
        b"<order id='0'><item>a</item></order>",
        b"<order id='7'/>",
        b"{}",
        b"",
        b"<!DOCTYPE order SYSTEM 'http://example.org/x.dtd'><order id='7'><item>a</item></order>",
    ] {
        let failure = failure(run(NAME, &configuration, Phase::Request, &mut with(body)));
        assert_eq!(failure.status, 400);
        assert_eq!(failure.key.as_deref(), Some(INVALID_PAYLOAD));
        assert_eq!(
            failure.message.as_deref(),
            Some("<error>not an order of acme</error>")
        );
        assert_eq!(failure.content_type.as_deref(), Some("application/xml"));
        assert!(failure.cause.is_some());
    }
}

#[test]
fn without_a_message_the_error_is_plain() {
    let configuration = json!({"xsdSchema": PLAIN});
    let failure = failure(run(
        NAME,
        &configuration,
        Phase::Request,
        &mut with(b"<b/>"),
    ));
    assert_eq!(failure.message.as_deref(), Some("Bad Request"));
    assert_eq!(failure.content_type, None);
}

#[test]
fn the_content_type_tells_the_encoding() {
    let configuration = json!({"xsdSchema": PLAIN});
    for (content_type, is_good) in [("text/xml; charset=latin1", true), ("text/xml", false)] {
        let mut exchange = with(b"<a>\xe9</a>");
        let headers = &mut exchange.request.headers;
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let outcome = run(NAME, &configuration, Phase::Request, &mut exchange);
        assert_eq!(outcome.is_continue(), is_good, "{content_type}");
    }
}

#[test]
fn the_body_of_the_request_is_needed() {
    let step = compile(NAME, &json!({"xsdSchema": PLAIN}), Phase::Request).unwrap();
    assert!(step.needs.request_content && !step.needs.response_content);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    let including = PLAIN.replace(
        "<xs:element",
        "<xs:include schemaLocation='a.xsd'/><xs:element",
    );
    for (configuration, path, found) in [
        (json!({}), "xsdSchema", "line 1"),
        (json!({"xsdSchema": "<a/>"}), "xsdSchema", "a"),
        (json!({"xsdSchema": including}), "xsdSchema", "include"),
        (
            json!({"xsdSchema": PLAIN.replace("string", "none")}),
            "xsdSchema",
            "line 2",
        ),
        (
            json!({"xsdSchema": PLAIN, "errorMessage": "{#a +}"}),
            "errorMessage",
            "{",
        ),
    ] {
        let error = refusal(NAME, &configuration);
        assert_eq!(error.path, path, "{configuration}");
        assert!(
            path != "xsdSchema" || error.to_string().contains(found),
            "{error}"
        );
    }
}
