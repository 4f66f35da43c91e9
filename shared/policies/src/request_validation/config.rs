//! Configuration of `policy-request-validation`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::status::Status;

/// Refuses requests whose values break rules.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestValidationConfig {
    /// When the rules are checked; nothing said is `REQUEST`.
    pub scope: Option<RequestValidationScope>,
    /// Status of the refusal; 400 if nothing is said.
    pub status: Option<Status>,
    /// The rules; all are checked.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<ValidationRuleConfig>>")]
    pub rules: Vec<ValidationRuleConfig>,
}

/// When the rules are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestValidationScope {
    /// Before the request's body is read.
    Request,
    /// After the request's body was read.
    RequestContent,
    /// Never: this policy has nothing to do with responses.
    Response,
    /// Never: this policy has nothing to do with responses.
    ResponseContent,
}

/// A rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationRuleConfig {
    /// The value that is checked, with expressions.
    pub input: String,
    /// Whether a value that is missing or empty is checked too. True if nothing is said.
    #[serde(default)]
    pub is_required: Option<bool>,
    /// What the value must be.
    pub constraint: ConstraintConfig,
}

/// What a value must be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConstraintConfig {
    /// Kind of the constraint.
    #[serde(rename = "type")]
    pub kind: ConstraintKind,
    /// Its parameters: a number for `MIN` and `MAX`, a Java date pattern for `DATE`, a regular expression
    /// for `PATTERN`, least and most characters for `SIZE`, the values for `ENUM`. They may have
    /// expressions, save for those of `DATE` and `PATTERN`.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub parameters: Vec<String>,
    /// What the client is told; the first `%s` is the value, the next ones are the parameters.
    #[serde(default)]
    pub message: Option<String>,
}

/// Kind of a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConstraintKind {
    /// There is a value, and it is not empty.
    NotNull,
    /// A number, and not less.
    Min,
    /// A number, and not more.
    Max,
    /// An e-mail address.
    Mail,
    /// A date of a form.
    Date,
    /// Text that an expression matches as a whole.
    Pattern,
    /// Text of a length.
    Size,
    /// One of some values.
    Enum,
}
