//! The policies and plan security kinds of this release.

use serde_json::Value;
use tidegate_policy::{ConfigError, RegisteredPolicy};

use crate::api_key::ApiKeyConfig;
use crate::assign_attributes::AssignAttributes;
use crate::assign_content::AssignContent;
use crate::assign_metrics::AssignMetrics;
use crate::avro_json::AvroJson;
use crate::aws_lambda::AwsLambda;
use crate::basic_authentication::BasicAuthentication;
use crate::cache::Cache;
use crate::circuit_breaker::CircuitBreaker;
use crate::cloud_events::CloudEvents;
use crate::custom_query_parameters_parser::CustomQueryParametersParser;
use crate::data_cache::DataCache;
use crate::data_logging_masking::DataLoggingMasking;
use crate::dynamic_routing::DynamicRouting;
use crate::generate_http_signature::GenerateHttpSignature;
use crate::generate_jwt::GenerateJwt;
use crate::graphql_ratelimit::GraphqlRatelimit;
use crate::groovy::Groovy;
use crate::html_json::HtmlJson;
use crate::http_callout::HttpCallout;
use crate::http_redirect::HttpRedirect;
use crate::http_signature::HttpSignature;
use crate::interrupt::Interrupt;
use crate::ip_filtering::IpFiltering;
use crate::javascript::Javascript;
use crate::json_threat_protection::JsonThreatProtection;
use crate::json_to_json::JsonToJson;
use crate::json_validation::JsonValidation;
use crate::json_xml::JsonXml;
use crate::jws::Jws;
use crate::jwt::{Jwt, JwtConfig, JwtVerifier};
use crate::key_less::KeyLessConfig;
use crate::latency::Latency;
use crate::message_filtering::MessageFiltering;
use crate::metrics_reporter::MetricsReporter;
use crate::mock::Mock;
use crate::mtls::MtlsConfig;
use crate::oas_validation::OasValidation;
use crate::oauth2::{OAuth2, OAuth2Config, OAuth2Verifier};
use crate::openid_userinfo::OpenidUserinfo;
use crate::override_request_method::OverrideRequestMethod;
use crate::protobuf_json::ProtobufJson;
use crate::quota::Quota;
use crate::rate_limit::RateLimit;
use crate::rbac::Rbac;
use crate::regex_threat_protection::RegexThreatProtection;
use crate::request_content_limit::RequestContentLimit;
use crate::request_validation::RequestValidation;
use crate::resource_filtering::ResourceFiltering;
use crate::rest_to_soap::RestToSoap;
use crate::retry::Retry;
use crate::shared_policy_group::SharedPolicyGroupPolicy;
use crate::spike_arrest::SpikeArrest;
use crate::ssl_enforcement::SslEnforcement;
use crate::status_code::StatusCodePolicy;
use crate::traffic_shadowing::TrafficShadowing;
use crate::transform_headers::TransformHeaders;
use crate::transform_queryparams::TransformQueryparams;
use crate::url_rewriting::UrlRewriting;
use crate::wssecurity_authentication::WssecurityAuthentication;
use crate::xml_json::XmlJson;
use crate::xml_threat_protection::XmlThreatProtection;
use crate::xml_validation::XmlValidation;
use crate::xslt::Xslt;

/// All policies that a step may name.
pub const POLICIES: &[&dyn RegisteredPolicy] = &[
    &AssignAttributes,
    &AssignContent,
    &AssignMetrics,
    &AvroJson,
    &AwsLambda,
    &BasicAuthentication,
    &Cache,
    &CircuitBreaker,
    &CloudEvents,
    &CustomQueryParametersParser,
    &DataCache,
    &DataLoggingMasking,
    &DynamicRouting,
    &GenerateHttpSignature,
    &GenerateJwt,
    &GraphqlRatelimit,
    &Groovy,
    &HtmlJson,
    &HttpCallout,
    &HttpRedirect,
    &HttpSignature,
    &Interrupt,
    &IpFiltering,
    &Javascript,
    &JsonThreatProtection,
    &JsonToJson,
    &JsonValidation,
    &JsonXml,
    &Jws,
    &Jwt,
    &Latency,
    &MessageFiltering,
    &MetricsReporter,
    &Mock,
    &OasValidation,
    &OAuth2,
    &OpenidUserinfo,
    &OverrideRequestMethod,
    &ProtobufJson,
    &Quota,
    &RateLimit,
    &Rbac,
    &RegexThreatProtection,
    &RequestContentLimit,
    &RequestValidation,
    &ResourceFiltering,
    &RestToSoap,
    &Retry,
    &SharedPolicyGroupPolicy,
    &SpikeArrest,
    &SslEnforcement,
    &StatusCodePolicy,
    &TrafficShadowing,
    &TransformHeaders,
    &TransformQueryparams,
    &UrlRewriting,
    &WssecurityAuthentication,
    &XmlJson,
    &XmlThreatProtection,
    &XmlValidation,
    &Xslt,
];

/// All kinds of plan security.
pub const SECURITY_KINDS: &[SecurityKind] = &[
    SecurityKind {
        name: crate::api_key::NAME,
        schema: || schemars::schema_for!(ApiKeyConfig).to_value(),
        check: |configuration| ApiKeyConfig::parse(configuration).map(drop),
    },
    SecurityKind {
        name: crate::jwt::NAME,
        schema: || schemars::schema_for!(JwtConfig).to_value(),
        check: |configuration| JwtVerifier::compile(&JwtConfig::parse(configuration)?).map(drop),
    },
    SecurityKind {
        name: crate::key_less::NAME,
        schema: || schemars::schema_for!(KeyLessConfig).to_value(),
        check: |_| Ok(()),
    },
    SecurityKind {
        name: crate::mtls::NAME,
        schema: || schemars::schema_for!(MtlsConfig).to_value(),
        check: |_| Ok(()),
    },
    SecurityKind {
        name: crate::oauth2::NAME,
        schema: || schemars::schema_for!(OAuth2Config).to_value(),
        check: |configuration| {
            OAuth2Verifier::compile(&OAuth2Config::parse(configuration)?).map(drop)
        },
    },
];

/// A kind of plan security.
#[derive(Clone, Copy, Debug)]
pub struct SecurityKind {
    /// The `type` of a plan's `security`, lower-case with dashes.
    pub name: &'static str,
    /// JSON Schema of the configuration (draft 2020-12).
    pub schema: fn() -> Value,
    /// Checks what the schema cannot say, such as keys and expressions.
    pub check: fn(&Value) -> Result<(), ConfigError>,
}

/// Finds a policy by the `policy` member of a step.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn RegisteredPolicy> {
    POLICIES.iter().copied().find(|policy| policy.name() == id)
}

/// Finds a kind of plan security by its name.
#[must_use]
pub fn find_security(name: &str) -> Option<&'static SecurityKind> {
    SECURITY_KINDS.iter().find(|kind| kind.name == name)
}
