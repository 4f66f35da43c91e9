//! The transformed body, its content type, and failures.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "xslt";

fn with_body(body: &str) -> Exchange {
    let mut exchange = exchange();
    let body = Bytes::copy_from_slice(body.as_bytes());
    exchange.request.content.set(body.clone());
    exchange.response.content.set(body);
    exchange
}

fn stylesheet(top: &str) -> Value {
    let head =
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">";
    json!({"scope": "REQUEST", "stylesheet": format!("{head}{top}</xsl:stylesheet>")})
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = with_body("<order><item price=\"2\"/><item price=\"3.5\"/></order>");
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    let body = exchange.response.content.bytes().unwrap();
    assert_eq!(body, r#"<bill for="acme">5.5</bill>"#);
    let content_type = &exchange.response.headers[CONTENT_TYPE];
    assert_eq!(content_type, "application/xml;charset=UTF-8");
}

#[test]
fn a_null_parameter_leaves_the_value_of_the_stylesheet() {
    let mut configuration = stylesheet(
        "<xsl:output method=\"text\"/><xsl:param name=\"p\" select=\"'own'\"/>\
         <xsl:template match=\"/\"><xsl:value-of select=\"$p\"/></xsl:template>",
    );
    for (value, result) in [("{#request.params['none']}", "own"), ("", ""), ("x", "x")] {
        configuration["parameters"] = json!([{"name": "p", "value": value}]);
        let mut exchange = with_body("<a/>");
        assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
        assert_eq!(exchange.request.content.bytes().unwrap(), result, "{value}");
        let content_type = &exchange.request.headers[CONTENT_TYPE];
        assert_eq!(content_type, "text/plain;charset=UTF-8");
    }
}

#[test]
fn what_cannot_be_transformed_gives_500_and_an_empty_body_stays() {
    let copy = stylesheet("<xsl:template match=\"/\"><xsl:copy-of select=\".\"/></xsl:template>");
    let endless =
        stylesheet("<xsl:template match=\"/\"><xsl:apply-templates select=\"/\"/></xsl:template>");
    for (configuration, body) in [(&copy, "no xml"), (&copy, "<a>"), (&endless, "<a/>")] {
        let outcome = run(NAME, configuration, Phase::Response, &mut with_body(body));
        assert_eq!(failure(outcome).status, 500, "{body}");
    }
    assert!(run(NAME, &copy, Phase::Request, &mut with_body("")).is_continue());
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    let mut unnamed = stylesheet("");
    unnamed["parameters"] = json!([{"name": " "}]);
    let mut broken = stylesheet("");
    broken["parameters"] = json!([{"name": "a", "value": "{#b +}"}]);
    let fetching =
        "<xsl:template match=\"/\"><xsl:copy-of select=\"document('http://a')\"/></xsl:template>";
    for (configuration, path) in [
        (json!({}), ""),
        (json!({"stylesheet": "<a/>"}), "stylesheet"),
        (stylesheet(fetching), "stylesheet"),
        (unnamed, "parameters[0].name"),
        (broken, "parameters[0].value"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
    assert!(
        refusal(NAME, &stylesheet(fetching))
            .value
            .contains("document()")
    );
}
