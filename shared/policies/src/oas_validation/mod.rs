//! `oas-validation`: checks requests and responses against an OpenAPI description.

mod check;
mod config;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::json;
use tidegate_expression::Text;
use tidegate_policy::{
    AsyncPolicy, CallOptions, CompileContext, Compiled, ConfigError, Exchange, Failure, Needs,
    OutboundCall, Outcome, Phase, PolicyKind, Progress, Services,
};

pub use config::{OasValidationConfig, ParameterKind, ValidationOptions};

use crate::half::Half;
use crate::outbound::absolute;
use check::Findings;
use spec::Spec;

/// Key of the failure when a request or a response does not fit.
pub const INVALID: &str = "OAS_VALIDATION_ERROR";

/// Key of the failure when the API has no such resource.
pub const NO_RESOURCE: &str = "NO_OAS_RESOURCE";

/// Key of the failure when the description cannot be fetched.
pub const NOT_PROVIDED: &str = "NO_OAS_PROVIDED";

/// Key of the failure when the description cannot be used.
pub const NOT_LOADED: &str = "UNABLE_TO_LOAD_OAS_KEY";

/// The kind of policy.
#[derive(Debug)]
pub struct OasValidation;

impl PolicyKind for OasValidation {
    const NAME: &'static str = "oas-validation";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = OasValidationConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let options = &config.validation_options;
        let needs = Needs {
            request_content: ctx.phase == Phase::Request && options.validate_request_body,
            response_content: ctx.phase == Phase::Response && options.validate_response_body,
        };
        let policy = Validation {
            source: Source::compile(&config)?,
            base_path: config
                .base_path
                .as_deref()
                .map(|path| path.trim().trim_end_matches('/').to_owned())
                .filter(|path| !path.is_empty()),
            options: config.validation_options,
        };
        Ok(Compiled::asynchronous(policy, needs))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        config
            .validation_options
            .validate_request_security
            .then(|| {
                let expected =
                    "false: plans decide who may call (security schemes are not checked)";
                ConfigError::new(
                    "validationOptions.validateRequestSecurity",
                    "true",
                    expected,
                )
            })
    }
}

#[derive(Debug)]
struct Validation {
    source: Source,
    base_path: Option<String>,
    options: ValidationOptions,
}

/// Where the description comes from.
#[derive(Debug)]
enum Source {
    Inline(Arc<Spec>),
    /// Fetched from elsewhere, kept with the bytes it was compiled from.
    Fetched {
        origin: Origin,
        last: Mutex<Option<(Bytes, Arc<Spec>)>>,
    },
}

#[derive(Debug)]
enum Origin {
    Url(Uri),
    Resource(String),
}

impl Source {
    fn compile(config: &OasValidationConfig) -> Result<Self, ConfigError> {
        let members = [
            ("sourceJson", &config.source_json),
            ("sourceYaml", &config.source_yaml),
            ("sourceUrl", &config.source_url),
            ("resourceName", &config.resource_name),
        ];
        let given = members
            .into_iter()
            .filter_map(|(name, text)| Some((name, text.as_deref()?)))
            .find(|(_, text)| !text.trim().is_empty());
        let fetched = |origin| {
            Ok(Self::Fetched {
                origin,
                last: Mutex::default(),
            })
        };
        match given {
            Some(("sourceUrl", url)) => match absolute(url.trim()) {
                Ok(url) => fetched(Origin::Url(url)),
                Err(reason) => Err(ConfigError::new("sourceUrl", reason, "an absolute URL")),
            },
            Some(("resourceName", name)) => fetched(Origin::Resource(name.trim().to_owned())),
            Some((name, text)) => match Spec::compile(text.as_bytes()) {
                Ok(spec) => Ok(Self::Inline(Arc::new(spec))),
                Err(reason) => Err(ConfigError::new(name, reason, "an OpenAPI 3 description")),
            },
            None => {
                let expected = "one of sourceJson, sourceYaml, sourceUrl and resourceName";
                Err(ConfigError::new("", "no description", expected))
            }
        }
    }
}

