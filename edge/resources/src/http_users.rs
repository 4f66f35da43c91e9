//! `auth-provider-http-resource`: a service that knows users.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use tidegate_expression::{
    Ambient, Condition, Lookup, Scope, Segment, Template, Text, Value, ValueMap,
};
use tidegate_policies::resources::{CallMethod, HttpUsersConfig};
use tidegate_policy::{
    AuthenticationProvider, BoxFuture, CallOptions, ConfigError, Identity, OutboundCall,
    ResourceError, Services,
};

use crate::directory::is_worth_asking;

const DEFAULT_CONDITION: &str = "{#authResponse.status == 200}";

/// One service.
#[derive(Debug)]
pub(crate) struct HttpUsers {
    method: Method,
    url: Uri,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Template>,
    condition: Condition,
    options: Arc<CallOptions>,
}

impl HttpUsers {
    pub(crate) fn new(config: &HttpUsersConfig) -> Result<Self, ConfigError> {
        let url = config.url.trim();
        let headers = config.headers.iter().enumerate().map(|(index, header)| {
            let path = format!("headers[{index}]");
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_invalid| {
                let value = format!("{:?}", header.name);
                ConfigError::new(format!("{path}.name"), value, "a header name")
            })?;
            let value = ConfigError::template(format!("{path}.value"), &header.value)?;
            Ok((name, value))
        });
        let condition = config.condition.as_deref().unwrap_or(DEFAULT_CONDITION);
        Ok(Self {
            method: match config.method.unwrap_or(CallMethod::Post) {
                CallMethod::Get => Method::GET,
                CallMethod::Post => Method::POST,
                CallMethod::Put => Method::PUT,
            },
            url: url.parse().map_err(|_invalid| {
                ConfigError::new("url", format!("{url:?}"), "an absolute URL")
            })?,
            headers: headers.collect::<Result<_, ConfigError>>()?,
            body: config
                .body
                .as_deref()
                .map(|body| ConfigError::template("body", body))
                .transpose()?,
            condition: ConfigError::condition("condition", condition)?,
            options: Arc::default(),
        })
    }

    fn request(&self, question: &Question<'_>) -> Result<Request<Bytes>, ResourceError> {
        let odd = |error: &dyn std::fmt::Display| ResourceError::Unexpected(error.to_string());
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.clone();
        for (name, template) in &self.headers {
            let value = template
                .evaluate_text(question)
                .map_err(|error| odd(&error))?;
            let value = HeaderValue::from_str(&value.unwrap_or_default());
            let value = value.map_err(|error| odd(&error))?;
            request.headers_mut().insert(name.clone(), value);
        }
        if !request.headers().contains_key(AUTHORIZATION) {
            let basic = STANDARD.encode(format!("{}:{}", question.user, question.password));
            let value = HeaderValue::from_str(&format!("Basic {basic}"));
            let mut value = value.map_err(|error| odd(&error))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if let Some(body) = &self.body {
            let body = body.evaluate_text(question).map_err(|error| odd(&error))?;
            *request.body_mut() = Bytes::from(body.unwrap_or_default().into_owned());
        }
        Ok(request)
    }
}

impl AuthenticationProvider for HttpUsers {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>> {
        Box::pin(async move {
            if !is_worth_asking(user, password) {
                return Ok(None);
            }
            let mut question = Question {
                user,
                password,
                answer: None,
                ambient: &*services.ambient,
            };
            let call = OutboundCall {
                request: self.request(&question)?,
                options: Arc::clone(&self.options),
            };
            let answer = services.http.send(call).await;
            let answer = answer.map_err(|error| ResourceError::Unavailable(error.to_string()))?;
            question.answer = Some(value_of(&answer));
            Ok(self.condition.holds(&question).then(|| Identity {
                user: user.to_owned(),
                attributes: BTreeMap::new(),
            }))
        })
    }
}

/// What expressions see.
#[derive(Debug)]
struct Question<'a> {
    user: &'a str,
    password: &'a str,
    answer: Option<Value>,
    ambient: &'a dyn Ambient,
}

impl Scope for Question<'_> {
    fn lookup(&self, variable: &str, _path: &[Segment]) -> Lookup {
        match (variable, &self.answer) {
            ("username", _) => Lookup::found(self.user, 0),
            ("password", _) => Lookup::found(self.password, 0),
            ("authResponse", Some(answer)) => Lookup::found(answer.clone(), 0),
            _ => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        self.ambient
    }
}

fn value_of(answer: &Response<Bytes>) -> Value {
    let mut headers = ValueMap::ignoring_case();
    for name in answer.headers().keys() {
        let values = answer.headers().get_all(name).iter();
        let values = values.map(|value| Value::from(value.to_str().unwrap_or_default()));
        headers.insert(name.as_str(), Value::list(values));
    }
    let content = String::from_utf8_lossy(answer.body()).into_owned();
    let mut value = ValueMap::new();
    value.insert("status", answer.status().as_u16());
    value.insert("headers", headers);
    value.insert("content", Text::from(content));
    value.into()
}
