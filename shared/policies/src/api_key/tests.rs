//! The configuration of `api-key`.

use serde_json::{Value, json};

use super::ApiKeyConfig;
use crate::testing::example;

#[test]
fn the_example_of_the_readme_loads() {
    let config = ApiKeyConfig::parse(&example(include_str!("README.md"))).unwrap();
    assert!(config.propagate_api_key);
    assert_eq!(config.custom_header().unwrap().unwrap(), "x-shop-key");
}

#[test]
fn nothing_configured_keeps_the_default_places() {
    for configuration in [
        Value::Null,
        json!({}),
        json!(""),
        json!({"apiKeyHeader": null}),
    ] {
        let config = ApiKeyConfig::parse(&configuration).unwrap();
        assert!(!config.propagate_api_key);
        assert_eq!(config.custom_header().unwrap(), None);
    }
}

#[test]
fn a_custom_header_must_be_a_header_name() {
    for configuration in [
        json!({"enableCustomApiKeyHeader": true}),
        json!({"enableCustomApiKeyHeader": true, "apiKeyHeader": "a b"}),
    ] {
        assert_eq!(
            ApiKeyConfig::parse(&configuration).unwrap_err().path,
            "apiKeyHeader"
        );
    }
}
