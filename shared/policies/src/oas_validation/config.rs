//! Configuration of `oas-validation`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Checks requests and responses against an OpenAPI description.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OasValidationConfig {
    /// The description as JSON text.
    pub source_json: Option<String>,
    /// The description as YAML text.
    pub source_yaml: Option<String>,
    /// URL of the description, fetched once when it is first needed.
    pub source_url: Option<String>,
    /// Content provider resource that has the description.
    pub resource_name: Option<String>,
    /// Path that is taken off the request's before it is looked up.
    pub base_path: Option<String>,
    /// What is checked.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ValidationOptions>")]
    pub validation_options: ValidationOptions,
}

/// What is checked; all but the rare checks is on if nothing is said.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the members of the configuration as definitions write them"
)]
pub struct ValidationOptions {
    /// Whether errors are only logged.
    pub log_instead_of_throw_error: bool,
    /// Whether the client learns what is wrong with its request.
    pub return_detailed_error_report: bool,
    /// Whether a slash at the end makes another path.
    pub strict_operation_path_matching: bool,
    /// Whether path and method must be described.
    pub validate_request_path_and_method: bool,
    /// Whether JSON bodies of requests are checked.
    pub validate_request_body: bool,
    /// Whether the type of a request's body must be described.
    pub validate_request_content_type: bool,
    /// Whether parameters are checked.
    pub validate_request_parameters: bool,
    /// Kinds of parameters that are checked besides those of the path.
    pub validate_request_parameters_options: Vec<ParameterKind>,
    /// Whether query parameters must be described.
    pub validate_request_query_params_unexpected: bool,
    /// Whether security schemes are checked; Tidegate does not, so that such a step cannot be deployed.
    pub validate_request_security: bool,
    /// Whether JSON bodies of responses are checked.
    pub validate_response_body: bool,
    /// Whether the type of a response's body must be described.
    pub validate_response_content_type: bool,
    /// Whether the status of a response must be described.
    pub validate_response_status_code: bool,
}

impl Default for ValidationOptions {
    fn default() -> Self {
        Self {
            log_instead_of_throw_error: false,
            return_detailed_error_report: true,
            strict_operation_path_matching: true,
            validate_request_path_and_method: true,
            validate_request_body: true,
            validate_request_content_type: true,
            validate_request_parameters: true,
            validate_request_parameters_options: vec![
                ParameterKind::QueryParams,
                ParameterKind::Headers,
                ParameterKind::Cookies,
            ],
            validate_request_query_params_unexpected: false,
            validate_request_security: false,
            validate_response_body: true,
            validate_response_content_type: true,
            validate_response_status_code: true,
        }
    }
}

/// A kind of parameters.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParameterKind {
    /// In the query.
    QueryParams,
    /// In headers.
    Headers,
    /// In cookies.
    Cookies,
}
