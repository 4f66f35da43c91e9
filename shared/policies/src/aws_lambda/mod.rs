//! `aws-lambda`: calls a function beside the endpoint or in its place.

mod config;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use tidegate_expression::{Needs, Template, Text};
use tidegate_policy::{
    AsyncPolicy, CallOptions, CompileContext, Compiled, ConfigError, Exchange, Failure, Invoker,
    MockResponse, OutboundCall, Outcome, Phase, PolicyKind, Progress, Services,
};

pub use config::{AwsLambdaConfig, InvocationType, LogType};

use crate::half::Half;
use crate::outbound::absolute;
use crate::variables::{Variable, Variables};
use signature::{Signer, encode};

/// Key of the failure when the function failed or did not answer.
pub const INVALID_RESPONSE: &str = "AWS_LAMBDA_INVALID_RESPONSE";

/// Key of the failure when the service refused the call.
pub const INVALID_STATUS_CODE: &str = "AWS_LAMBDA_INVALID_STATUS_CODE";

/// Key of the failure when a variable cannot be evaluated.
pub const VARIABLE_EXCEPTION: &str = "AWS_LAMBDA_TEMPLATE_VARIABLE_EXCEPTION";

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");

/// Longest answer of a function: the service's own limit of a synchronous call.
const ANSWER_BYTES_MAX: u64 = 6 * 1024 * 1024;

/// Longest wait for a function. They may run longer, but no client waits for it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The kind of policy.
#[derive(Debug)]
pub struct AwsLambda;

impl PolicyKind for AwsLambda {
    const NAME: &'static str = "aws-lambda";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = AwsLambdaConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let mut needs = Needs::NONE;
        let mut template = |path: &str, source: Option<&str>| {
            let template = ConfigError::template(path, source.unwrap_or_default())?;
            needs |= template.needs();
            Ok::<_, ConfigError>(template)
        };
        if config.function.trim().is_empty() {
            return Err(ConfigError::new("function", "\"\"", "a name or an ARN"));
        }
        let function = template("function", Some(config.function.trim()))?;
        let access_key = template("accessKey", config.access_key.as_deref())?;
        let secret_key = template("secretKey", config.secret_key.as_deref())?;
        let payload = match config.payload.as_deref() {
            None | Some("") => None,
            source => Some(template("payload", source)?),
        };
        let (variables, needs_of_variables) = Variables::compile(&config.variables, "variables")?;
        needs |= needs_of_variables;
        let region = region(config.region.as_deref())?;
        let policy = Lambda {
            base: base(config.endpoint.as_deref(), &region)?,
            region,
            access_key,
            secret_key,
            function,
            qualifier: config
                .qualifier
                .filter(|qualifier| !qualifier.trim().is_empty()),
            invocation: match config.invocation_type {
                InvocationType::RequestResponse => "RequestResponse",
                InvocationType::Event => "Event",
                InvocationType::DryRun => "DryRun",
            },
            log: match config.log_type {
                LogType::None => "None",
                LogType::Tail => "Tail",
            },
            payload,
            variables,
            answers_client: config.send_to_consumer,
            options: Arc::new(CallOptions {
                timeout: TIMEOUT,
                response_bytes_max: ANSWER_BYTES_MAX,
                ..CallOptions::default()
            }),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        let is_blank =
            |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        if !is_blank(&config.role_arn) {
            let expected = "nothing: use the keys of a user that may call the function";
            return Some(ConfigError::new("roleArn", "a role to assume", expected));
        }
        let members = [
            ("accessKey", &config.access_key),
            ("secretKey", &config.secret_key),
        ];
        let (path, _) = members.into_iter().find(|(_, key)| is_blank(key))?;
        let expected = "a key: the edge has no AWS credentials of its own";
        Some(ConfigError::new(path, "nothing", expected))
    }
}

fn region(region: Option<&str>) -> Result<String, ConfigError> {
    let region = region.map(str::trim).filter(|region| !region.is_empty());
    let region = region.unwrap_or("us-east-1");
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.len() <= 64 && region.bytes().all(is_name) {
        return Ok(region.to_owned());
    }
    Err(ConfigError::new(
        "region",
        region,
        "the name of an AWS region",
    ))
}

fn base(endpoint: Option<&str>, region: &str) -> Result<String, ConfigError> {
    let endpoint = endpoint
        .map(str::trim)
        .filter(|endpoint| !endpoint.is_empty());
    let Some(endpoint) = endpoint else {
        return Ok(format!("https://lambda.{region}.amazonaws.com"));
    };
    match absolute(endpoint) {
        Ok(_) => Ok(endpoint.trim_end_matches('/').to_owned()),
        Err(reason) => Err(ConfigError::new("endpoint", reason, "an absolute URL")),
    }
}

