//! `cache`: answers from a cache resource instead of calling the endpoint again.

mod config;
mod freshness;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use tidegate_expression::{Condition, Template, Text};
use tidegate_policy::{
    AsyncPolicy, BoxFuture, Cache as CacheResource, CompileContext, Compiled, ConfigError,
    Exchange, Failure, Interceptor, Invocation, Outcome, Phase, PolicyKind, Progress, Services,
};

pub use config::{CacheConfig, CacheScope};

use crate::variables::Variable;
use freshness::{Freshness, freshness};

const ACTION_HEADER: HeaderName = HeaderName::from_static("x-gravitee-cache");
const ACTION_PARAMETER: &str = "cache";
const TIME_TO_LIVE_SECONDS: u64 = 600;

/// Longest key in bytes; a longer one is not looked up.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// The kind of policy.
#[derive(Debug)]
pub struct Cache;

impl PolicyKind for Cache {
    const NAME: &'static str = "cache";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = CacheConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let name = config.cache_name.as_deref().unwrap_or_default();
        let resource = ConfigError::template("cacheName", name)?;
        let key = config
            .key
            .as_deref()
            .filter(|key| !key.is_empty())
            .map(|key| ConfigError::template("key", key))
            .transpose()?;
        let condition = config
            .response_condition
            .as_deref()
            .filter(|condition| !condition.trim().is_empty())
            .map(|condition| ConfigError::condition("responseCondition", condition))
            .transpose()?;
        let mut needs = resource.needs();
        if let Some(key) = &key {
            needs |= key.needs();
        }
        if let Some(condition) = &condition {
            needs |= condition.needs();
        }
        // The interceptor reads the response itself, and only if it has to.
        needs.response_content = false;
        let seconds = config.time_to_live_seconds;
        let seconds = seconds.map_or(TIME_TO_LIVE_SECONDS, |seconds| seconds.0);
        let step = Step {
            resource,
            key,
            methods: methods(config.methods.as_deref())?,
            is_per_application: config.scope == CacheScope::Application,
            storage: Arc::new(Storage {
                condition,
                time_to_live: Duration::from_secs(seconds),
                heeds_headers: config.use_response_cache_headers,
            }),
        };
        Ok(Compiled::asynchronous(step, needs))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        let name = config.cache_name.as_deref().unwrap_or_default();
        let is_blank = name.trim().is_empty();
        is_blank.then(|| ConfigError::new("cacheName", "nothing", "the name of a cache resource"))
    }
}

fn methods(names: Option<&[String]>) -> Result<Box<[Method]>, ConfigError> {
    let Some(names) = names else {
        return Ok([Method::GET, Method::OPTIONS, Method::HEAD].into());
    };
    let methods = names.iter().enumerate().map(|(index, name)| {
        let method = Method::from_bytes(name.trim().to_ascii_uppercase().as_bytes());
        method
            .map_err(|_error| ConfigError::new(format!("methods[{index}]"), name, "an HTTP method"))
    });
    methods.collect()
}

#[derive(Debug)]
struct Step {
    resource: Template,
    key: Option<Template>,
    methods: Box<[Method]>,
    is_per_application: bool,
    storage: Arc<Storage>,
}

/// Which responses are kept and how long.
#[derive(Debug)]
struct Storage {
    condition: Option<Condition>,
    time_to_live: Duration,
    heeds_headers: bool,
}

/// What the client asks of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    ByPass,
    Refresh,
}

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        _services: &'a Services,
    ) -> Progress<'a> {
        let action = take_action(exchange);
        if action == Some(Action::ByPass) || !self.methods.contains(&exchange.request.method) {
            return Progress::CONTINUE;
        }
        match self.lookup(exchange, action == Some(Action::Refresh)) {
            Ok(Some(lookup)) => {
                exchange.interceptors.push(Arc::new(lookup));
                Progress::CONTINUE
            }
            Ok(None) => Progress::CONTINUE,
            Err(cause) => Progress::Done(Outcome::fail(
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                    .with_message(Text::constant("No cache has been defined"))
                    .with_cause(cause),
            )),
        }
    }
}

/// Takes what the client asks of the cache out of the request: the endpoint never sees it.
fn take_action(exchange: &mut Exchange) -> Option<Action> {
    let request = &mut exchange.request;
    let from_header = request.headers.remove(ACTION_HEADER);
    let header = from_header
        .as_ref()
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty());
    let action = match header {
        Some(text) => action(text),
        None => request.query.first(ACTION_PARAMETER).and_then(action),
    };
    if header.is_none() {
        request.query.remove(ACTION_PARAMETER);
    }
    action
}

fn action(text: &str) -> Option<Action> {
    match text {
        text if text.eq_ignore_ascii_case("BY_PASS") => Some(Action::ByPass),
        text if text.eq_ignore_ascii_case("REFRESH") => Some(Action::Refresh),
        _ => None,
    }
}

