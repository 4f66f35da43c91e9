//! `data-cache`: reads, keeps or forgets one value of a cache resource.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tidegate_expression::{Template, Text, Value};
use tidegate_policy::{
    AsyncPolicy, Cache, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{DataCacheConfig, Operation};

/// Key of the failure when the cache does not answer.
pub const NO_CACHE: &str = "NO_CACHE";

/// Key of the failure when the API has no such cache.
pub const NO_CACHE_RESOURCE: &str = "NO_CACHE_RESOURCE";

const OPERATION_ATTRIBUTE: &str = "gravitee.attributes.policy.cache.operation";
const TIME_TO_LIVE_ATTRIBUTE: &str = "gravitee.attributes.policy.cache.ttl";
const VALUE_ATTRIBUTE: &str = "gravitee.policy.data-cache.value";
const MISS_ATTRIBUTE: &str = "gravitee.policy.data-cache.cache-miss";
const TIME_TO_LIVE_SECONDS: u64 = 3600;

/// Longest key in bytes.
const KEY_BYTES_MAX: usize = 4096;

/// The kind of policy.
#[derive(Debug)]
pub struct DataCache;

impl PolicyKind for DataCache {
    const NAME: &'static str = "data-cache";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = DataCacheConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        for (member, text) in [
            ("resource", &config.resource),
            ("cacheKey", &config.cache_key),
        ] {
            if text.trim().is_empty() {
                return Err(ConfigError::new(member, "\"\"", "a name"));
            }
        }
        let resource = ConfigError::template("resource", &config.resource)?;
        let key = ConfigError::template("cacheKey", &config.cache_key)?;
        let value = config
            .value
            .as_deref()
            .filter(|value| !value.is_empty())
            .map(|value| ConfigError::template("value", value))
            .transpose()?;
        let mut needs = resource.needs() | key.needs();
        if let Some(value) = &value {
            needs |= value.needs();
        }
        let miss = config
            .cache_miss_attribute_key
            .filter(|name| !name.trim().is_empty());
        let policy = Step {
            resource,
            key,
            value,
            operation: config.default_operation,
            seconds: config
                .time_to_live
                .map_or(TIME_TO_LIVE_SECONDS, |seconds| seconds.0),
            miss: Text::from(miss.as_deref().unwrap_or(MISS_ATTRIBUTE)),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

#[derive(Debug)]
struct Step {
    resource: Template,
    key: Template,
    value: Option<Template>,
    operation: Operation,
    seconds: u64,
    miss: Text,
}

/// What one run does, all evaluated.
enum Work {
    Get {
        attribute: Text,
    },
    Set {
        value: Bytes,
        time_to_live: Duration,
    },
    Evict {
        attribute: Text,
    },
    Nothing,
}

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(exchange, services)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        self.run(exchange, services)
    }
}

impl Step {
    fn run<'a>(&'a self, exchange: &'a mut Exchange, services: &'a Services) -> Progress<'a> {
        let (key, work) = match self.work(exchange) {
            Ok(work) => work,
            Err(cause) => {
                return Progress::fail(
                    Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                        .with_message(Text::constant("Internal Server Error"))
                        .with_cause(cause),
                );
            }
        };
        let cache = match self.cache(exchange) {
            Ok(cache) => cache,
            Err(cause) => {
                let message = Text::constant("The cache resource is not found");
                return Progress::fail(failure(NO_CACHE_RESOURCE, message, cause));
            }
        };
        Progress::waiting(async move {
            let result = match work {
                Work::Nothing => Ok(()),
                Work::Set {
                    value,
                    time_to_live,
                } => cache.put(&key, value, Some(time_to_live), services).await,
                Work::Get { attribute } => match cache.get(&key, services).await {
                    Ok(found) => {
                        self.found(exchange, &attribute, found);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Work::Evict { attribute } => match cache.get(&key, services).await {
                    Ok(found) => {
                        self.found(exchange, &attribute, found);
                        cache.evict(&key, services).await
                    }
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(()) => Outcome::Continue,
                Err(error) => {
                    let message = Text::constant("The cache is not available");
                    Outcome::fail(failure(NO_CACHE, message, error))
                }
            }
        })
    }

    fn cache(&self, exchange: &Exchange) -> Result<Arc<dyn Cache>, String> {
        let name = evaluated(&self.resource, exchange, "resource")?;
        let cache = exchange.api.resources.cache(name.trim());
        cache.map(Arc::clone).map_err(|error| error.to_string())
    }

    fn work(&self, exchange: &Exchange) -> Result<(String, Work), String> {
        let key = evaluated(&self.key, exchange, "cacheKey")?;
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("cacheKey: longer than {KEY_BYTES_MAX} bytes"));
        }
        let work = match self.operation(exchange)? {
            Operation::Get => Work::Get {
                attribute: self.attribute(exchange)?,
            },
            Operation::Evict => Work::Evict {
                attribute: self.attribute(exchange)?,
            },
            Operation::Set => match self.value(exchange)? {
                None => Work::Nothing,
                Some(value) => Work::Set {
                    value: Bytes::copy_from_slice(value.as_bytes()),
                    time_to_live: self.time_to_live(exchange),
                },
            },
        };
        Ok((key, work))
    }

    fn operation(&self, exchange: &Exchange) -> Result<Operation, String> {
        let Some(name) = exchange.attribute(OPERATION_ATTRIBUTE).to_text() else {
            return Ok(self.operation);
        };
        match name.trim() {
            name if name.eq_ignore_ascii_case("GET") => Ok(Operation::Get),
            name if name.eq_ignore_ascii_case("SET") => Ok(Operation::Set),
            name if name.eq_ignore_ascii_case("EVICT") => Ok(Operation::Evict),
            _ => Err(format!("{OPERATION_ATTRIBUTE} is not GET, SET or EVICT")),
        }
    }

    fn time_to_live(&self, exchange: &Exchange) -> Duration {
        let seconds = exchange.attribute(TIME_TO_LIVE_ATTRIBUTE).to_i64();
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(seconds.unwrap_or(self.seconds))
    }

    /// The value to keep; `None` if there is none.
    fn value(&self, exchange: &Exchange) -> Result<Option<Text>, String> {
        match &self.value {
            None => Ok(exchange.attribute(VALUE_ATTRIBUTE).to_text()),
            Some(template) => template
                .evaluate(exchange)
                .map(|value| value.to_text())
                .map_err(|error| format!("value: {error}")),
        }
    }

    /// The attribute that gets the value.
    fn attribute(&self, exchange: &Exchange) -> Result<Text, String> {
        match &self.value {
            None => Ok(Text::constant(VALUE_ATTRIBUTE)),
            Some(template) => evaluated(template, exchange, "value").map(Text::from),
        }
    }

    fn found(&self, exchange: &mut Exchange, attribute: &Text, found: Option<Bytes>) {
        let is_missing = found.is_none();
        let value = found.map(|value| String::from_utf8_lossy(&value).into_owned());
        exchange.attributes.set(attribute, value.into());
        exchange.attributes.set(&self.miss, Value::Bool(is_missing));
    }
}

/// Evaluates to text that is not empty.
fn evaluated(template: &Template, exchange: &Exchange, name: &str) -> Result<String, String> {
    let text = template
        .evaluate_text(exchange)
        .map_err(|error| format!("{name}: {error}"))?;
    match text {
        Some(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => Err(format!("{name}: evaluates to nothing")),
    }
}

fn failure(key: &'static str, message: Text, cause: impl std::fmt::Display) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
        .with_key(key)
        .with_message(message)
        .with_cause(cause)
}
