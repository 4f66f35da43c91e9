//! Configuration of `aws-lambda`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::variables::VariableConfig;

/// Calls an AWS Lambda function beside the endpoint or in its place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsLambdaConfig {
    /// Region of the function; `us-east-1` if nothing is said.
    pub region: Option<String>,
    /// Access key, with expressions.
    pub access_key: Option<String>,
    /// Secret key, with expressions.
    pub secret_key: Option<String>,
    /// Role to assume; Tidegate does not, so that such a step cannot be deployed.
    pub role_arn: Option<String>,
    /// Name of the session of the role.
    pub role_session_name: Option<String>,
    /// Name or ARN of the function, with expressions.
    #[schemars(required)]
    pub function: String,
    /// Version or alias of the function.
    pub qualifier: Option<String>,
    /// How the function is called.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<InvocationType>")]
    pub invocation_type: InvocationType,
    /// Whether the answer carries the end of the function's log.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<LogType>")]
    pub log_type: LogType,
    /// What the function is given, with expressions.
    pub payload: Option<String>,
    /// Attributes to set; their expressions see `#lambdaResponse`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<VariableConfig>>")]
    pub variables: Vec<VariableConfig>,
    /// Whether the client gets the function's answer.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub send_to_consumer: bool,
    /// Base URL of the service, if it is not the one of the region.
    pub endpoint: Option<String>,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum InvocationType {
    /// Called, and its answer awaited.
    #[default]
    RequestResponse,
    /// Queued.
    Event,
    /// Only checked.
    DryRun,
}

/// What of the function's log the answer carries.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum LogType {
    /// Nothing.
    #[default]
    None,
    /// Its end.
    Tail,
}
