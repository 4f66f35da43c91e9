//! `custom-query-parameters-parser`: `;` separates no parameters.

mod config;
#[cfg(test)]
mod tests;

use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Needs, Outcome, Phase,
    PolicyKind,
};

pub use config::CustomQueryParametersParserConfig;

/// The kind of policy.
#[derive(Debug)]
pub struct CustomQueryParametersParser;

impl PolicyKind for CustomQueryParametersParser {
    const NAME: &'static str = "custom-query-parameters-parser";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = CustomQueryParametersParserConfig;

    fn compile(_config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        Ok(Compiled::inline(Parser, Needs::NONE))
    }
}

#[derive(Debug)]
struct Parser;

impl InlinePolicy for Parser {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        // Without a semicolon both readings are equal, and what earlier steps changed may stay.
        if exchange.request.path.uri().contains(';') {
            exchange.request.query.reread_without_semicolons();
        }
        Outcome::Continue
    }
}
