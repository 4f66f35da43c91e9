//! Configurations that are kept and that are refused.

use serde_json::json;
use tidegate_policy::Phase;

use crate::testing::{compile, example, refusal};

const NAME: &str = "message-filtering";

#[test]
fn the_example_of_the_readme_compiles_for_messages() {
    let configuration = example(include_str!("README.md"));
    for phase in [Phase::MessageRequest, Phase::MessageResponse] {
        compile(NAME, &configuration, phase).unwrap();
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "filter"),
        (json!({"filter": "{#a +}"}), "filter"),
        (
            json!({"filter": "{#a}", "ackFilteredMessage": "yes"}),
            "ackFilteredMessage",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
