//! The mappings of `status-code`.

use http::StatusCode;
use serde_json::{Value, json};
use tidegate_policy::Phase;

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "status-code";

fn mapped(configuration: &Value, status: u16) -> u16 {
    let mut exchange = exchange();
    exchange.response.status = StatusCode::from_u16(status).unwrap();
    assert!(run(NAME, configuration, Phase::Response, &mut exchange).is_continue());
    exchange.response.status.as_u16()
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    for (from, to) in [(202, 200), (404, 410), (200, 200), (500, 500)] {
        assert_eq!(mapped(&configuration, from), to);
    }
}

#[test]
fn mappings_do_not_chain_and_the_last_one_of_a_status_counts() {
    let configuration = json!({"statusMappings": [
        {"inputStatusCode": 201, "outputStatusCode": 202},
        {"inputStatusCode": 202, "outputStatusCode": 203},
        {"inputStatusCode": 201, "outputStatusCode": 204}
    ]});
    assert_eq!(mapped(&configuration, 201), 204);
    assert_eq!(mapped(&configuration, 202), 203);
}

#[test]
fn nothing_configured_changes_nothing() {
    for configuration in [json!({}), json!({"statusMappings": null})] {
        assert_eq!(mapped(&configuration, 418), 418);
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (from, to, path) in [
        (json!(99), json!(200), "statusMappings[0].inputStatusCode"),
        (json!(600), json!(200), "statusMappings[0].inputStatusCode"),
        (json!(200), json!(101), "statusMappings[0].outputStatusCode"),
        (
            json!(200),
            json!(1000),
            "statusMappings[0].outputStatusCode",
        ),
        (
            json!("200"),
            json!(201),
            "statusMappings[0].inputStatusCode",
        ),
    ] {
        let mapping = json!({"inputStatusCode": from, "outputStatusCode": to});
        let configuration = json!({"statusMappings": [mapping]});
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
