//! Every policy Tidegate ships, one folder each, and the checks of their configurations.
//!
//! A policy is a folder with its configuration, its run functions, a README whose example a test loads,
//! and one line in the registry. Plan security kinds have their configuration here; their
//! verification lives where credentials meet subscriptions, in the edge.

#![warn(missing_docs)]

mod ant;
pub mod api_key;
pub mod assign_attributes;
pub mod assign_content;
pub mod assign_metrics;
mod avro;
pub mod avro_json;
pub mod aws_lambda;
pub mod basic_authentication;
mod bearer;
pub mod cache;
pub mod circuit_breaker;
pub mod cloud_events;
mod compile;
mod configuration;
mod counting;
pub mod custom_query_parameters_parser;
pub mod data_cache;
pub mod data_logging_masking;
pub mod dynamic_routing;
mod failures;
#[cfg(test)]
mod fakes;
mod freemarker;
pub mod generate_http_signature;
pub mod generate_jwt;
pub mod graphql_ratelimit;
pub mod groovy;
mod half;
mod header;
pub mod html_json;
pub mod http_callout;
pub mod http_redirect;
pub mod http_signature;
pub mod interrupt;
pub mod ip_filtering;
pub mod javascript;
mod json;
pub mod json_threat_protection;
pub mod json_to_json;
pub mod json_validation;
pub mod json_xml;
pub mod jws;
pub mod jwt;
pub mod key_less;
pub mod latency;
mod log_in;
pub mod message_filtering;
pub mod metrics_reporter;
pub mod mock;
pub mod mtls;
mod number;
pub mod oas_validation;
pub mod oauth2;
pub mod openid_userinfo;
mod outbound;
pub mod override_request_method;
mod pattern;
mod pem;
pub mod protobuf_json;
pub mod quota;
pub mod rate_limit;
pub mod rbac;
pub mod regex_threat_protection;
mod registry;
pub mod request_content_limit;
pub mod request_validation;
pub mod resource_filtering;
pub mod resources;
pub mod rest_to_soap;
pub mod retry;
mod schema_registry;
pub mod shared_policy_group;
pub mod spike_arrest;
pub mod ssl_enforcement;
mod status;
pub mod status_code;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod threat;
pub mod traffic_shadowing;
pub mod transform_headers;
pub mod transform_queryparams;
pub mod url_rewriting;
mod validate;
mod variables;
pub mod wssecurity_authentication;
pub mod xml_json;
mod xml_text;
pub mod xml_threat_protection;
pub mod xml_validation;
pub mod xslt;

pub use bearer::bearer_token;
pub use compile::compile_steps;
pub use registry::{POLICIES, SECURITY_KINDS, SecurityKind, find, find_security};
pub use validate::{undeployable, undeployable_asset, validate_api, validate_asset};
