//! Configuration of `rest-to-soap`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Makes a SOAP call of the request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestToSoapConfig {
    /// The SOAP envelope, with expressions; it becomes the body.
    pub envelope: String,
    /// Value of the `SOAPAction` header; no header if nothing is said.
    #[serde(default)]
    pub soap_action: Option<String>,
    /// Encoding of the envelope, named in `Content-Type`; UTF-8 without being named if nothing is said.
    #[serde(default)]
    pub charset: Option<String>,
    /// Whether the query is sent to the endpoint.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub preserve_query_params: bool,
    /// Whether the endpoint is called at its target, without the client's path.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub strip_path: bool,
}
