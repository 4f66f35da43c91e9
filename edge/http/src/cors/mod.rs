//! Cross-origin rules of an API: what a browser asks before a request, and what it reads on the answer.
//! Source: `gravitee-v4.md` §3.7.

mod origins;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};
use tidegate_expression::Text;
use tidegate_model::api::Cors as CorsRules;
use tidegate_policy::{Exchange, Failure, PlanFacts, SubscriptionFacts};

use self::origins::Origins;

/// Error key of a preflight request that is not allowed, for response templates.
const PREFLIGHT_FAILED: &str = "CORS_PREFLIGHT_FAILED";

/// Stands for every origin, method or header.
const ANY: &str = "*";

/// Plan and application of a request that no plan was asked for.
const NOBODY: Text = Text::constant("1");

const TRUE: HeaderValue = HeaderValue::from_static("true");
const ORIGIN_VARIES: HeaderValue = HeaderValue::from_static("Origin");

/// Compiled cross-origin rules.
#[derive(Debug)]
pub struct Cors {
    origins: Origins,
    methods: Box<[String]>,
    /// Lower case; empty allows every header.
    headers: Box<[String]>,
    allow_methods: Option<HeaderValue>,
    allow_headers: Option<HeaderValue>,
    expose_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    allow_credentials: bool,
    run_policies: bool,
}

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CorsError {
    /// An origin with expression syntax is no regular expression.
    #[error("expected an origin or a regular expression")]
    Origin(#[source] Box<regex::Error>),
    /// A header or method name has characters that no header field can carry.
    #[error("expected names of headers or methods")]
    Name,
}

/// What a request is to the rules.
#[derive(Debug)]
pub(crate) enum CorsRequest {
    /// The question of a browser whether it may send a request.
    Preflight,
    /// Everything else, with its origin if that is allowed.
    Simple(Option<HeaderValue>),
}

impl Cors {
    /// Compiles the rules of a listener.
    ///
    /// # Errors
    /// The first unusable rule with the member it stands in.
    pub fn compile(rules: &CorsRules) -> Result<Self, (String, CorsError)> {
        let lowered =
            |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self {
            origins: Origins::compile(&rules.allow_origin).map_err(|(index, error)| {
                let error = CorsError::Origin(Box::new(error));
                (format!("allowOrigin[{index}]"), error)
            })?,
            methods: rules.allow_methods.clone().into(),
            headers: lowered(&rules.allow_headers),
            allow_methods: joined("allowMethods", &rules.allow_methods)?,
            allow_headers: joined("allowHeaders", &rules.allow_headers)?,
            expose_headers: joined("exposeHeaders", &rules.expose_headers)?,
            max_age: rules.max_age_seconds.map(HeaderValue::from),
            allow_credentials: rules.allow_credentials,
            run_policies: rules.run_policies,
        })
    }

    /// Whether an allowed preflight request runs through the API's flows.
    #[must_use]
    pub fn runs_policies(&self) -> bool {
        self.run_policies
    }

    /// Tells what a request is. Call it before its headers are changed.
    pub(crate) fn classify(&self, method: &Method, headers: &HeaderMap) -> CorsRequest {
        let origin = headers.get(ORIGIN);
        if *method == Method::OPTIONS
            && origin.is_some()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return CorsRequest::Preflight;
        }
        let is_allowed = |origin: &&HeaderValue| self.allows_origin(origin);
        CorsRequest::Simple(origin.filter(is_allowed).cloned())
    }

    /// Answers a preflight request: the fields that allow what it asks for.
    ///
    /// # Errors
    /// The failure for the client if origin, method or a header is not allowed.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> Result<HeaderMap, Box<Failure>> {
        let origin = request
            .get(ORIGIN)
            .filter(|origin| self.allows_origin(origin));
        let Some(origin) =
            origin.filter(|_| self.allows_method(request) && self.allows_headers(request))
        else {
            let failure = Failure::new(StatusCode::BAD_REQUEST);
            return Err(Box::new(failure.with_key(PREFLIGHT_FAILED)));
        };
        let mut answer = HeaderMap::with_capacity(6);
        self.write_origin(&mut answer, origin.clone());
        let fields = [
            (ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods),
            (ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers),
            (ACCESS_CONTROL_MAX_AGE, &self.max_age),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                answer.insert(name, value.clone());
            }
        }
        vary(&mut answer);
        Ok(answer)
    }

    /// Makes the answer to another request say what these rules say, whatever the endpoint said.
    pub(crate) fn finish(&self, origin: Option<HeaderValue>, response: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            response.remove(name);
        }
        if let Some(origin) = origin {
            self.write_origin(response, origin);
            if let Some(names) = &self.expose_headers {
                response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
            }
        }
        vary(response);
    }

    fn write_origin(&self, response: &mut HeaderMap, origin: HeaderValue) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.allow_credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
    }

    fn allows_origin(&self, origin: &HeaderValue) -> bool {
        origin
            .to_str()
            .is_ok_and(|origin| self.origins.allow(origin))
    }

    fn allows_method(&self, request: &HeaderMap) -> bool {
        let wanted = request.get(ACCESS_CONTROL_REQUEST_METHOD);
        let Some(wanted) = wanted.and_then(|wanted| wanted.to_str().ok()) else {
            return false;
        };
        let wanted = wanted.trim();
        self.methods
            .iter()
            .any(|allowed| allowed == ANY || allowed == wanted)
    }

    fn allows_headers(&self, request: &HeaderMap) -> bool {
        if self.headers.is_empty() || self.headers.iter().any(|allowed| allowed == ANY) {
            return true;
        }
        let lines = request.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
        lines.iter().all(|line| {
            let Ok(line) = line.to_str() else {
                return false;
            };
            let names = line
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            names.into_iter().all(|name| {
                let is_known = |allowed: &String| allowed.eq_ignore_ascii_case(name);
                self.headers.iter().any(is_known)
            })
        })
    }
}

/// Notes that no plan was asked: a browser sends no credentials with its question. Plan and
/// application are `1` then.
pub(crate) fn take_without_security(exchange: &mut Exchange) {
    exchange.plan = Some(Arc::new(PlanFacts {
        id: NOBODY,
        name: NOBODY,
    }));
    exchange.subscription = Some(Arc::new(SubscriptionFacts {
        id: exchange.request.remote_address.to_string().into(),
        application: NOBODY,
        client_id: None,
        metadata: BTreeMap::new(),
    }));
}

/// Tells caches that the answer depends on the origin.
fn vary(response: &mut HeaderMap) {
    let mut known = response.get_all(VARY).iter();
    let is_told = known.any(|value| {
        value.to_str().is_ok_and(|value| {
            let mut names = value.split(',').map(str::trim);
            names.any(|name| name == ANY || name.eq_ignore_ascii_case("origin"))
        })
    });
    if !is_told {
        response.append(VARY, ORIGIN_VARIES);
    }
}

fn joined(member: &str, names: &[String]) -> Result<Option<HeaderValue>, (String, CorsError)> {
    if names.is_empty() {
        return Ok(None);
    }
    let is_name = |name: &String| name == ANY || HeaderName::try_from(name.as_str()).is_ok();
    if let Some(index) = names.iter().position(|name| !is_name(name)) {
        return Err((format!("{member}[{index}]"), CorsError::Name));
    }
    let value = HeaderValue::try_from(names.join(", "));
    value
        .map(Some)
        .map_err(|_invalid| (member.to_owned(), CorsError::Name))
}