struct Lambda {
    base: String,
    region: String,
    access_key: Template,
    secret_key: Template,
    function: Template,
    qualifier: Option<String>,
    invocation: &'static str,
    log: &'static str,
    payload: Option<Template>,
    variables: Variables,
    answers_client: bool,
    options: Arc<CallOptions>,
}

impl AsyncPolicy for Lambda {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(Half::Request, exchange, services)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(Half::Response, exchange, services)
    }
}

impl Lambda {
    fn run<'a>(
        &'a self,
        half: Half,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let call = match self.call(exchange, services.ambient.now_ms()) {
            Ok(call) => call,
            Err(cause) => return Progress::Done(invalid_response(cause)),
        };
        Progress::waiting(async move {
            match services.http.send(call).await {
                Ok(response) => self.answered(half, exchange, response),
                Err(error) => invalid_response(error),
            }
        })
    }

    /// Makes the signed call (Lambda API, `Invoke`).
    fn call(&self, exchange: &Exchange, now_ms: u64) -> Result<OutboundCall, String> {
        let text = |template: &Template, name: &str| {
            let text = template.evaluate_text(exchange);
            let text = text.map_err(|error| format!("{name}: {error}"))?;
            Ok::<_, String>(text.unwrap_or_default().into_owned())
        };
        let payload = match &self.payload {
            None => Bytes::new(),
            Some(payload) => Bytes::from(text(payload, "payload")?),
        };
        let mut request = Request::new(payload);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri(&text(&self.function, "function")?)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(INVOCATION_TYPE, HeaderValue::from_static(self.invocation));
        headers.insert(LOG_TYPE, HeaderValue::from_static(self.log));
        let signer = Signer {
            access_key: &text(&self.access_key, "accessKey")?,
            secret_key: &text(&self.secret_key, "secretKey")?,
            region: &self.region,
            service: "lambda",
        };
        signer
            .sign(&mut request, now_ms)
            .ok_or("the request cannot be signed")?;
        Ok(OutboundCall {
            request,
            options: Arc::clone(&self.options),
        })
    }

    fn uri(&self, function: &str) -> Result<Uri, String> {
        let mut url = format!("{}/2015-03-31/functions/", self.base);
        encode(function, "", &mut url);
        url.push_str("/invocations");
        if let Some(qualifier) = &self.qualifier {
            url.push_str("?Qualifier=");
            encode(qualifier, "", &mut url);
        }
        absolute(&url)
    }

    fn answered(
        &self,
        half: Half,
        exchange: &mut Exchange,
        response: http::Response<Bytes>,
    ) -> Outcome {
        if response.headers().contains_key(FUNCTION_ERROR) {
            return invalid_response("the function failed");
        }
        if !response.status().is_success() {
            return Outcome::fail(
                Failure::new(StatusCode::BAD_REQUEST)
                    .with_key(INVALID_STATUS_CODE)
                    .with_message(Text::constant(
                        "Invalid status code from lambda function response.",
                    ))
                    .with_cause(response.status()),
            );
        }
        if !self.variables.is_empty() {
            let variable = Variable::response("lambdaResponse", &response);
            if let Err(cause) = self.variables.set(exchange, &variable) {
                return Outcome::fail(
                    Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                        .with_key(VARIABLE_EXCEPTION)
                        .with_message(Text::constant(
                            "An error occurs while processing context variables.",
                        ))
                        .with_cause(cause),
                );
            }
        }
        if self.answers_client {
            answer(half, exchange, response);
        }
        Outcome::Continue
    }
}

/// Puts the function's answer in the endpoint's place.
fn answer(half: Half, exchange: &mut Exchange, response: http::Response<Bytes>) {
    let (parts, content) = response.into_parts();
    match half {
        Half::Request => {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, content_type.clone());
            }
            exchange.invoker = Invoker::Mock(Box::new(MockResponse {
                status: parts.status,
                headers,
                content,
            }));
        }
        Half::Response => {
            exchange.response.status = parts.status;
            half.replace_body(exchange, content);
        }
    }
}

fn invalid_response(cause: impl std::fmt::Display) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(INVALID_RESPONSE)
            .with_message(Text::constant(
                "An error occurs while invoking lambda function.",
            ))
            .with_cause(cause),
    )
}