impl AsyncPolicy for Validation {
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

impl Validation {
    fn run<'a>(
        &'a self,
        half: Half,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match &self.source {
            Source::Inline(spec) => Progress::Done(self.check(half, exchange, spec)),
            Source::Fetched { origin, last } => Progress::waiting(async move {
                match origin.spec(last, exchange, services).await {
                    Ok(spec) => self.check(half, exchange, &spec),
                    Err((key, cause)) => Outcome::fail(
                        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                            .with_key(key)
                            .with_message(Text::constant("Internal Server Error"))
                            .with_cause(cause),
                    ),
                }
            }),
        }
    }

    fn check(&self, half: Half, exchange: &Exchange, spec: &Spec) -> Outcome {
        let options = &self.options;
        let path = self.path(exchange);
        let method = exchange.request.method.as_str();
        let found = spec.find(method, path, options.strict_operation_path_matching);
        let findings = match (&found, half) {
            (Some(found), Half::Request) => check::request(exchange, found, options),
            (Some(found), Half::Response) => check::response(exchange, found, options),
            (None, Half::Request) if options.validate_request_path_and_method => {
                Findings(vec![format!("{method} {path}: not described")])
            }
            (None, _) => Findings::default(),
        };
        if findings.0.is_empty() {
            return Outcome::Continue;
        }
        if options.log_instead_of_throw_error {
            let findings = findings.0.join("; ");
            tracing::warn!(findings, "exchange does not fit its OpenAPI description");
            return Outcome::Continue;
        }
        Outcome::fail(self.failure(half, &findings))
    }

    /// The path below the API's context path, without the base path.
    fn path<'e>(&self, exchange: &'e Exchange) -> &'e str {
        let info = exchange.request.path.info();
        let Some(base) = &self.base_path else {
            return info;
        };
        [exchange.request.path.raw(), info]
            .into_iter()
            .find_map(|path| {
                let rest = path.strip_prefix(base.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some(rest)
            })
            .unwrap_or(info)
    }

    fn failure(&self, half: Half, findings: &Findings) -> Failure {
        let (status, message) = match half {
            Half::Request => (
                StatusCode::BAD_REQUEST,
                "Request does not match the OpenAPI Specification",
            ),
            Half::Response => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Response does not match the OpenAPI Specification",
            ),
        };
        let mut failure = Failure::new(status)
            .with_key(INVALID)
            .with_cause(findings.0.join("; "));
        if half == Half::Request && self.options.return_detailed_error_report {
            let report = json!({"message": message, "errors": findings.0});
            failure.content_type = Some(Text::constant("application/json"));
            failure.with_message(report.to_string())
        } else {
            failure.with_message(Text::constant(message))
        }
    }
}

impl Origin {
    /// Fetches the description and compiles it, unless it is the one that was compiled last. That of a URL is
    /// fetched once.
    async fn spec(
        &self,
        last: &Mutex<Option<(Bytes, Arc<Spec>)>>,
        exchange: &Exchange,
        services: &Services,
    ) -> Result<Arc<Spec>, (&'static str, String)> {
        let bytes = match self {
            Self::Resource(name) => {
                let provider = exchange.api.resources.content(name);
                let provider = provider.map_err(|error| (NO_RESOURCE, error.to_string()))?;
                let bytes = provider.fetch("", services).await;
                bytes.map_err(|error| (NOT_PROVIDED, error.to_string()))?
            }
            Self::Url(url) => {
                if let Some((_, spec)) = &*last.lock() {
                    return Ok(Arc::clone(spec));
                }
                let mut request = Request::new(Bytes::new());
                request.uri_mut().clone_from(url);
                let call = OutboundCall {
                    request,
                    options: Arc::new(CallOptions {
                        redirects_max: 3,
                        ..CallOptions::default()
                    }),
                };
                let response = services.http.send(call).await;
                let response = response.map_err(|error| (NOT_PROVIDED, error.to_string()))?;
                if !response.status().is_success() {
                    return Err((NOT_PROVIDED, format!("status {}", response.status())));
                }
                response.into_body()
            }
        };
        if let Some((known, spec)) = &*last.lock()
            && *known == bytes
        {
            return Ok(Arc::clone(spec));
        }
        let spec = Spec::compile(&bytes).map_err(|reason| (NOT_LOADED, reason))?;
        let spec = Arc::new(spec);
        *last.lock() = Some((bytes, Arc::clone(&spec)));
        Ok(spec)
    }
}
