//! `policy-override-request-method`: calls the endpoint with another method.

mod config;
#[cfg(test)]
mod tests;

use http::Method;
use tidegate_expression::Text;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Needs, Outcome, Phase,
    PolicyKind,
};

pub use config::OverrideRequestMethodConfig;

use crate::failures::internal_error;

/// The kind of policy.
#[derive(Debug)]
pub struct OverrideRequestMethod;

impl PolicyKind for OverrideRequestMethod {
    const NAME: &'static str = "policy-override-request-method";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = OverrideRequestMethodConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let method = config.method.as_deref().map_or("GET", str::trim);
        let method = method.to_ascii_uppercase();
        // CONNECT opens a tunnel: what follows would be no HTTP response.
        match Method::from_bytes(method.as_bytes()) {
            Ok(parsed) if parsed != Method::CONNECT => {
                let policy = Override(Text::from(method));
                Ok(Compiled::inline(policy, Needs::NONE))
            }
            _ => Err(ConfigError::new(
                "method",
                format!("{method:?}"),
                "a method such as GET or POST, not CONNECT",
            )),
        }
    }
}

#[derive(Debug)]
struct Override(Text);

impl InlinePolicy for Override {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let attributes = &mut exchange.attributes;
        if attributes.set_platform("request.method", self.0.clone()) {
            Outcome::Continue
        } else {
            internal_error("too many attributes")
        }
    }
}