impl Step {
    fn lookup(&self, exchange: &Exchange, is_refresh: bool) -> Result<Option<Lookup>, String> {
        let name = self
            .resource
            .evaluate_text(exchange)
            .map_err(|error| format!("cacheName: {error}"))?
            .unwrap_or_default();
        let cache = exchange.api.resources.cache(name.trim());
        let cache = Arc::clone(cache.map_err(|error| error.to_string())?);
        let key = self.key(exchange)?;
        Ok((key.len() <= KEY_BYTES_MAX).then(|| Lookup {
            cache,
            key,
            is_refresh,
            storage: Arc::clone(&self.storage),
        }))
    }

    fn key(&self, exchange: &Exchange) -> Result<String, String> {
        let request = &exchange.request;
        let own = match &self.key {
            None => None,
            Some(key) => key
                .evaluate_text(exchange)
                .map_err(|error| format!("key: {error}"))?,
        };
        let application = exchange
            .subscription
            .as_ref()
            .filter(|_| self.is_per_application)
            .map_or("", |subscription| subscription.application.as_str());
        let mut key = format!(
            "{}_{application}_{}_{}",
            exchange.api.id,
            request.method,
            request.path.raw()
        );
        if let Some(query) = request.query.to_text() {
            // Writing to text cannot fail.
            let _ = write!(key, "?{query}");
        }
        if let Some(own) = own {
            let _ = write!(key, "_{own}");
        }
        Ok(key)
    }
}

/// One exchange with its key.
#[derive(Debug)]
struct Lookup {
    cache: Arc<dyn CacheResource>,
    key: String,
    is_refresh: bool,
    storage: Arc<Storage>,
}

impl Interceptor for Lookup {
    fn around<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        inner: &'a mut dyn Invocation,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        Box::pin(async move {
            if !self.is_refresh && self.answer(exchange, services).await {
                return Ok(());
            }
            // What request steps put on the response is theirs, not the endpoint's.
            let own = std::mem::take(&mut exchange.response.headers);
            let result = inner.call(exchange).await;
            let result = match result {
                Ok(()) => self.keep(exchange, services, inner).await,
                Err(failure) => Err(failure),
            };
            join(&mut exchange.response.headers, own.into_map());
            result
        })
    }
}

impl Lookup {
    /// Answers with a response that was kept; tells whether there was one.
    async fn answer(&self, exchange: &mut Exchange, services: &Services) -> bool {
        let found = match self.cache.get(&self.key, services).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "cache not asked");
                None
            }
        };
        let Some(stored) = found.as_ref().and_then(stored::decode) else {
            return false;
        };
        let response = &mut exchange.response;
        response.status = stored.status;
        let own = std::mem::replace(&mut response.headers, stored.headers.into());
        join(&mut response.headers, own.into_map());
        // The response to a HEAD has a length and no body.
        if !stored.body.is_empty() {
            response.content.set(stored.body);
        }
        true
    }

    /// Keeps the endpoint's response if it may be.
    async fn keep(
        &self,
        exchange: &mut Exchange,
        services: &Services,
        inner: &mut dyn Invocation,
    ) -> Result<(), Box<Failure>> {
        let storage = &self.storage;
        let Some(time_to_live) = storage.time_to_live(exchange) else {
            return Ok(());
        };
        inner.read_response(exchange).await?;
        if !storage.is_wanted(exchange) {
            return Ok(());
        }
        let response = &exchange.response;
        let body = response.content.bytes().map_or(&[][..], |body| body);
        let Some(value) = stored::encode(response.status, &response.headers, body) else {
            return Ok(());
        };
        let kept = self
            .cache
            .put(&self.key, value, Some(time_to_live), services);
        if let Err(error) = kept.await {
            tracing::debug!(%error, "response not kept");
        }
        Ok(())
    }
}

impl Storage {
    /// How long the response may be kept by what its head says, or `None` if it may not.
    fn time_to_live(&self, exchange: &Exchange) -> Option<Duration> {
        let response = &exchange.response;
        if self.condition.is_none() && !response.status.is_success()
            || response.status.is_informational()
            || is_too_long(&response.headers)
        {
            return None;
        }
        if !self.heeds_headers {
            return Some(self.time_to_live);
        }
        match freshness(&response.headers, exchange.request.timestamp_ms) {
            Freshness::Never => None,
            Freshness::Unsaid => Some(self.time_to_live),
            Freshness::For(said) => Some(said.min(self.time_to_live)),
        }
    }

    fn is_wanted(&self, exchange: &Exchange) -> bool {
        let Some(condition) = &self.condition else {
            return true;
        };
        let mut response = http::Response::new(
            exchange
                .response
                .content
                .bytes()
                .cloned()
                .unwrap_or_else(Bytes::new),
        );
        *response.status_mut() = exchange.response.status;
        *response.headers_mut() = HeaderMap::clone(&exchange.response.headers);
        let variable = Variable::response("upstreamResponse", &response);
        condition.holds(&variable.beside(exchange))
    }
}

fn is_too_long(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length > stored::BODY_BYTES_MAX)
}

fn join(headers: &mut HeaderMap, own: HeaderMap) {
    let mut last = None;
    for (name, value) in own {
        last = name.or(last);
        if let Some(name) = &last {
            headers.append(name, value);
        }
    }
}
