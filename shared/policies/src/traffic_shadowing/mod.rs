//! `traffic-shadowing`: sends a copy of the request elsewhere and ignores the answer.

mod config;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Uri};
use tidegate_expression::{Needs, Template, Text, Value};
use tidegate_policy::{
    BoxFuture, CallOptions, CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy,
    Interceptor, Invocation, OutboundCall, Outcome, Phase, PolicyKind, Services,
};

pub use config::TrafficShadowingConfig;

use crate::header::{CompiledHeader, compile_headers};
use crate::outbound::absolute;

/// The kind of policy.
#[derive(Debug)]
pub struct TrafficShadowing;

impl PolicyKind for TrafficShadowing {
    const NAME: &'static str = "traffic-shadowing";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = TrafficShadowingConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        if config.target.trim().is_empty() {
            let expected = "an endpoint or an absolute URL";
            return Err(ConfigError::new("target", "\"\"", expected));
        }
        let target = ConfigError::template("target", config.target.trim())?;
        let (headers, mut needs) = compile_headers(&config.headers, "headers")?;
        needs |= target.needs();
        needs |= Needs {
            // The body is sent twice.
            request_content: true,
            response_content: false,
        };
        let shadow = Shadow {
            target,
            headers,
            options: Arc::default(),
        };
        Ok(Compiled::inline(Step(Arc::new(shadow)), needs))
    }
}

#[derive(Debug)]
struct Step(Arc<Shadow>);

impl InlinePolicy for Step {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        exchange
            .interceptors
            .push(Arc::<Shadow>::clone(&self.0) as Arc<dyn Interceptor>);
        Outcome::Continue
    }
}

#[derive(Debug)]
struct Shadow {
    target: Template,
    headers: Box<[CompiledHeader]>,
    options: Arc<CallOptions>,
}

impl Interceptor for Shadow {
    fn around<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
        inner: &'a mut dyn Invocation,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        // Made when the endpoint is called, so that the copy has what all request steps did.
        match self.copy(exchange) {
            Ok(call) => send(call, services),
            Err(cause) => tracing::debug!(cause, "request not shadowed"),
        }
        inner.call(exchange)
    }
}

impl Shadow {
    fn copy(&self, exchange: &Exchange) -> Result<OutboundCall, String> {
        let target = self
            .target
            .evaluate_text(exchange)
            .map_err(|error| format!("target: {error}"))?
            .unwrap_or_default();
        let uri = destination(exchange, target.trim())?;
        let mut headers = exchange.request.headers.clone();
        for name in [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE] {
            headers.remove(name);
        }
        for header in &self.headers {
            if let Some(value) = header.value(exchange)? {
                header.put(value, &mut headers)?;
            }
        }
        let body = exchange.request.content.bytes();
        let mut request = http::Request::new(body.cloned().unwrap_or_else(Bytes::new));
        *request.method_mut() = method(exchange);
        *request.uri_mut() = uri;
        *request.headers_mut() = headers.into_map();
        Ok(OutboundCall {
            request,
            options: Arc::clone(&self.options),
        })
    }
}

/// The URL of the copy: an absolute URL as it is, the URL of an endpoint with the path below the API's, or
/// with the path that follows `name:`. The query of the request joins in.
fn destination(exchange: &Exchange, target: &str) -> Result<Uri, String> {
    let request = &exchange.request;
    let mut url = match target.split_once(':') {
        Some((name, path)) if !path.starts_with("//") => {
            let base = exchange.api.targets.get(name);
            let base = base.ok_or_else(|| format!("target: no endpoint '{name}'"))?;
            let path = if path.is_empty() {
                request.path.info()
            } else {
                path
            };
            let mut url = base.trim_end_matches('/').to_owned();
            if !path.starts_with('/') {
                url.push('/');
            }
            url.push_str(path);
            url
        }
        _ => target.to_owned(),
    };
    if let Some(query) = request.query.to_text() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&query);
    }
    absolute(&url)
}

/// The client's method, unless a step chose another.
fn method(exchange: &Exchange) -> Method {
    let chosen = exchange.attributes.get_platform("request.method");
    chosen
        .and_then(Value::to_text)
        .and_then(|name: Text| Method::from_bytes(name.as_bytes()).ok())
        .unwrap_or_else(|| exchange.request.method.clone())
}

fn send(call: OutboundCall, services: &Services) {
    let http = Rc::clone(&services.http);
    let task = Box::pin(async move {
        if let Err(error) = http.send(call).await {
            tracing::debug!(%error, "shadow without an answer");
        }
    });
    if let Err(error) = services.tasks.spawn(task) {
        tracing::debug!(%error, "request not shadowed");
    }
}
