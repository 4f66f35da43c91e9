//! `transform-headers`: sets headers, keeps only listed ones, removes headers, in this order.

mod config;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, StatusCode};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::TransformHeadersConfig;

use crate::header::{CompiledHeader, compile_headers, compile_names};

/// Key of the failure when a value cannot be evaluated or set.
pub const FAILURE_KEY: &str = "TRANSFORM_HEADERS_FAILURE";

/// The kind of policy.
#[derive(Debug)]
pub struct TransformHeaders;

impl PolicyKind for TransformHeaders {
    const NAME: &'static str = "transform-headers";
    const PHASES: &'static [Phase] = &[Phase::Request, Phase::Response];
    type Config = TransformHeadersConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let (set, needs) = compile_headers(&config.add_headers, "addHeaders")?;
        let policy = Transformation {
            set,
            keep: compile_names(&config.whitelist_headers, "whitelistHeaders")?,
            remove: compile_names(&config.remove_headers, "removeHeaders")?,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Transformation {
    set: Box<[CompiledHeader]>,
    keep: Box<[HeaderName]>,
    remove: Box<[HeaderName]>,
}

impl Transformation {
    /// Applies the three lists to the headers that `half` picks.
    ///
    /// Each value sees the headers set before it.
    fn apply(&self, exchange: &mut Exchange, half: fn(&mut Exchange) -> &mut HeaderMap) -> Outcome {
        for header in &self.set {
            let result = header.value(exchange).and_then(|value| match value {
                Some(value) => header.put(value, half(exchange)),
                None => Ok(()),
            });
            if let Err(cause) = result {
                return failure(cause);
            }
        }
        let headers = half(exchange);
        if !self.keep.is_empty() {
            keep_only(headers, &self.keep);
        }
        for name in &self.remove {
            headers.remove(name);
        }
        Outcome::Continue
    }
}

impl InlinePolicy for Transformation {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, |exchange| &mut exchange.request.headers)
    }

    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        self.apply(exchange, |exchange| &mut exchange.response.headers)
    }
}

fn keep_only(headers: &mut HeaderMap, keep: &[HeaderName]) {
    let dropped: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !keep.contains(name))
        .cloned()
        .collect();
    for name in dropped {
        headers.remove(name);
    }
}

fn failure(cause: String) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with_key(FAILURE_KEY)
            .with_message("Unable to transform headers")
            .with_cause(cause),
    )
}
