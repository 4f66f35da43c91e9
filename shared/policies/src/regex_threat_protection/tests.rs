//! Where the expression is looked for.

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_policy::{Phase, Query};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "regex-threat-protection";

fn key(configuration: &Value, header: &str, query: &str, body: &'static str) -> Option<String> {
    let mut exchange = exchange();
    exchange
        .request
        .headers
        .insert("x-comment", header.parse().unwrap());
    exchange.request.query = Query::new(Some(query));
    exchange.request.content = Bytes::from_static(body.as_bytes()).into();
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 400);
    assert_eq!(failure.message.as_deref(), Some("Bad Request"));
    failure.key.map(|key| key.to_string())
}

#[test]
fn the_example_of_the_readme_finds_sql_everywhere() {
    let configuration = example(include_str!("README.md"));
    let found = |part: &str| Some(format!("REGEX_THREAT_{part}_DETECTED"));
    for (header, query, body, expected) in [
        ("fine", "a=b", "fine", None),
        ("x DROP table", "", "", found("HEADER")),
        ("", "a=drop%20table", "", found("PATH")),
        ("", "a=drop+table", "", found("PATH")),
        ("", "drop+table=1", "", found("PATH")),
        ("", "", "a\ndrop table\nb", found("BODY")),
    ] {
        assert_eq!(
            key(&configuration, header, query, body),
            expected,
            "{header}{query}{body}"
        );
    }
}

#[test]
fn full_matching_matters_for_the_body_alone() {
    let part = json!({"regex": "evil", "fullMatching": false});
    let whole = json!({"regex": "evil"});
    assert!(key(&part, "", "", "an evil body").is_some());
    assert!(key(&whole, "", "", "an evil body").is_none());
    assert!(key(&whole, "", "", "EVIL").is_some());
    assert!(key(&part, "an evil header", "", "").is_none());
}

#[test]
fn parts_can_be_left_out_and_case_can_matter() {
    let nothing =
        json!({"regex": ".*x.*", "checkHeaders": false, "checkPath": false, "checkBody": false});
    assert_eq!(key(&nothing, "x", "x=x", "x"), None);
    let exact = json!({"regex": "evil", "caseSensitive": true});
    assert_eq!(key(&exact, "EVIL", "", ""), None);
    assert!(key(&exact, "evil", "", "").is_some());
}

#[test]
fn expressions_that_need_backtracking_are_refused() {
    for regex in ["(?=a)b", "(a", "(a)\\1"] {
        assert_eq!(refusal(NAME, &json!({"regex": regex})).path, "regex");
    }
}
