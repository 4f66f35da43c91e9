//! The assigned body and failures.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use serde_json::{Value, json};
use tidegate_policy::{CompileContext, Outcome, Phase, PolicyKind};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-assign-content";

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    exchange
        .request
        .content
        .set(Bytes::from_static(br#"say "hi""#));
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    let body: Value = serde_json::from_slice(exchange.request.content.bytes().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"tenant": "ACME", "page": "2", "role": "guest", "text": "say \"hi\"", "steps": [1, 2, 3]})
    );
}

#[test]
fn the_body_of_the_phase_is_replaced_with_its_headers() {
    let mut exchange = exchange();
    for (name, value) in [(CONTENT_LENGTH, "9"), (CONTENT_ENCODING, "gzip")] {
        exchange
            .response
            .headers
            .insert(name, value.parse().unwrap());
    }
    let configuration = json!({"body": "status ${response.status}"});
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(exchange.response.content.bytes().unwrap(), "status 200");
    assert!(exchange.response.headers.is_empty());
    assert!(exchange.request.content.bytes().is_none());
}

#[test]
fn only_a_template_that_reads_a_body_needs_it() {
    for (body, request, response) in [
        ("x", false, false),
        ("${request.content}", true, false),
        (
            "<#if true>${(response['jsonContent'].a)!}</#if>",
            false,
            true,
        ),
        ("${request[context.attributes['x']]}", true, false),
        ("${request.headers['content']!}", false, false),
    ] {
        let ctx = CompileContext {
            phase: Phase::Response,
            environment: "",
            api: "",
            files: None,
        };
        let config = serde_json::from_value(json!({"body": body})).unwrap();
        let needs = super::AssignContent::compile(config, &ctx).unwrap().needs;
        assert_eq!(
            (needs.request_content, needs.response_content),
            (request, response),
            "{body}"
        );
    }
}

#[test]
fn a_template_that_cannot_be_rendered_gives_500() {
    for body in [
        "${request.headers['none'][0]}",
        "${nothing}",
        "<#list 1..9 as a><#list 1..90000 as b></#list></#list>",
    ] {
        let outcome = run(
            NAME,
            &json!({"body": body}),
            Phase::Request,
            &mut exchange(),
        );
        assert!(
            matches!(&outcome, Outcome::Fail(failure) if failure.status == 500),
            "{body}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_not_supported_is_refused_by_its_name() {
    for (body, found) in [
        ("a\n<#include 'x'>", "the directive <#include> in line 2"),
        ("<#macro x></#macro>", "the directive <#macro> in line 1"),
        ("<@x/>", "a call of a macro (<@…>) in line 1"),
        ("${x?new()}", "the built-in ?new in line 1"),
        ("${x.y()}", "a call of a method in line 1"),
        ("<#if x>", "the end of the template in line 1"),
    ] {
        let error = refusal(NAME, &json!({"body": body}));
        assert_eq!(
            (error.path.as_str(), error.value.as_str()),
            ("body", found),
            "{body}"
        );
    }
    assert_eq!(refusal(NAME, &json!({"body": 1})).path, "body");
}
